// The receiving end of a channel from another worker: buffers reserved for what has been granted, and the queue of what
// has come.
//
// Thread-safe: the link's reader delivers, the gate's task pops, and buffers come back from wherever they were used.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_REMOTE_INPUT_CHANNEL_H_
#define PENSTOCK_RUNTIME_EXCHANGE_REMOTE_INPUT_CHANNEL_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/exchange/credits.h"
#include "runtime/exchange/input_gate.h"
#include "runtime/exchange/wire.h"

namespace penstock {

class RemoteInputChannel final : public InputChannel, public std::enable_shared_from_this<RemoteInputChannel> {
 public:
  // on_grant: credits or a limit wait to be announced (any thread). Reserves the exclusive buffers at once.
  static absl::StatusOr<std::shared_ptr<RemoteInputChannel>> Create(BufferPool& pool, std::function<void()> on_grant);

  // Link's reader: takes header.size bytes from the cursor. A non-OK status is a broken protocol.
  absl::Status Deliver(const wire::BufferHeader& header, wire::Cursor& cursor) ABSL_LOCKS_EXCLUDED(mutex_);
  // Link's writer: credits to announce now; 0 when it is better to wait for more.
  uint32_t TakeGrant() ABSL_LOCKS_EXCLUDED(mutex_);
  // Link's writer: a limit that the sender has not been told of.
  std::optional<ChannelLimit> TakeLimit() ABSL_LOCKS_EXCLUDED(mutex_);

  Buffer Pop(bool* more) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Subscribe(std::function<void()> on_data) override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLimit(const ChannelLimit& limit) override ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t QueuedBytes() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit RemoteInputChannel(std::function<void()> on_grant) : on_grant_(std::move(on_grant)) {}
  void ReserveMore() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<void()> on_grant_;
  std::shared_ptr<BufferQuota> quota_;  // constant after Create

  mutable Mutex mutex_;
  ReceiverCredits credits_ ABSL_GUARDED_BY(mutex_);
  std::vector<Buffer> reserved_ ABSL_GUARDED_BY(mutex_);
  std::deque<Buffer> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  ChannelLimit limit_ ABSL_GUARDED_BY(mutex_);
  bool limit_told_ ABSL_GUARDED_BY(mutex_) = true;
  std::function<void()> on_data_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_REMOTE_INPUT_CHANNEL_H_
