// From the request for slots to tasks that run.
#include <utility>

#include "jobmanager/job/job.h"
#include "runtime/core/lease.h"
#include "runtime/core/log.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {

void Job::Start() {
  started_ = true;
  if (checkpoints_) checkpoints_->Start(std::move(checkpoint_start_));
  BeginWhenSettled();
}

// What the next attempt begins from must be known: the outcome of a checkpoint may still be open.
void Job::BeginWhenSettled() {
  if (!started_ || !StorageSettled()) return;
  if (clock_.MonotonicMs() < lost_workers_until_ms_ && HasUnfencedSink()) return;
  if (state_ == JobState::kInitializing) return BeginAttempt();  // else it was cancelled before it began
  if (state_ == JobState::kRestarting && restart_at_ms_ && clock_.MonotonicMs() >= *restart_at_ms_) {
    restart_at_ms_.reset();
    BeginAttempt();
  }
}

// A worker that counts as gone but was not seen to end goes on for a lease at most.
void Job::MayStillWrite() {
  lost_workers_until_ms_ = clock_.MonotonicMs() + WorkerLeaseMs(options_.heartbeat_timeout_ms);
}

bool Job::HasUnfencedSink() const {
  for (const proto::Vertex& vertex : submission_.graph.vertices()) {
    for (const proto::Operator& op : vertex.operators()) {
      if (op.unfenced()) return true;
    }
  }
  return false;
}

void Job::BeginAttempt() {
  ++attempt_;
  attempt_began_ms_ = clock_.NowMs();
  if (Rescaling()) TakeRescaledGraph();
  rescale_.reset();  // one whose checkpoint came to nothing is given up
  deployed_ = false;
  end_forced_ = false;
  end_deadline_ms_.reset();
  workers_ = {};
  execution_.BeginAttempt(attempt_, clock_.NowMs());
  if (checkpoints_) {
    checkpoints_->BeginAttempt(attempt_);
    attempt_restored_ = checkpoints_->restore_point();
  }
  waits_for_slots_ = true;
  slots_have_ = 0;
  MoveTo(JobState::kCreated);
  effects_.RequestSlots(slots_needed_);
}

void Job::OnSlotsShort(int32_t have) {
  if (!waits_for_slots_) return;
  slots_have_ = have;
  effects_.Changed(true);
}

void Job::OnSlotsGranted(SlotGrant grant) {
  if (!waits_for_slots_) return effects_.ReleaseSlots();  // it was cancelled while the grant was on its way
  waits_for_slots_ = false;
  workers_.token = RandomHex(16);
  const int64_t now_ms = clock_.NowMs();
  for (auto& [taskmanager_id, slots] : grant.shares) {
    WorkerEntry& worker = workers_.by_taskmanager[taskmanager_id];
    worker.slots = std::move(slots);
    worker.heard_ms = clock_.MonotonicMs();
    for (const proto::SubtaskRef& ref : SubtasksOf(submission_.graph, worker.slots)) {
      execution_.Assign(ref, taskmanager_id);
    }
  }
  execution_.SetStateOfAll("", proto::SCHEDULED, now_ms);
  for (const auto& [taskmanager_id, worker] : workers_.by_taskmanager) {
    effects_.StartWorker(taskmanager_id, StartMessage(taskmanager_id, worker, grant.hosts.at(taskmanager_id)));
  }
  effects_.Changed(true);
}

proto::StartWorker Job::StartMessage(const std::string& taskmanager_id, const WorkerEntry& worker,
                                     const proto::HostHello& host) const {
  proto::StartWorker start;
  start.set_job_id(id_);
  start.set_attempt(attempt_);
  start.set_digest(submission_.digest);
  start.set_is_bundle(submission_.is_bundle);
  start.set_job_name(submission_.graph.name());
  proto::WorkerSpec& spec = *start.mutable_spec();
  spec.set_job_id(id_);
  spec.set_attempt(attempt_);
  spec.set_jobmanager_address(options_.jobmanager_address);
  spec.set_token(workers_.token);
  spec.set_leader_epoch(options_.leader_epoch);
  spec.set_taskmanager_id(taskmanager_id);
  spec.set_data_host(host.data_host());
  for (const std::string& argument : submission_.arguments) spec.add_arguments(argument);
  spec.set_parallelism(submission_.graph.parallelism());
  spec.set_graph_hash(submission_.graph.hash());
  for (const auto& [key, value] : options_.worker_config) (*spec.mutable_config())[key] = value;
  for (const auto& [key, value] : submission_.config) (*spec.mutable_config())[key] = value;
  const auto slots = static_cast<int32_t>(worker.slots.size());
  spec.set_slots(slots);
  if (host.slots() > 0) spec.set_memory_grant_bytes(host.memory_limit_bytes() / host.slots() * slots);
  return start;
}

// Nothing: welcome.
std::optional<Job::Refusal> Job::RefusalOf(const proto::WorkerHello& hello) const {
  const auto worker = workers_.by_taskmanager.find(hello.taskmanager_id());
  if (hello.attempt() != attempt_ || worker == workers_.by_taskmanager.end()) {
    return Refusal{fmt::format("attempt {} of job {} is not to run on {}: attempt {} is the current one",
                               hello.attempt(), id_, hello.taskmanager_id(), attempt_),
                   false};
  }
  if (hello.token() != workers_.token) {
    return Refusal{fmt::format("the token is not that of job {} attempt {}", id_, attempt_), false};
  }
  if (worker->second.phase == WorkerPhase::kGone) {
    return Refusal{fmt::format("the worker of job {} on {} counts as lost", id_, hello.taskmanager_id()), false};
  }
  if (hello.control_version() != kControlVersion) {
    return Refusal{
        fmt::format(
            "the job program speaks control version {}, the JobManager {}: build the job with the cluster's version",
            hello.control_version(), kControlVersion),
        true};
  }
  // A worker without a data address could not build its graph; the failure that says why follows its hello.
  if (!hello.data_address().empty() && hello.graph_hash() != submission_.graph.hash()) {
    return Refusal{fmt::format("the worker built another graph (hash {}) than was submitted (hash {}): the job must "
                               "build the same graph from the same arguments on every machine",
                               hello.graph_hash(), submission_.graph.hash()),
                   true};
  }
  return std::nullopt;
}

void Job::OnHello(const WorkerGatewayPtr& from, const proto::WorkerHello& hello) {
  const std::optional<Refusal> refusal = RefusalOf(hello);
  proto::JobManagerToWorker reply = MessageToWorker();
  proto::WorkerWelcome* welcome = reply.mutable_welcome();
  welcome->set_heartbeat_interval_ms(options_.heartbeat_interval_ms);
  welcome->set_heartbeat_timeout_ms(options_.heartbeat_timeout_ms);
  if (refusal) welcome->set_refusal(refusal->reason);
  from->Send(reply);
  if (refusal) {
    PENSTOCK_LOG(warn, "job {}: worker of {} refused: {}", id_, hello.taskmanager_id(), refusal->reason);
    from->Close();
    if (!refusal->fails_job) {
      ++stale_messages_;
      return;
    }
    FailureSnapshot failure = JobFailure(refusal->reason, proto::Failure::USER, false);
    failure.failure.set_exception_type("GraphMismatch");
    failure.taskmanager_id = hello.taskmanager_id();
    return Fail(Cause::kPrimary, std::move(failure));
  }
  WorkerEntry& worker = workers_.by_taskmanager.at(hello.taskmanager_id());
  const bool reconnected = worker.phase != WorkerPhase::kStarting;
  if (worker.gateway != nullptr && worker.gateway != from) worker.gateway->Close();
  worker.gateway = from;
  worker.heard_ms = clock_.MonotonicMs();
  worker.pid = hello.pid();
  if (!reconnected) {
    worker.data_address = hello.data_address();
    worker.phase = WorkerPhase::kReady;
    execution_.SetEndpoint(hello.taskmanager_id(), hello.data_address());
  }
  effects_.Changed(true);
  if (Ending()) return EndWorker(hello.taskmanager_id(), worker);
  if (hello.data_address().empty()) return;
  if (deployed_) {
    SendDeploy(hello.taskmanager_id());  // a worker that has it already ignores it
    if (checkpoints_ && reconnected) checkpoints_->OnWorkerBack(hello.taskmanager_id());
    return;
  }
  DeployWhenReady();
}

void Job::DeployWhenReady() {
  if (deployed_ || !workers_.AllReady()) return;
  deployed_ = true;
  execution_.SetStateOfAll("", proto::DEPLOYING, clock_.NowMs());
  for (const auto& [taskmanager_id, worker] : workers_.by_taskmanager) SendDeploy(taskmanager_id);
  effects_.Changed(true);
}

void Job::SendDeploy(const std::string& taskmanager_id) {
  proto::JobManagerToWorker message = MessageToWorker();
  proto::DeployTasks* deploy = message.mutable_deploy();
  if (checkpoints_) *deploy->mutable_checkpoints() = checkpoints_->Plan();
  for (const auto& [id, worker] : workers_.by_taskmanager) {
    if (id == taskmanager_id) deploy->set_own_index(deploy->placements_size());
    const int32_t index = deploy->placements_size();
    proto::WorkerPlacement* placement = deploy->add_placements();
    placement->set_worker_id(id);
    placement->set_data_address(worker.data_address);
    placement->set_index(index);
    for (proto::SubtaskRef& ref : SubtasksOf(submission_.graph, worker.slots)) {
      *placement->add_subtasks() = std::move(ref);
    }
  }
  // Lost when the worker is disconnected just now: it is sent again after its next hello.
  const WorkerGatewayPtr& gateway = workers_.by_taskmanager.at(taskmanager_id).gateway;
  if (gateway != nullptr) gateway->Send(message);
}

}  // namespace penstock::jobmanager
