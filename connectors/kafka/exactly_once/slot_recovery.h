// Brings the slots of one subtask to what the attempt was restored from: everything that the checkpoint covers is
// committed once, nothing else is open.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_SLOT_RECOVERY_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_SLOT_RECOVERY_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "connectors/kafka/exactly_once/identity.h"
#include "connectors/kafka/exactly_once/marker.h"
#include "connectors/kafka/exactly_once/preflight.h"
#include "connectors/kafka/sender.h"
#include "runtime/task/sink.h"

namespace penstock::kafka {

// Called at named points of the protocol; an error there ends the sink as a crash would. For tests; may be empty.
using Failpoint = std::function<absl::Status(std::string_view point)>;

// What a slot hands in: the slot and the topic its log was written for.
struct SlotState {
  int slot = 0;
  std::string topic;

  std::string Encode() const;
  static bool Decode(const std::string& bytes, SlotState& state);
};

class SlotRecovery {
 public:
  // Of subtask `slot` of `parallelism`: it takes over all slots that are `slot` modulo the parallelism.
  SlotRecovery(const Sink& sink, const SinkStart& start, const TransactionLimits& limits, int slot, int parallelism,
               const Clock& clock, std::function<bool()> stop, Failpoint failpoint);

  // Blocks: for a committer's thread. Returns the subtask's own producer, initialised, with no transaction open.
  // FailedPrecondition: the marker is missing or of somebody else, and what to do. DataLoss: a damaged log.
  absl::StatusOr<std::unique_ptr<Sender>> Run();
  int rewritten_epochs() const { return rewritten_epochs_; }

 private:
  absl::StatusOr<std::unique_ptr<Sender>> Init(const Sink& sink, int slot) const;
  absl::Status Recover(const Sink& sink, const SinkPart& part, int slot, Sender& sender);
  absl::Status CheckForeign(const Sink& sink, const SinkPart& part, int slot) const;
  absl::Status Rewrite(const Sink& sink, const SinkPart& part, int slot, Sender& sender);
  absl::Status SendAll(const SinkPart& part, Sender& sender) const;
  absl::Status WriteFirstMarker(int slot, Sender& sender);
  absl::Status WriteMarker(const Sink& sink, int slot, Sender& sender) const;
  absl::StatusOr<bool> MayRewrite(const SinkPart& part, int slot) const;
  bool OfOtherJob() const;
  SlotIdentity Identity(int slot) const;
  Marker Target() const;
  absl::Status At(std::string_view point) const { return failpoint_ ? failpoint_(point) : absl::OkStatus(); }

  const Sink& sink_;
  const SinkStart& start_;
  const TransactionLimits& limits_;
  const int slot_;
  const int parallelism_;
  const Clock& clock_;
  const std::function<bool()> stop_;
  const Failpoint failpoint_;
  int rewritten_epochs_ = 0;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_SLOT_RECOVERY_H_
