// What the coordinator says to workers, again and again until it has come through (protocols.md B3).
#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/coordinator.h"

namespace penstock::jobmanager {

proto::JobManagerToWorker CheckpointCoordinator::TriggerMessage() const {
  proto::JobManagerToWorker message;
  proto::TriggerCheckpoint& trigger = *message.mutable_trigger_checkpoint();
  trigger.mutable_checkpoint()->set_id(in_flight_->id);
  trigger.mutable_checkpoint()->set_generation(generation_);
  trigger.set_kind(in_flight_->kind);
  trigger.set_ending(in_flight_->ending);
  trigger.set_trigger_ms(in_flight_->trigger_ms);
  if (restore_) {
    trigger.set_has_last_decided(true);
    trigger.set_last_decided_id(restore_->id);
  }
  return message;
}

proto::JobManagerToWorker CheckpointCoordinator::DecidedMessage(uint64_t id) const {
  proto::JobManagerToWorker message;
  message.mutable_checkpoint_decided()->mutable_checkpoint()->set_id(id);
  message.mutable_checkpoint_decided()->mutable_checkpoint()->set_generation(generation_);
  return message;
}

proto::JobManagerToWorker CheckpointCoordinator::AbortedMessage(uint64_t id, const std::string& reason) const {
  proto::JobManagerToWorker message;
  message.mutable_checkpoint_aborted()->mutable_checkpoint()->set_id(id);
  message.mutable_checkpoint_aborted()->mutable_checkpoint()->set_generation(generation_);
  message.mutable_checkpoint_aborted()->set_reason(reason);
  return message;
}

void CheckpointCoordinator::RepeatNotices(int64_t now_ms) {
  if (!running_ || now_ms < next_notice_ms_) return;
  next_notice_ms_ = now_ms + kNoticeRepeatMs;
  if (decided_) {
    for (const auto& [worker, committed] : workers_) {
      if (!committed || *committed < *decided_) effects_.SendTo(worker, DecidedMessage(*decided_));
    }
  }
  // An abort is not acknowledged; the next trigger says the same.
  if (given_up_ && given_up_->repeats++ < kAbortRepeatsMax) {
    effects_.Broadcast(AbortedMessage(given_up_->id, given_up_->reason));
  }
}

void CheckpointCoordinator::OnWorkerBack(const std::string& worker) {
  if (!running_) return;
  if (decided_) effects_.SendTo(worker, DecidedMessage(*decided_));
  if (given_up_) effects_.SendTo(worker, AbortedMessage(given_up_->id, given_up_->reason));
  if (sources_started_) {
    proto::JobManagerToWorker message;
    message.mutable_start_sources();
    effects_.SendTo(worker, std::move(message));
  }
  if (in_flight_ && !deciding_) effects_.SendTo(worker, TriggerMessage());
}

void CheckpointCoordinator::OnDecisionAcked(const std::string& worker, const proto::DecisionAcked& acked) {
  const auto at = workers_.find(worker);
  if (at == workers_.end() || acked.checkpoint().generation() != generation_) return;
  const uint64_t id = acked.checkpoint().id();
  if (!decided_ || id > *decided_ || (at->second && *at->second >= id)) return;
  at->second = id;
  uint64_t by_all = id;
  for (const auto& [name, committed] : workers_) {
    if (!committed) return;
    by_all = std::min(by_all, *committed);
  }
  CommittedUpTo(by_all);
}

// A decision covers all smaller ids. An id that is still open has no outcome: it is told when it has one.
void CheckpointCoordinator::OnOutcomeAsked(const std::string& worker, const proto::OutcomeAsked& asked) {
  if (!running_ || asked.checkpoint().generation() != generation_) return;
  const uint64_t id = asked.checkpoint().id();
  if (decided_ && id <= *decided_) return effects_.SendTo(worker, DecidedMessage(*decided_));
  const bool open = (in_flight_ && in_flight_->id == id) || id > next_id_ || (id == next_id_ && !open_decision_);
  if (!open) effects_.SendTo(worker, AbortedMessage(id, "given up"));
}

}  // namespace penstock::jobmanager
