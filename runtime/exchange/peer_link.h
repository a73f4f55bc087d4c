// The link to one other worker of the attempt: all channels of the pair, in both directions, on one stream.
//
// Threads: whoever calls Run reads; a thread of the link writes. Channels are added before Run and live as long as the
// link. A broken stream, or a peer that breaks the protocol, is told to on_broken once; there is no reconnect, since a
// gap would lose data: the attempt fails (protocols.md E3).
#ifndef PENSTOCK_RUNTIME_EXCHANGE_PEER_LINK_H_
#define PENSTOCK_RUNTIME_EXCHANGE_PEER_LINK_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"
#include "runtime/exchange/credits.h"
#include "runtime/exchange/remote_input_channel.h"
#include "runtime/exchange/subpartition.h"
#include "runtime/exchange/wire.h"

namespace penstock {

// One message to write: headers and buffers in turn.
struct OutMessage {
  struct Part {
    std::string header;  // sent first
    Buffer buffer;       // may be empty
  };
  std::vector<Part> parts;
  size_t bytes = 0;
};

// A bidirectional stream of messages. Read and Write may run at the same time, each from one thread.
class PeerStream {
 public:
  virtual ~PeerStream() = default;
  virtual bool Write(OutMessage message) = 0;                                           // false: broken
  virtual bool Read(const std::function<absl::Status(wire::Cursor&)>& on_message) = 0;  // false: ended
  virtual void Cancel() = 0;                                                            // unblocks both; any thread
};

class PeerLink {
 public:
  PeerLink(std::string peer_name, std::function<void(const absl::Status&)> on_broken);
  ~PeerLink();

  void AddOutgoing(uint32_t channel, std::shared_ptr<Subpartition> subpartition);
  absl::StatusOr<std::shared_ptr<RemoteInputChannel>> AddIncoming(uint32_t channel, BufferPool& pool);

  // Serves the stream until it ends or Stop is called. At most once.
  void Run(PeerStream& stream);
  // The stream could not be had at all.
  void Break(const absl::Status& status);
  // After this nothing is reported as broken. Idempotent, any thread; does not wait for Run.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  const std::string& peer_name() const { return peer_name_; }

 private:
  struct Outgoing {
    uint32_t channel = 0;
    std::shared_ptr<Subpartition> subpartition;
    SenderCredits credits;  // guarded by mutex_
    bool queued = false;    // guarded by mutex_
  };
  struct Incoming {
    uint32_t channel = 0;
    std::shared_ptr<RemoteInputChannel> input;
    bool queued = false;  // guarded by mutex_
  };

  void QueueOutgoing(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  void QueueIncoming(size_t index) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteLoop(PeerStream& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until there is something to send; false when stopping.
  bool NextMessage(OutMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  void AddCredits(OutMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddBuffers(OutMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OnMessage(wire::Cursor& cursor) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status OnItem(wire::Cursor& cursor) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status OnCredits(wire::Cursor& cursor) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status OnLimit(wire::Cursor& cursor);

  const std::string peer_name_;
  const std::function<void(const absl::Status&)> on_broken_;

  // Constant once Run has been called, but for the marked fields.
  std::vector<std::unique_ptr<Outgoing>> outgoing_;
  std::vector<std::unique_ptr<Incoming>> incoming_;
  std::unordered_map<uint32_t, size_t> outgoing_by_channel_;
  std::unordered_map<uint32_t, size_t> incoming_by_channel_;

  Mutex mutex_;
  CondVar work_;
  std::deque<size_t> ready_outgoing_ ABSL_GUARDED_BY(mutex_);
  std::deque<size_t> ready_incoming_ ABSL_GUARDED_BY(mutex_);
  PeerStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> broken_{false};
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_PEER_LINK_H_
