// Between a job and the coordinator of its checkpoints.
#include <utility>

#include "jobmanager/job/job.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

void Job::Broadcast(proto::JobManagerToWorker message) {
  message.set_job_id(id_);
  message.set_attempt(attempt_);
  message.set_leader_epoch(options_.leader_epoch);
  for (const auto& [taskmanager_id, worker] : workers_.by_taskmanager) {
    if (worker.phase == WorkerPhase::kReady && worker.gateway != nullptr) worker.gateway->Send(message);
  }
  effects_.Changed(true);
}

void Job::SendTo(const std::string& taskmanager_id, proto::JobManagerToWorker message) {
  const auto at = workers_.by_taskmanager.find(taskmanager_id);
  if (at == workers_.by_taskmanager.end() || at->second.gateway == nullptr) return;
  message.set_job_id(id_);
  message.set_attempt(attempt_);
  message.set_leader_epoch(options_.leader_epoch);
  at->second.gateway->Send(message);
}

void Job::Decide(uint64_t id, std::string name, std::string bytes) {
  effects_.DecideCheckpoint(id, std::move(name), std::move(bytes));
}

void Job::OnCheckpointDecided(uint64_t id, bool won) {
  storage_trouble_.clear();
  checkpoints_->OnDecided(id, won);
  effects_.Changed(true);
  AfterCoordinator();
  BeginWhenSettled();
}

void Job::OnCheckpointsRead(StoredCheckpoints stored) {
  storage_trouble_.clear();
  checkpoints_->OnStorageRead(std::move(stored));
  effects_.Changed(true);
  AfterCoordinator();
  BeginWhenSettled();
}

void Job::OnStorageTrouble(std::string text) {
  storage_trouble_ = std::move(text);
  effects_.Changed(true);
}

absl::StatusOr<uint64_t> Job::RequestCheckpoint(CheckpointRequest request) {
  if (!checkpoints_) {
    return FailedPrecondition("job {} takes no checkpoints: set execution.checkpointing.dir", id_);
  }
  auto number = checkpoints_->Request(std::move(request));
  AfterCoordinator();
  return number;
}

void Job::CopySavepoint(uint64_t request, RestorePoint point, std::string directory) {
  effects_.CopySavepoint(request, std::move(point), std::move(directory));
}

void Job::RecordCommits(uint64_t request, std::string name, std::string bytes) {
  effects_.RecordCommits(request, std::move(name), std::move(bytes));
}

void Job::OnCommitsRecorded(uint64_t request) {
  checkpoints_->OnCommitsRecorded(request);
  effects_.Changed(true);
}

void Job::OnCopyProgress(uint64_t request, int64_t copied_bytes, int64_t total_bytes) {
  checkpoints_->OnCopyProgress(request, copied_bytes, total_bytes);
  effects_.Changed(false);
}

void Job::OnSavepointCopied(uint64_t request, const absl::StatusOr<std::string>& location) {
  checkpoints_->OnCopied(request, location);
  effects_.Changed(true);
}

absl::StatusOr<uint64_t> Job::Rescale(proto::JobGraph graph) {
  if (graph.hash() != submission_.graph.hash()) {
    return FailedPrecondition(
        "this is the graph of another job (uid '{}', hash {}) than job {} runs (uid '{}', hash {}): a rescale changes "
        "the parallelism only; stop with a savepoint and run the new program with -s",
        graph.uid(), graph.hash(), id_, submission_.graph.uid(), submission_.graph.hash());
  }
  graph.set_uid(submission_.graph.uid());  // of a clone: given when it was submitted
  if (graph.key_groups() != submission_.graph.key_groups()) {
    return FailedPrecondition("the graph has {} key groups, the job {}: they can't change with state",
                              graph.key_groups(), submission_.graph.key_groups());
  }
  CheckpointRequest request;
  request.ending = proto::TriggerCheckpoint::SUSPEND;
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t number, RequestCheckpoint(request));
  rescale_ = PendingRescale{.graph = std::move(graph)};
  return number;
}

void Job::StopDecided() {
  if (rescale_) rescale_->decided = true;
}

void Job::TakeRescaledGraph() {
  PENSTOCK_LOG(info, "job {}: parallelism {} -> {}", id_, submission_.graph.parallelism(),
               rescale_->graph.parallelism());
  submission_.graph = std::move(rescale_->graph);
  slots_needed_ = SlotsNeeded(submission_.graph);
  execution_ = ExecutionGraph(submission_.graph);
  checkpoints_->SetGraph(submission_.graph);
}

void Job::AfterCoordinator() {
  if (std::exchange(already_stopped_, false) && state_ == JobState::kRunning) {
    checkpoints_->OnAllFinished();
    MoveTo(JobState::kFinished);
    BeginEnding();
  }
  if (!attempt_failure_) return;
  FailureSnapshot failure = JobFailure(*std::exchange(attempt_failure_, std::nullopt), proto::Failure::EXTERNAL, true);
  failure.failure.set_exception_type("CheckpointFailure");
  Fail(Cause::kPrimary, std::move(failure));
}

}  // namespace penstock::jobmanager
