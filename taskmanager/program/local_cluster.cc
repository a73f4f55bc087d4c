#include "taskmanager/program/local_cluster.h"

#include <utility>

#include "runtime/core/status.h"

namespace penstock::taskmanager {

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(LocalClusterOptions options,
                                                                  worker::ExecutorFactory factory, const Clock& clock) {
  if (options.taskmanagers < 0 || options.slots_per_taskmanager < 1) {
    return InvalidArgument("a local cluster of {} TaskManagers with {} slots is not possible", options.taskmanagers,
                           options.slots_per_taskmanager);
  }
  options.job.jobmanager_address = "in-process";
  PENSTOCK_ASSIGN_OR_RETURN(auto job_manager, jobmanager::JobManager::Create({.job = options.job}, clock));
  const int32_t taskmanagers = options.taskmanagers;
  const int32_t slots = options.slots_per_taskmanager;
  std::unique_ptr<LocalCluster> cluster(
      new LocalCluster(std::move(options), std::move(factory), clock, std::move(job_manager)));
  for (int32_t i = 0; i < taskmanagers; ++i) cluster->AddTaskManager(slots);
  return cluster;
}

LocalCluster::LocalCluster(LocalClusterOptions options, worker::ExecutorFactory factory, const Clock& clock,
                           std::unique_ptr<jobmanager::JobManager> job_manager)
    : options_(std::move(options)),
      factory_(std::move(factory)),
      clock_(clock),
      job_manager_(std::move(job_manager)),
      transport_(job_manager_->control()) {}

LocalCluster::~LocalCluster() {
  std::map<std::string, std::unique_ptr<InProcessHost>> hosts;
  {
    MutexLock lock(&mutex_);
    hosts.swap(hosts_);
  }
  hosts.clear();
  job_manager_->Stop();
}

std::string LocalCluster::AddTaskManager(int32_t slots) {
  MutexLock lock(&mutex_);
  const std::string id = fmt::format("local-{}", ++hosts_made_);
  hosts_[id] = std::make_unique<InProcessHost>(
      InProcessHostOptions{.taskmanager_id = id,
                           .slots = slots,
                           .memory_limit_bytes = options_.memory_limit_bytes,
                           .heartbeat_interval_ms = options_.job.heartbeat_interval_ms,
                           .cancellation_timeout_ms = options_.job.cancellation_timeout_ms},
      factory_, transport_, clock_);
  return id;
}

void LocalCluster::StopTaskManager(const std::string& id) {
  std::unique_ptr<InProcessHost> host;
  MutexLock lock(&mutex_);
  if (const auto at = hosts_.find(id); at != hosts_.end()) {
    host = std::move(at->second);
    hosts_.erase(at);
  }
}

void LocalCluster::MuteTaskManager(const std::string& id) {
  MutexLock lock(&mutex_);
  if (const auto at = hosts_.find(id); at != hosts_.end()) at->second->Mute();
}

absl::StatusOr<std::string> LocalCluster::Submit(const proto::JobGraph& graph, std::vector<std::string> arguments,
                                                 std::map<std::string, std::string> config) {
  jobmanager::JobSubmission submission;
  submission.graph = graph;
  submission.arguments = std::move(arguments);
  submission.config = std::move(config);
  return commands().Submit(submission);
}

std::shared_ptr<const jobmanager::JobSnapshot> LocalCluster::Job(const std::string& job_id) const {
  const auto snapshot = snapshots().Get();
  for (const auto& job : snapshot->jobs) {
    if (job->id == job_id) return job;
  }
  return nullptr;
}

absl::Status LocalCluster::AwaitEnd(const std::string& job_id, std::chrono::milliseconds timeout) {
  const int64_t deadline_ms = Clock::System().MonotonicMs() + timeout.count();
  while (true) {
    const auto seen = snapshots().Get();
    const auto job = Job(job_id);
    if (job == nullptr) return NotFound("job {} is unknown", job_id);
    switch (job->state) {
      case jobmanager::JobState::kFinished:
        return absl::OkStatus();
      case jobmanager::JobState::kCanceled:
        return Cancelled("job {} was cancelled", job->name);
      case jobmanager::JobState::kFailed:
        return Aborted("{}", RootFailureText(*job));
      default:
        break;
    }
    const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
    if (left_ms <= 0) {
      return DeadlineExceeded("job {} is still {} after {} ms", job->name, JobStateName(job->state), timeout.count());
    }
    snapshots().AwaitChange(seen, std::chrono::milliseconds(left_ms));
  }
}

std::string RootFailureText(const jobmanager::JobSnapshot& job) {
  if (job.failures.empty()) return fmt::format("job {} failed", job.name);
  const jobmanager::FailureSnapshot& root = job.failures.front();
  return fmt::format("{}{}{}", root.task_name, root.task_name.empty() ? "" : ": ", root.failure.message());
}

}  // namespace penstock::taskmanager
