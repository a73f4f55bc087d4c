#include "jobmanager/job/job_actor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/core/status.h"

namespace penstock::jobmanager {

JobActor::JobActor(const std::string& id, JobSubmission submission, JobOptions options,
                   std::unique_ptr<RestartStrategy> strategy, std::unique_ptr<CheckpointStore> store,
                   CheckpointStart start, const Clock& clock, ClusterActor& cluster, JobListener& listener)
    : id_(id),
      checkpoint_directory_(JobDirectoryOf(submission.graph.uid())),
      clock_(clock),
      cluster_(cluster),
      listener_(listener),
      storage_options_(options.storage),
      store_(std::move(store)),
      job_(id, std::move(submission), std::move(options), std::move(strategy), std::move(start), clock, *this),
      actor_("job-" + id.substr(0, 8), clock) {}

// The store runs what is queued: decisions and deletions of a job that has ended are not cut short.
void JobActor::Stop() {
  actor_.Stop();
  if (store_ != nullptr) store_->Stop();
  if (copier_ != nullptr) copier_->Stop();
}

void JobActor::Start() {
  actor_.Post([this] {
    job_.Start();
    Tick();
  });
}

void JobActor::Cancel() {
  actor_.Post([this] { job_.Cancel(); });
}

void JobActor::OnSlotsGranted(SlotGrant grant) {
  actor_.Post([this, grant = std::move(grant)]() mutable { job_.OnSlotsGranted(std::move(grant)); });
}

void JobActor::OnSlotsShort(int32_t have) {
  actor_.Post([this, have] { job_.OnSlotsShort(have); });
}

void JobActor::OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message) {
  actor_.Post([this, from, message = std::move(message)] { job_.OnWorkerMessage(from, message); });
}

void JobActor::OnWorkerClosed(const WorkerGatewayPtr& from) {
  actor_.Post([this, from] { job_.OnWorkerClosed(from); });
}

void JobActor::OnWorkerExited(const std::string& taskmanager_id, proto::WorkerExited report) {
  actor_.Post([this, taskmanager_id, report = std::move(report)] { job_.OnWorkerExited(taskmanager_id, report); });
}

void JobActor::OnHostLost(const std::string& taskmanager_id, const std::string& reason) {
  actor_.Post([this, taskmanager_id, reason] { job_.OnHostLost(taskmanager_id, reason); });
}

absl::StatusOr<uint64_t> JobActor::RequestCheckpoint(CheckpointRequest request) {
  absl::StatusOr<uint64_t> result = absl::FailedPreconditionError("the job has ended");
  actor_.Call([&] { result = job_.RequestCheckpoint(std::move(request)); });
  return result;
}

absl::StatusOr<uint64_t> JobActor::Rescale(proto::JobGraph graph) {
  absl::StatusOr<uint64_t> result = absl::FailedPreconditionError("the job has ended");
  actor_.Call([&] { result = job_.Rescale(std::move(graph)); });
  return result;
}

void JobActor::CopySavepoint(uint64_t request, RestorePoint point, std::string directory) {
  if (copier_ == nullptr) copier_ = std::make_unique<SavepointCopier>(store_->storage(), storage_options_, clock_);
  copier_->Copy(
      std::move(point), std::move(directory),
      [this, request](int64_t copied, int64_t all) {
        actor_.Post([this, request, copied, all] { job_.OnCopyProgress(request, copied, all); });
      },
      [this, request](absl::StatusOr<std::string> location) {
        actor_.Post([this, request, location = std::move(location)] { job_.OnSavepointCopied(request, location); });
      });
}

void JobActor::RecordCommits(uint64_t request, std::string name, std::string bytes) {
  store_->Decide(
      std::move(name), std::move(bytes),
      [this, request](bool) { actor_.Post([this, request] { job_.OnCommitsRecorded(request); }); },
      [this](std::string text) { actor_.Post([this, text = std::move(text)] { job_.OnStorageTrouble(text); }); });
}

void JobActor::DecideCheckpoint(uint64_t id, std::string name, std::string bytes) {
  store_->Decide(
      std::move(name), std::move(bytes),
      [this, id](bool won) { actor_.Post([this, id, won] { job_.OnCheckpointDecided(id, won); }); },
      [this](std::string text) { actor_.Post([this, text = std::move(text)] { job_.OnStorageTrouble(text); }); });
}

void JobActor::ReadUntilItWorks(int64_t pause_ms) {
  store_->Read(checkpoint_directory_, [this, pause_ms](absl::StatusOr<StoredCheckpoints> stored) {
    actor_.Post([this, pause_ms, stored = std::move(stored)]() mutable {
      if (stored.ok()) return job_.OnCheckpointsRead(*std::move(stored));
      job_.OnStorageTrouble(MessageOf(stored.status()));
      actor_.PostAfter(std::chrono::milliseconds(pause_ms),
                       [this, pause_ms] { ReadUntilItWorks(std::min(pause_ms * 2, kStoreRetryMaxMs)); });
    });
  });
}

void JobActor::RecordEnd() {
  listener_.OnJobEnded(job_.Snapshot(), [this] { actor_.Post([this] { job_.OnEndRecorded(); }); });
}

void JobActor::StartWorker(const std::string& taskmanager_id, proto::StartWorker start) {
  cluster_.StartWorker(taskmanager_id, std::move(start));
}

void JobActor::KillWorker(const std::string& taskmanager_id, proto::KillWorker kill) {
  cluster_.KillWorker(taskmanager_id, std::move(kill));
}

void JobActor::Changed(bool urgent) {
  changed_ = true;
  if (!urgent || publish_posted_) return;
  // Behind what is queued already: a burst of reports makes one snapshot.
  publish_posted_ = actor_.Post([this] {
    publish_posted_ = false;
    Publish();
  });
}

void JobActor::Publish() {
  const bool drained = job_.Drained();
  if (!changed_ || drained_published_) return;
  if (IsTerminal(job_.state()) && !job_.end_recorded()) return;  // published when it is durable
  changed_ = false;
  published_ms_ = clock_.MonotonicMs();
  drained_published_ = drained;
  std::shared_ptr<const JobSnapshot> snapshot = job_.Snapshot();
  if (drained) cluster_.ForgetJob(snapshot->id);
  listener_.OnJobSnapshot(std::move(snapshot), drained);
}

void JobActor::Tick() {
  job_.Tick();
  if (changed_ && clock_.MonotonicMs() - published_ms_ >= kMetricsPublishMs) Publish();
  if (!job_.Drained()) actor_.PostAfter(std::chrono::milliseconds(50), [this] { Tick(); });
}

}  // namespace penstock::jobmanager
