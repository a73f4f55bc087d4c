// A task's input along one edge: one channel per producer, read buffer by buffer in the order in which data came,
// fairly among channels.
//
// Owner: the task's thread reads; channels are told of data by other threads (Notify). Lives in its task; whoever may
// call Notify later holds the gate's Notifier by shared_ptr.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_INPUT_GATE_H_
#define PENSTOCK_RUNTIME_EXCHANGE_INPUT_GATE_H_

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/exchange/channel_limit.h"
#include "runtime/record/buffer_pool.h"

namespace penstock {

class Subpartition;

// Where a gate takes a channel's buffers from.
class InputChannel {
 public:
  virtual ~InputChannel() = default;
  // An empty Buffer when none is there; more: others follow at once.
  virtual Buffer Pop(bool* more) = 0;
  // Calls on_data from any thread whenever there is data to pop after there was none.
  virtual void Subscribe(std::function<void()> on_data) = 0;
  // How much may be under way over the channel from now on. What is under way already stays.
  virtual void SetLimit(const ChannelLimit& limit) = 0;
  // What waits to be popped, at the producer's too, as far as it is known here.
  virtual int64_t QueuedBytes() const = 0;
  virtual void Close() = 0;
};

// A channel within the worker: the producer's subpartition itself.
class LocalInputChannel final : public InputChannel {
 public:
  explicit LocalInputChannel(std::shared_ptr<Subpartition> subpartition) : subpartition_(std::move(subpartition)) {}
  Buffer Pop(bool* more) override;
  void Subscribe(std::function<void()> on_data) override;
  void SetLimit(const ChannelLimit& limit) override;
  int64_t QueuedBytes() const override;
  void Close() override;

 private:
  const std::shared_ptr<Subpartition> subpartition_;
};

class InputGate {
 public:
  // on_data: wakes the task (any thread).
  explicit InputGate(std::function<void()> on_data);
  ~InputGate();

  // Before the first Next. Returns the channel's index.
  int AddChannel(std::shared_ptr<InputChannel> channel);
  void Start();

  struct Input {
    int channel = -1;
    Buffer buffer;
  };
  // False when no channel has data.
  bool Next(Input& input);
  bool HasInput() const;
  // The channel is not read until ReleaseAll: its data stays where it is, and its credit with it.
  void Block(int channel);
  void ReleaseAll();
  // Of each channel.
  void SetLimit(const ChannelLimit& limit);
  int64_t QueuedBytes() const;
  int size() const { return static_cast<int>(channels_.size()); }

 private:
  // Shared with the subscriptions, which may outlive the gate.
  struct Ready {
    explicit Ready(std::function<void()> fn) : on_data(std::move(fn)) {}
    void Notify(int channel) ABSL_LOCKS_EXCLUDED(mutex);

    const std::function<void()> on_data;
    mutable Mutex mutex;
    std::deque<int> queue ABSL_GUARDED_BY(mutex);
    std::vector<bool> queued ABSL_GUARDED_BY(mutex);
    bool closed ABSL_GUARDED_BY(mutex) = false;
  };

  std::vector<std::shared_ptr<InputChannel>> channels_;
  std::vector<bool> blocked_;  // by channel
  std::vector<int> parked_;    // blocked channels that have data; they count as queued
  const std::shared_ptr<Ready> ready_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_INPUT_GATE_H_
