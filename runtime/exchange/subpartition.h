// The queue of finished buffers from one producer to one consumer, on the producer's side.
//
// Thread-safe: the producer's task pushes; one consumer (the local gate's task, or a link's writer) pops. Bounded by
// the producer's buffer quota. Shared by both ends.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_
#define PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_

#include <atomic>
#include <deque>
#include <functional>

#include "runtime/core/mutex.h"
#include "runtime/exchange/channel_limit.h"
#include "runtime/record/buffer_pool.h"

namespace penstock {

class Subpartition {
 public:
  // `on_data` is called after a push (on the producer's thread), and once at once when data is there already.
  void Subscribe(std::function<void()> on_data) ABSL_LOCKS_EXCLUDED(mutex_);
  void Push(Buffer buffer) ABSL_LOCKS_EXCLUDED(mutex_);
  // An empty Buffer when there is none. backlog: buffers that remain.
  Buffer Pop(int* backlog) ABSL_LOCKS_EXCLUDED(mutex_);
  int size() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t queued_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  // From the consumer, any thread: heeded by the producer with its next buffer. The parts may be read one by one.
  void SetLimit(const ChannelLimit& limit);
  ChannelLimit limit() const;
  // The consumer is gone: drops what is queued and everything that follows.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::atomic<uint32_t> buffer_bytes_{ChannelLimit().buffer_bytes};
  std::atomic<int> sender_buffers_{ChannelLimit().sender_buffers};

  mutable Mutex mutex_;
  std::deque<Buffer> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> on_data_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_
