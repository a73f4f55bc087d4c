// What the dispatcher does with the job store: ends that become durable, and jobs that are taken over.
#include <algorithm>
#include <chrono>
#include <utility>

#include "jobmanager/dispatcher/dispatcher.h"
#include "jobmanager/dispatcher/recover_job.h"
#include "jobmanager/store/job_entry.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

// What another try may mend.
bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsUnknown(status) || absl::IsInternal(status);
}

// Whether it is the last that was heard of its uid.
bool IsNewest(const proto::JobEntry& entry, const StoredJobs& jobs) {
  const auto newer = [&](const proto::JobEntry& other) {
    return other.graph().uid() == entry.graph().uid() && other.number() > entry.number();
  };
  return std::ranges::none_of(jobs.live, newer) && std::ranges::none_of(jobs.ended, newer);
}

}  // namespace

void Dispatcher::OnDecisionLost() {
  if (parts_.durable.on_decision_lost) parts_.durable.on_decision_lost();
}

void Dispatcher::OnJobEnded(std::shared_ptr<const JobSnapshot> snapshot, std::function<void()> recorded) {
  if (parts_.durable.store == nullptr) return recorded();
  store_actor_.Post([this, id = snapshot->id, end = EndOf(*snapshot), recorded = std::move(recorded)] {
    TryRecordEnd(id, end, recorded, kStoreRetryMinMs);
  });
}

void Dispatcher::TryRecordEnd(const std::string& job_id, const proto::JobEnd& end,
                              const std::function<void()>& recorded, int64_t pause_ms) {
  const absl::Status status = parts_.durable.store->End(job_id, end);
  if (status.ok()) return recorded();
  PENSTOCK_LOG(warn, "the end of job {} ({}) is not durable yet: {}", job_id, end.state(), MessageOf(status));
  if (absl::IsAborted(status)) return OnDecisionLost();  // it is the new leader's to say how the job ends
  store_actor_.PostAfter(std::chrono::milliseconds(pause_ms), [this, job_id, end, recorded, pause_ms] {
    TryRecordEnd(job_id, end, recorded, std::min(pause_ms * 2, kStoreRetryMaxMs));
  });
}

void Dispatcher::Recover(StoredJobs jobs) {
  JobOptions options;
  actor_.Call([&] {
    options = job_options_;
    for (const proto::JobEntry& entry : jobs.ended) jobs_.push_back(SnapshotOf(entry));
    for (const proto::JobEntry& entry : jobs.live) jobs_.insert(jobs_.begin(), SnapshotOf(entry));
    Publish();
  });
  for (const proto::JobEntry& entry : jobs.ended) {
    if (entry.end().state() != JobStateName(JobState::kFinished) || !IsNewest(entry, jobs)) continue;
    store_actor_.Post([entry, options] {
      const absl::Status deleted = DeleteFinished(entry, options);
      if (!deleted.ok()) {
        PENSTOCK_LOG(warn, "checkpoints of finished job {} are left: {}", entry.job_id(), MessageOf(deleted));
      }
    });
  }
  for (proto::JobEntry& entry : jobs.live) {
    store_actor_.Post([this, entry = std::move(entry)] { RecoverJob(entry, kStoreRetryMinMs); });
  }
}

void Dispatcher::RecoverJob(const proto::JobEntry& entry, int64_t pause_ms) {
  const absl::Status status = TryRecover(entry);
  if (status.ok()) return;
  if (!IsPassing(status)) return CannotRecover(entry, status);
  PENSTOCK_LOG(warn, "job {} cannot be taken over yet: {}", entry.job_id(), MessageOf(status));
  store_actor_.PostAfter(std::chrono::milliseconds(pause_ms),
                         [this, entry, pause_ms] { RecoverJob(entry, std::min(pause_ms * 2, kStoreRetryMaxMs)); });
}

absl::Status Dispatcher::TryRecover(const proto::JobEntry& entry) {
  JobOptions options;
  if (!actor_.Call([&] { options = job_options_; })) return absl::OkStatus();  // shutting down
  if (parts_.durable.fetch_program) PENSTOCK_RETURN_IF_ERROR(parts_.durable.fetch_program(entry.digest()));
  PENSTOCK_ASSIGN_OR_RETURN(PreparedJob prepared, PrepareRecovery(entry, options));
  absl::Status started;
  JobSubmission submission = SubmissionOf(entry);
  submission.graph = GraphToGoOnWith(entry, prepared);
  actor_.Call([&] { started = StartJob(entry.job_id(), submission, std::move(prepared)); });
  return started;
}

void Dispatcher::CannotRecover(const proto::JobEntry& entry, const absl::Status& why) {
  PENSTOCK_LOG(error, "job {} cannot be taken over: {}", entry.job_id(), MessageOf(why));
  auto snapshot = std::make_shared<JobSnapshot>(*SnapshotOf(entry));
  snapshot->state = JobState::kFailed;
  snapshot->waits_for.clear();
  snapshot->end_ms = parts_.clock.NowMs();
  snapshot->last_modified_ms = snapshot->end_ms;
  snapshot->state_entered_ms[static_cast<int>(JobState::kFailed)] = snapshot->end_ms;
  FailureSnapshot& failure = snapshot->failures.emplace_back();
  failure.time_ms = snapshot->end_ms;
  failure.failure.set_message("the job cannot go on: " + MessageOf(why));
  failure.failure.set_exception_type("RecoveryFailure");
  failure.failure.set_domain(proto::Failure::EXTERNAL);
  TryRecordEnd(
      entry.job_id(), EndOf(*snapshot), [this, snapshot] { OnJobSnapshot(snapshot, true); }, kStoreRetryMinMs);
}

}  // namespace penstock::jobmanager
