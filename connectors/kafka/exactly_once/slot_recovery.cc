#include "connectors/kafka/exactly_once/slot_recovery.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "connectors/kafka/exactly_once/log_record.h"
#include "connectors/kafka/exactly_once/marker.h"
#include "connectors/kafka/exactly_once/transaction_client.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr std::string_view kStateMagic = "kafka1 ";
constexpr int kPollMs = 100;
constexpr int64_t kForeignMarkerTimeoutMs = 5'000;  // of a job that may be running

}  // namespace

std::string SlotState::Encode() const { return fmt::format("{}{} {}", kStateMagic, slot, topic); }

bool SlotState::Decode(const std::string& bytes, SlotState& state) {
  if (!bytes.starts_with(kStateMagic)) return false;
  const char* const begin = bytes.data() + kStateMagic.size();
  const char* const end = bytes.data() + bytes.size();
  const auto [at, error] = std::from_chars(begin, end, state.slot);
  if (error != std::errc() || at == end || *at != ' ' || state.slot < 0) return false;
  state.topic.assign(at + 1, end);
  return !state.topic.empty();
}

SlotRecovery::SlotRecovery(const Sink& sink, const SinkStart& start, const TransactionLimits& limits, int slot,
                           int parallelism, const Clock& clock, std::function<bool()> stop, Failpoint failpoint)
    : sink_(sink),
      start_(start),
      limits_(limits),
      slot_(slot),
      parallelism_(parallelism),
      clock_(clock),
      stop_(std::move(stop)),
      failpoint_(std::move(failpoint)) {}

SlotIdentity SlotRecovery::Identity(int slot) const {
  return {start_.origin.cluster_id, start_.origin.job_uid, start_.sink_uid, slot};
}

// What the markers of all our slots say once we are done.
Marker SlotRecovery::Target() const {
  const auto& restored = start_.origin.restored;
  return restored ? Marker{restored->generation, restored->id} : Marker{start_.origin.generation, 0};
}

bool SlotRecovery::OfOtherJob() const {
  const auto& restored = start_.origin.restored;
  return restored && (restored->job_uid != start_.origin.job_uid || restored->cluster_id != start_.origin.cluster_id);
}

absl::StatusOr<std::unique_ptr<Sender>> SlotRecovery::Init(const Sink& sink, int slot) const {
  const std::string name = Identity(slot).Name();
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Sender> sender,
                            Sender::Create(sink, {{"transactional.id", name},
                                                  {"transaction.timeout.ms", std::to_string(limits_.timeout_ms)}}));
  PENSTOCK_RETURN_IF_ERROR(TransactionClient(sink, name, sender->client(), stop_).Init());
  PENSTOCK_RETURN_IF_ERROR(At("recovery: after init"));
  return sender;
}

absl::StatusOr<std::unique_ptr<Sender>> SlotRecovery::Run() {
  std::map<int, std::pair<SlotState, const SinkPart*>> parts;  // ours, by slot
  int slots = std::max(parallelism_, start_.origin.widest_parallelism);
  for (const SinkPart& part : start_.parts) {
    SlotState state;
    if (!SlotState::Decode(part.state, state)) {
      return DataLoss("kafka sink '{}': the checkpoint holds '{}', which is no state of a Kafka sink", start_.sink_uid,
                      part.state);
    }
    slots = std::max(slots, state.slot + 1);
    if (state.slot % parallelism_ == slot_) parts[state.slot] = {state, &part};
  }
  std::unique_ptr<Sender> own;
  for (int slot = slot_; slot < slots; slot += parallelism_) {
    const auto found = parts.find(slot);
    if (found != parts.end()) {
      Sink sink = sink_;
      sink.topic = found->second.first.topic;
      if (OfOtherJob()) {
        PENSTOCK_RETURN_IF_ERROR(CheckForeign(sink, *found->second.second, slot));
      } else {
        PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Sender> sender, Init(sink, slot));
        if (absl::Status status = Recover(sink, *found->second.second, slot, *sender); !status.ok()) {
          Sender::Abandon(std::move(sender));
          return status;
        }
        if (slot == slot_ && sink.topic == sink_.topic) own = std::move(sender);
        if (slot != slot_ || own != nullptr) continue;
      }
    }
    // A slot that the checkpoint knows nothing of: it may have been left open by a wider attempt.
    PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Sender> sender, Init(sink_, slot));
    if (slot != slot_) continue;
    if (absl::Status status = WriteFirstMarker(slot, *sender); !status.ok()) {
      Sender::Abandon(std::move(sender));
      return status;
    }
    own = std::move(sender);
  }
  return own;
}

absl::Status SlotRecovery::WriteFirstMarker(int slot, Sender& sender) {
  // Not for the answer: a marker is sent only to a group whose coordinator has answered (TransactionClient), and on a
  // new cluster that takes seconds, since its topic is made first.
  const TransactionClient client(sink_, Identity(slot).Name(), sender.client(), stop_);
  PENSTOCK_RETURN_IF_ERROR(client.ReadMarker(clock_).status());
  return WriteMarker(sink_, slot, sender);
}

absl::Status SlotRecovery::Recover(const Sink& sink, const SinkPart& part, int slot, Sender& sender) {
  const TransactionClient client(sink, Identity(slot).Name(), sender.client(), stop_);
  PENSTOCK_ASSIGN_OR_RETURN(const std::optional<Marker> marker, client.ReadMarker(clock_));
  const AttemptOrigin::Restored& restored = *start_.origin.restored;
  const Verdict verdict = Judge(marker, restored);
  if (restored.committed && (verdict != Verdict::kForeign || start_.origin.allow_duplicates)) {
    return verdict == Verdict::kCommitted ? absl::OkStatus() : WriteMarker(sink, slot, sender);
  }
  switch (verdict) {
    case Verdict::kCommitted:
      return absl::OkStatus();
    case Verdict::kRewrite:
      return Rewrite(sink, part, slot, sender);
    case Verdict::kMissing: {
      PENSTOCK_ASSIGN_OR_RETURN(const bool rewrite, MayRewrite(part, slot));
      return rewrite ? Rewrite(sink, part, slot, sender) : WriteMarker(sink, slot, sender);
    }
    case Verdict::kForeign:
      break;
  }
  if (start_.origin.allow_duplicates) return Rewrite(sink, part, slot, sender);
  return FailedPrecondition(
      "kafka sink '{}': slot {} has last committed checkpoint {} of generation {}, but checkpoint {} of generation {} "
      "is "
      "restored, which does not come from it: beginning there would repeat or lose output. Restore the newest "
      "checkpoint of the job, or say --allow-duplicates",
      start_.sink_uid, slot, marker->id, marker->generation, restored.id, restored.generation);
}

// The state of another job is taken over: its transactions are not ours to touch.
absl::Status SlotRecovery::CheckForeign(const Sink& sink, const SinkPart& part, int slot) const {
  const AttemptOrigin::Restored& restored = *start_.origin.restored;
  if (part.logs.empty() || restored.committed) return absl::OkStatus();
  const SlotIdentity theirs{restored.cluster_id, restored.job_uid, start_.sink_uid, slot};
  const absl::StatusOr<std::optional<Marker>> marker =
      TransactionClient(sink, theirs.Name(), nullptr, stop_).ReadMarker(clock_, kForeignMarkerTimeoutMs);
  if (!marker.ok() && marker.status().code() != absl::StatusCode::kDeadlineExceeded) return marker.status();
  const bool committed = marker.ok() && Judge(*marker, restored) == Verdict::kCommitted;
  if (committed || start_.origin.allow_duplicates) return absl::OkStatus();
  return FailedPrecondition(
      "kafka sink '{}': checkpoint {} is of job '{}', whose output up to it is not known to be committed (slot {}): "
      "take "
      "a savepoint of that job and wait until it is complete, or restore under its own uid",
      start_.sink_uid, restored.id, restored.job_uid, slot);
}

absl::StatusOr<bool> SlotRecovery::MayRewrite(const SinkPart& part, int slot) const {
  const AttemptOrigin::Restored& restored = *start_.origin.restored;
  if (part.logs.empty() || start_.origin.missing_marker == MissingMarker::kSkip) return false;
  if (start_.origin.missing_marker == MissingMarker::kRewrite) return true;
  return FailedPrecondition(
      "kafka sink '{}': the broker no longer knows what slot {} has committed (group '{}'): it was deleted, or it "
      "expired "
      "after offsets.retention.minutes ({} hours here) without the job running. Checkpoint {} covers records that may "
      "or may not be in topic '{}'. Look, then set sink.exactly-once.missing-marker to rewrite (they are written, "
      "maybe "
      "for the second time) or skip (they are not written)",
      start_.sink_uid, slot, Identity(slot).Name(), limits_.offsets_retention_ms / 3'600'000, restored.id, sink_.topic);
}

absl::Status SlotRecovery::Rewrite(const Sink& sink, const SinkPart& part, int slot, Sender& sender) {
  if (part.logs.empty()) return WriteMarker(sink, slot, sender);
  ++rewritten_epochs_;
  const TransactionClient client(sink, Identity(slot).Name(), sender.client(), stop_);
  PENSTOCK_RETURN_IF_ERROR(client.Begin());
  PENSTOCK_RETURN_IF_ERROR(SendAll(part, sender));
  PENSTOCK_RETURN_IF_ERROR(client.SendMarker(Target()));
  PENSTOCK_RETURN_IF_ERROR(At("recovery: after the marker"));
  PENSTOCK_RETURN_IF_ERROR(client.Commit());
  return At("recovery: after the commit");
}

absl::Status SlotRecovery::SendAll(const SinkPart& part, Sender& sender) const {
  LogRecord record;
  int64_t records = 0;
  const auto send = [&](std::string_view bytes) -> absl::Status {
    if (!DecodeLogRecord(bytes, record)) {
      return DataLoss("record {} of the sink's log does not decode", records);
    }
    while (sender.TrySend(record.record) == Sender::Sent::kQueueFull) {
      if (stop_()) return Cancelled("kafka sink: the task is to stop");
      sender.Poll(kPollMs);
    }
    PENSTOCK_RETURN_IF_ERROR(sender.failure());
    ++records;
    return records == 1 ? At("recovery: in the middle of the rewrite") : absl::OkStatus();
  };
  for (const SealedLog& log : part.logs) PENSTOCK_RETURN_IF_ERROR(log.Replay(send));
  while (sender.in_flight() > 0 && sender.failure().ok()) {
    if (stop_()) return Cancelled("kafka sink: the task is to stop");
    sender.Poll(kPollMs);
  }
  PENSTOCK_LOG(info, "kafka sink '{}': {} records of checkpoint {} are written again from its log", start_.sink_uid,
               records, start_.origin.restored->id);
  return sender.failure();
}

absl::Status SlotRecovery::WriteMarker(const Sink& sink, int slot, Sender& sender) const {
  const TransactionClient client(sink, Identity(slot).Name(), sender.client(), stop_);
  PENSTOCK_RETURN_IF_ERROR(client.Begin());
  PENSTOCK_RETURN_IF_ERROR(client.SendMarker(Target()));
  return client.Commit();
}

}  // namespace penstock::kafka
