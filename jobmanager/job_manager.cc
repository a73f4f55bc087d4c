#include "jobmanager/job_manager.h"

#include <utility>

#include "jobmanager/cluster/cluster_actor.h"
#include "jobmanager/dispatcher/dispatcher.h"
#include "jobmanager/dispatcher/job_directory.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

// Routes between the actors: what hosts, workers and the cluster actor say goes to the actor it is meant for.
struct JobManager::Parts final : ControlService, ClusterListener {
  Parts(JobManagerOptions options, const Clock& clock)
      : cluster({options.job.heartbeat_interval_ms, options.job.heartbeat_timeout_ms, options.job.leader_epoch}, clock,
                *this),
        leader_epoch(options.job.leader_epoch),
        dispatcher(options.job, {clock, cluster, directory, snapshots, options.programs, options.durable}) {}

  void OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message) override {
    cluster.OnHostMessage(from, std::move(message));
  }
  void OnHostClosed(const HostGatewayPtr& from, bool orderly) override { cluster.OnHostClosed(from, orderly); }

  void OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message) override {
    const auto job = directory.Find(message.job_id());
    if (job != nullptr) {
      if (message.has_hello()) directory.BindWorker(from.get(), message.job_id());
      return job->OnWorkerMessage(from, std::move(message));
    }
    proto::JobManagerToWorker reply;
    reply.set_job_id(message.job_id());
    reply.set_attempt(message.attempt());
    reply.set_leader_epoch(leader_epoch);
    reply.mutable_welcome()->set_refusal(fmt::format("job {} does not run on this JobManager", message.job_id()));
    from->Send(reply);
    from->Close();
  }
  void OnWorkerClosed(const WorkerGatewayPtr& from) override {
    const auto job = directory.Find(directory.UnbindWorker(from.get()));
    if (job != nullptr) job->OnWorkerClosed(from);
  }

  void OnSlotsGranted(const std::string& job_id, SlotGrant grant) override {
    if (const auto job = directory.Find(job_id)) return job->OnSlotsGranted(std::move(grant));
    cluster.ReleaseSlots(job_id);
  }
  void OnSlotsShort(const std::string& job_id, int32_t have) override {
    if (const auto job = directory.Find(job_id)) job->OnSlotsShort(have);
  }
  void OnWorkerExited(const std::string& taskmanager_id, proto::WorkerExited report) override {
    if (const auto job = directory.Find(report.job_id())) job->OnWorkerExited(taskmanager_id, std::move(report));
  }
  void OnHostLost(const std::string& job_id, const std::string& taskmanager_id, const std::string& reason) override {
    if (const auto job = directory.Find(job_id)) job->OnHostLost(taskmanager_id, reason);
  }
  void OnTaskManagers(std::vector<TaskManagerSnapshot> taskmanagers) override {
    dispatcher.OnTaskManagers(std::move(taskmanagers));
  }

  SnapshotHolder snapshots;
  JobDirectory directory;
  ClusterActor cluster;
  const uint64_t leader_epoch;
  Dispatcher dispatcher;
};

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Create(JobManagerOptions options, const Clock& clock) {
  PENSTOCK_RETURN_IF_ERROR(MakeRestartStrategy(options.job.restart).status());
  const JobOptions& job = options.job;
  if (job.heartbeat_interval_ms < 1 || job.heartbeat_timeout_ms <= job.heartbeat_interval_ms) {
    return InvalidArgument("heartbeat.timeout ({} ms) must be longer than heartbeat.interval ({} ms)",
                           job.heartbeat_timeout_ms, job.heartbeat_interval_ms);
  }
  if (job.cancellation_timeout_ms < 0) return InvalidArgument("task.cancellation.timeout is negative");
  return std::unique_ptr<JobManager>(new JobManager(std::make_unique<Parts>(std::move(options), clock)));
}

JobManager::JobManager(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

JobManager::~JobManager() { Stop(); }

void JobManager::Stop() {
  parts_->cluster.Stop();
  parts_->dispatcher.Stop();
}

void JobManager::SetWorkerAddress(const std::string& address) { parts_->dispatcher.SetWorkerAddress(address); }

void JobManager::Recover(StoredJobs jobs) { parts_->dispatcher.Recover(std::move(jobs)); }

Commands& JobManager::commands() { return parts_->dispatcher; }
ControlService& JobManager::control() { return *parts_; }
const SnapshotHolder& JobManager::snapshots() const { return parts_->snapshots; }

}  // namespace penstock::jobmanager
