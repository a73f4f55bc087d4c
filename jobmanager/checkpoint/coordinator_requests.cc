// Checkpoints that somebody asks for, from the request to a savepoint that needs no log and no marker (protocols.md
// B4).
#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/coordinator.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

absl::StatusOr<uint64_t> CheckpointCoordinator::Request(CheckpointRequest request) {
  if (!running_ || !sources_started_) return FailedPrecondition("the job does not run: there is nothing to take now");
  const bool stopping = in_flight_ && in_flight_->ending != proto::TriggerCheckpoint::GOES_ON;
  const bool will_stop = std::any_of(requests_.begin(), requests_.end(), [](const CheckpointRequest& r) {
    return r.ending != proto::TriggerCheckpoint::GOES_ON;
  });
  if (stopping || will_stop || stopped_) return FailedPrecondition("the job is being stopped already");
  if (requests_.size() >= kRequestsMax) return ResourceExhausted("{} checkpoints are asked for already", kRequestsMax);
  request.number = next_request_++;
  const uint64_t number = request.number;
  if (request.kind == proto::Manifest::SAVEPOINT && request.directory.empty()) {
    request.directory = config_.savepoint_directory;
  }
  RequestRecord asked;
  asked.request = request;
  asked_.push_front(std::move(asked));
  if (asked_.size() > kRequestsRemembered) asked_.pop_back();
  requests_.push_back(std::move(request));
  TriggerWhenDue();
  return number;
}

std::string CheckpointCoordinator::LocationOf(const std::string& manifest_name) const {
  return fmt::format("{}{}{}", config_.storage, config_.storage.ends_with('/') ? "" : "/", manifest_name);
}

RequestRecord* CheckpointCoordinator::FindRequest(uint64_t number) {
  const auto at = std::find_if(asked_.begin(), asked_.end(),
                               [number](const RequestRecord& asked) { return asked.request.number == number; });
  return number == 0 || at == asked_.end() ? nullptr : &*at;
}

void CheckpointCoordinator::FailRequest(uint64_t number, CheckpointOutcome outcome, const std::string& reason) {
  RequestRecord* asked = FindRequest(number);
  if (asked == nullptr) return;
  asked->outcome = outcome;
  asked->failure = reason;
}

void CheckpointCoordinator::CompleteRequest(RequestRecord& asked, std::string location) {
  asked.outcome = CheckpointOutcome::kCompleted;
  asked.location = std::move(location);
}

void CheckpointCoordinator::OnRequestDecided(uint64_t number, const RestorePoint& point) {
  RequestRecord* asked = FindRequest(number);
  if (asked == nullptr) return;
  asked->decided = true;
  if (asked->request.kind != proto::Manifest::SAVEPOINT)
    return CompleteRequest(*asked, LocationOf(point.manifest_name));
  awaited_commits_.push_back({number, point});
  if (awaited_commits_.size() > kRequestsRemembered) awaited_commits_.erase(awaited_commits_.begin());
}

void CheckpointCoordinator::CommittedUpTo(uint64_t id) {
  for (auto at = awaited_commits_.begin(); at != awaited_commits_.end();) {
    if (at->point.id > id) {
      ++at;
      continue;
    }
    AwaitedCommit committed = std::move(*at);
    at = awaited_commits_.erase(at);
    RequestRecord* asked = FindRequest(committed.request);
    if (asked == nullptr) continue;
    asked->committed = true;
    if (asked->request.directory.empty()) {
      ++recording_;
      effects_.RecordCommits(committed.request, CommitRecordName(committed.point.manifest_name),
                             EncodeCommitRecord(committed.point.id, committed.point.generation));
    } else {
      ++copies_;
      effects_.CopySavepoint(committed.request, std::move(committed.point), asked->request.directory);
    }
  }
}

void CheckpointCoordinator::OnCommitsRecorded(uint64_t request) {
  --recording_;
  RequestRecord* asked = FindRequest(request);
  if (asked != nullptr) CompleteRequest(*asked, LocationOf(ManifestName(directory_, asked->checkpoint_id)));
}

void CheckpointCoordinator::OnJobEnded() {
  for (const AwaitedCommit& awaited : std::exchange(awaited_commits_, {})) {
    FailRequest(awaited.request, CheckpointOutcome::kAborted,
                fmt::format("the savepoint was taken, but the job ended before its sinks had committed all that it "
                            "covers; under the same uid it can be restored from {}",
                            LocationOf(awaited.point.manifest_name)));
  }
}

void CheckpointCoordinator::OnCopyProgress(uint64_t request, int64_t copied_bytes, int64_t total_bytes) {
  RequestRecord* asked = FindRequest(request);
  if (asked == nullptr) return;
  asked->copied_bytes = copied_bytes;
  asked->copy_bytes = total_bytes;
}

void CheckpointCoordinator::OnCopied(uint64_t request, const absl::StatusOr<std::string>& location) {
  --copies_;
  RequestRecord* asked = FindRequest(request);
  if (!location.ok()) {
    const std::string where = asked == nullptr ? "" : LocationOf(ManifestName(directory_, asked->checkpoint_id));
    return FailRequest(request, CheckpointOutcome::kAborted,
                       fmt::format("the savepoint was taken, but could not be copied: {}; it can be restored from {}",
                                   MessageOf(location.status()), where));
  }
  if (asked == nullptr) return;
  CompleteRequest(*asked, *location);
  // Whoever asked has a copy: while the job runs on, this one goes with the other old ones.
  for (StoredCheckpoint& checkpoint : retained_) {
    if (running_ && checkpoint.point.id == asked->checkpoint_id) checkpoint.kind = proto::Manifest::CHECKPOINT;
  }
}

}  // namespace penstock::jobmanager
