// Between a job and the coordinator of its checkpoints.
#include <utility>

#include "jobmanager/job/job.h"
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

void Job::AfterCoordinator() {
  if (!attempt_failure_) return;
  FailureSnapshot failure = JobFailure(*std::exchange(attempt_failure_, std::nullopt), proto::Failure::EXTERNAL, true);
  failure.failure.set_exception_type("CheckpointFailure");
  Fail(Cause::kPrimary, std::move(failure));
}

}  // namespace penstock::jobmanager
