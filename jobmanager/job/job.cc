#include "jobmanager/job/job.h"

#include <utility>

#include "jobmanager/job/job_state.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

Job::Job(std::string id, JobSubmission submission, JobOptions options, std::unique_ptr<RestartStrategy> strategy,
         CheckpointStart start, const Clock& clock, JobEffects& effects)
    : id_(std::move(id)),
      options_(std::move(options)),
      strategy_(std::move(strategy)),
      clock_(clock),
      effects_(effects),
      submission_(std::move(submission)),
      slots_needed_(SlotsNeeded(submission_.graph)),
      start_ms_(options_.submitted_ms > 0 ? options_.submitted_ms : clock.NowMs()),
      last_modified_ms_(clock.NowMs()),
      attempt_(options_.attempts_before),
      execution_(submission_.graph),
      checkpoint_start_(std::move(start)) {
  if (options_.checkpoints.enabled()) {
    checkpoints_.emplace(options_.checkpoints, submission_.graph, clock_, static_cast<CoordinatorEffects&>(*this));
  }
  if (options_.attempts_before > 0) MayStillWrite();  // workers of the JobManager before
  state_entered_ms_[static_cast<int>(state_)] = start_ms_;
}

void Job::MoveTo(JobState state) {
  if (!IsLegalTransition(state_, state)) {
    PENSTOCK_LOG(error, "job {}: illegal transition {} -> {}, ignored", id_, JobStateName(state_), JobStateName(state));
    return;
  }
  PENSTOCK_LOG(info, "job {} ({}) attempt {}: {} -> {}", id_, submission_.graph.name(), attempt_, JobStateName(state_),
               JobStateName(state));
  state_ = state;
  last_modified_ms_ = clock_.NowMs();
  state_entered_ms_.try_emplace(static_cast<int>(state), last_modified_ms_);
  effects_.Changed(true);
  if (!IsTerminal(state)) return;
  if (checkpoints_) checkpoints_->OnJobEnded();
  effects_.RecordEnd();
}

void Job::OnEndRecorded() {
  if (!IsTerminal(state_) || end_recorded_) return;
  end_recorded_ = true;
  // Only now: a JobManager that takes over before would begin without its state.
  if (checkpoints_ && state_ == JobState::kFinished) checkpoints_->DeleteAll();
  effects_.Changed(true);
}

void Job::Tick() {
  const int64_t now_ms = clock_.MonotonicMs();
  CheckHeartbeats(now_ms);
  CheckEndDeadline(now_ms);
  if (checkpoints_) {
    checkpoints_->Tick();
    AfterCoordinator();
  }
  BeginWhenSettled();
}

void Job::OnWorkerMessage(const WorkerGatewayPtr& from, const proto::WorkerToJobManager& message) {
  if (message.has_hello()) return OnHello(from, message.hello());
  std::string taskmanager_id;
  WorkerEntry* worker = workers_.Find(from.get(), &taskmanager_id);
  if (worker == nullptr || message.attempt() != attempt_) {
    ++stale_messages_;
    PENSTOCK_LOG(debug, "job {}: message of attempt {} dropped, this is attempt {}", id_, message.attempt(), attempt_);
    return;
  }
  worker->heard_ms = clock_.MonotonicMs();
  switch (message.kind_case()) {
    case proto::WorkerToJobManager::kHeartbeat:
      RememberMemory(message.heartbeat().metrics(), taskmanager_id, *worker);
      return OnHeartbeat(message.heartbeat().metrics());
    case proto::WorkerToJobManager::kTaskState:
      return OnTaskState(taskmanager_id, message.task_state());
    case proto::WorkerToJobManager::kFailure: {
      FailureSnapshot failure = JobFailure("", proto::Failure::INTERNAL, true);
      failure.failure = message.failure().failure();
      failure.taskmanager_id = taskmanager_id;
      // None of its tasks will report any more.
      execution_.SetStateOfAll(taskmanager_id, proto::FAILED, clock_.NowMs());
      return Fail(CauseOf(failure.failure), std::move(failure));
    }
    case proto::WorkerToJobManager::kCheckpointAck:
      if (checkpoints_) checkpoints_->OnAck(message.checkpoint_ack());
      return AfterCoordinator();
    case proto::WorkerToJobManager::kCheckpointDeclined:
      if (checkpoints_) checkpoints_->OnDeclined(message.checkpoint_declined());
      return AfterCoordinator();
    case proto::WorkerToJobManager::kDecisionAcked:
      if (checkpoints_) checkpoints_->OnDecisionAcked(taskmanager_id, message.decision_acked());
      return effects_.Changed(false);
    case proto::WorkerToJobManager::kOutcomeAsked:
      if (checkpoints_) checkpoints_->OnOutcomeAsked(taskmanager_id, message.outcome_asked());
      return;
    case proto::WorkerToJobManager::kHello:
    case proto::WorkerToJobManager::KIND_NOT_SET:
      return;
  }
}

void Job::RememberMemory(const proto::WorkerMetrics& metrics, const std::string& taskmanager_id, WorkerEntry& worker) {
  worker.memory = {.taskmanager_id = taskmanager_id,
                   .pid = worker.pid,
                   .grant_bytes = metrics.memory_grant_bytes(),
                   .rss_bytes = metrics.rss_bytes(),
                   .pressure = metrics.memory_pressure(),
                   .uses = {metrics.memory().begin(), metrics.memory().end()}};
}

void Job::OnHeartbeat(const proto::WorkerMetrics& metrics) {
  for (const proto::TaskMetrics& task : metrics.tasks()) execution_.SetMetrics(task);
  effects_.Changed(false);
}

void Job::OnTaskState(const std::string& taskmanager_id, const proto::TaskStateReport& report) {
  const SubtaskSnapshot* subtask = execution_.Find(report.vertex_id(), report.subtask());
  if (report.attempt() != attempt_ || subtask == nullptr || subtask->taskmanager_id != taskmanager_id) {
    ++stale_messages_;
    return;
  }
  const int64_t time_ms = report.time_ms() > 0 ? report.time_ms() : clock_.NowMs();
  // A task that fails while it is torn down tells more than one that just reports CANCELED.
  if (!execution_.SetState(report.vertex_id(), report.subtask(), report.state(), time_ms)) return;
  effects_.Changed(true);
  if (report.state() == proto::FAILED) {
    FailureSnapshot failure;
    failure.time_ms = time_ms;
    failure.failure = report.failure();
    failure.task_name = execution_.TaskName(report.vertex_id(), report.subtask());
    failure.operator_name = report.failure().operator_name();
    failure.endpoint = subtask->endpoint;
    failure.taskmanager_id = taskmanager_id;
    Fail(CauseOf(report.failure()), std::move(failure));
  }
  if (state_ == JobState::kCreated && execution_.AllHaveRun()) {
    MoveTo(JobState::kRunning);
    std::set<std::string> workers;
    for (const auto& [id, worker] : workers_.by_taskmanager) workers.insert(id);
    if (checkpoints_) checkpoints_->OnAllRunning(workers);
  }
  if (checkpoints_ && report.state() == proto::FINISHED) checkpoints_->OnTaskFinished();
  if (state_ == JobState::kRunning && execution_.AllFinished() && checkpoints_) checkpoints_->OnAllFinished();
  if (state_ == JobState::kRunning && execution_.AllFinished() && Rescaling()) {
    MoveTo(JobState::kRestarting);
    BeginEnding();
  } else if (state_ == JobState::kRunning && execution_.AllFinished()) {
    MoveTo(JobState::kFinished);
    BeginEnding();
  }
  AfterCoordinator();
  if (Ending()) ShutDownWhenEnded(taskmanager_id);
}

void Job::OnWorkerClosed(const WorkerGatewayPtr& from) {
  std::string taskmanager_id;
  WorkerEntry* worker = workers_.Find(from.get(), &taskmanager_id);
  // If the process died its host says so at once; if only the connection broke it comes back or is overdue.
  if (worker != nullptr) worker->gateway = nullptr;
}

proto::JobManagerToWorker Job::MessageToWorker() const {
  proto::JobManagerToWorker message;
  message.set_job_id(id_);
  message.set_attempt(attempt_);
  message.set_leader_epoch(options_.leader_epoch);
  return message;
}

void Job::Kill(const std::string& taskmanager_id, bool force) {
  proto::KillWorker kill;
  kill.set_job_id(id_);
  kill.set_attempt(attempt_);
  kill.set_force(force);
  if (const auto at = workers_.by_taskmanager.find(taskmanager_id); at != workers_.by_taskmanager.end()) {
    at->second.killed = true;
  }
  effects_.KillWorker(taskmanager_id, std::move(kill));
}

std::shared_ptr<const JobSnapshot> Job::Snapshot() const {
  auto snapshot = std::make_shared<JobSnapshot>();
  snapshot->id = id_;
  snapshot->name = submission_.graph.name();
  snapshot->uid = submission_.graph.uid();
  snapshot->state = state_;
  snapshot->state_entered_ms = state_entered_ms_;
  snapshot->start_ms = start_ms_;
  if (IsTerminal(state_)) snapshot->end_ms = state_entered_ms_.at(static_cast<int>(state_));
  snapshot->last_modified_ms = last_modified_ms_;
  snapshot->attempt = attempt_;
  snapshot->parallelism = submission_.graph.parallelism();
  snapshot->digest = submission_.digest;
  snapshot->is_bundle = submission_.is_bundle;
  snapshot->arguments = submission_.arguments;
  if (waits_for_slots_) {
    snapshot->waits_for = fmt::format("waiting for {} slots: have {}", slots_needed_, slots_have_);
  } else if (state_ == JobState::kRestarting && restart_at_ms_) {
    snapshot->waits_for = "waiting for the restart delay to pass";
  }
  if (!StorageSettled() && !storage_trouble_.empty()) {
    snapshot->waits_for = "waiting for checkpoint storage: " + storage_trouble_;
  }
  if (checkpoints_) {
    auto view = std::make_shared<CheckpointsView>();
    view->config = options_.checkpoints;
    view->counts = checkpoints_->counts();
    view->history.assign(checkpoints_->history().begin(), checkpoints_->history().end());
    view->requests.assign(checkpoints_->requests().begin(), checkpoints_->requests().end());
    view->restored = attempt_restored_;
    view->restored_ms = attempt_began_ms_;
    view->latest = checkpoints_->restore_point();
    snapshot->checkpoints = std::move(view);
  }
  snapshot->graph = submission_.graph;
  snapshot->vertices = execution_.vertices();
  for (const auto& [id, worker] : workers_.by_taskmanager) {
    if (!worker.memory.uses.empty()) snapshot->worker_memory.push_back(worker.memory);
  }
  snapshot->failures = failures_.List();
  return snapshot;
}

}  // namespace penstock::jobmanager
