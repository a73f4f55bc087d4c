// Failure, cancellation, restart and the end of a job.
#include <csignal>
#include <cstring>
#include <utility>

#include "jobmanager/job/graph_check.h"
#include "jobmanager/job/job.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

std::string LastLineOf(const std::string& text) {
  const size_t end = text.find_last_not_of("\n\r ");
  if (end == std::string::npos) return "";
  const size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

std::string DescribeExit(const proto::WorkerExited& report) {
  const std::string last_line = LastLineOf(report.stderr_tail());
  if (report.start_failed()) return fmt::format("the job program could not be started: {}", report.stderr_tail());
  if (report.signal() == SIGKILL) {
    return "worker process was killed by signal 9 (SIGKILL), by the kernel for want of memory or by somebody; there is "
           "no stack";
  }
  if (report.signal() != 0) {
    const char* abbreviation = sigabbrev_np(report.signal());
    return fmt::format("worker process was ended by signal {} (SIG{})", report.signal(),
                       abbreviation == nullptr ? "?" : abbreviation);
  }
  return fmt::format("worker process ended with exit code {}{}{}", report.exit_code(), last_line.empty() ? "" : ": ",
                     last_line);
}

}  // namespace

FailureSnapshot Job::JobFailure(std::string message, proto::Failure::Domain domain, bool retryable) const {
  FailureSnapshot failure;
  failure.time_ms = clock_.NowMs();
  failure.failure.set_message(std::move(message));
  failure.failure.set_domain(domain);
  failure.failure.set_retryable(retryable);
  return failure;
}

void Job::Fail(Cause cause, FailureSnapshot failure) {
  if (IsTerminal(state_)) return;
  PENSTOCK_LOG(warn, "job {} attempt {}: {}{}{}", id_, attempt_, failure.task_name,
               failure.task_name.empty() ? "" : ": ", failure.failure.message());
  const bool final_failure = failure.failure.domain() == proto::Failure::USER && !failure.failure.retryable();
  failures_.Add(attempt_, cause, std::move(failure));
  effects_.Changed(true);
  if (state_ == JobState::kCreated || state_ == JobState::kRunning) {
    MoveTo(!final_failure && strategy_->CanRestart() ? JobState::kRestarting : JobState::kFailing);
    BeginEnding();
  } else if (state_ == JobState::kRestarting && final_failure) {
    MoveTo(JobState::kFailing);
  }
}

void Job::Cancel() {
  if (IsTerminal(state_) || state_ == JobState::kFailing || state_ == JobState::kCancelling) return;
  MoveTo(JobState::kCancelling);
  restart_at_ms_.reset();
  BeginEnding();
}

// Every worker is asked to stop its tasks and leave. Idempotent.
void Job::BeginEnding() {
  waits_for_slots_ = false;
  if (checkpoints_) checkpoints_->EndAttempt("the attempt has ended");
  if (!end_deadline_ms_) end_deadline_ms_ = clock_.MonotonicMs() + options_.cancellation_timeout_ms + kEndSlackMs;
  if (state_ != JobState::kFinished) execution_.SetStateOfAll("", proto::CANCELING, clock_.NowMs());
  for (auto& [taskmanager_id, worker] : workers_.by_taskmanager) EndWorker(taskmanager_id, worker);
  EndAttemptWhenGone();
}

void Job::EndWorker(const std::string& taskmanager_id, WorkerEntry& worker) {
  if (worker.phase == WorkerPhase::kGone) return;
  if (worker.phase == WorkerPhase::kStarting) return Kill(taskmanager_id, false);
  if (!deployed_ || worker.phase == WorkerPhase::kShuttingDown || execution_.AllEnded(taskmanager_id)) {
    worker.phase = WorkerPhase::kShuttingDown;
    proto::JobManagerToWorker message = MessageToWorker();
    message.mutable_shut_down();
    if (worker.gateway != nullptr) worker.gateway->Send(message);
    return;
  }
  proto::JobManagerToWorker message = MessageToWorker();
  message.mutable_cancel();
  if (worker.gateway != nullptr) worker.gateway->Send(message);
}

void Job::ShutDownWhenEnded(const std::string& taskmanager_id) {
  const auto at = workers_.by_taskmanager.find(taskmanager_id);
  if (at == workers_.by_taskmanager.end() || at->second.phase != WorkerPhase::kReady) return;
  if (execution_.AllEnded(taskmanager_id)) EndWorker(taskmanager_id, at->second);
}

void Job::OnWorkerExited(const std::string& taskmanager_id, const proto::WorkerExited& report) {
  const auto at = workers_.by_taskmanager.find(taskmanager_id);
  if (report.attempt() != attempt_ || at == workers_.by_taskmanager.end() || at->second.phase == WorkerPhase::kGone) {
    ++stale_messages_;
    return;
  }
  const bool told_to_leave = at->second.phase == WorkerPhase::kShuttingDown;
  const bool clean = report.exit_code() == 0 && report.signal() == 0 && !report.start_failed();
  // What a worker does after it was killed or told to leave is no failure of the job, unless it crashes by itself. A
  // SIGKILL that nobody here asked for is the cause, though its peers may have complained first.
  const bool ended_by_us =
      Ending() && (report.signal() == SIGTERM || (report.signal() == SIGKILL && at->second.killed));
  const bool expected = clean ? told_to_leave || Ending() : ended_by_us;
  const bool host_took_it = report.host_leaves() && !clean && !at->second.killed && state_ != JobState::kCancelling;
  if (host_took_it) return OnHostLost(taskmanager_id, "it was shut down");
  if (!expected) {
    FailureSnapshot failure = JobFailure(DescribeExit(report), proto::Failure::EXTERNAL, true);
    // Nothing but another program changes that this one cannot be started.
    if (report.start_failed()) {
      failure.failure.set_domain(proto::Failure::USER);
      failure.failure.set_retryable(false);
    }
    failure.failure.set_exception_type(report.start_failed() ? "StartFailed" : "WorkerExited");
    std::string stack = report.stack();
    if (!report.stderr_tail().empty() && !report.start_failed()) {
      stack += fmt::format("{}last lines of its stderr:\n{}", stack.empty() ? "" : "\n", report.stderr_tail());
    }
    failure.failure.set_stack(std::move(stack));
    failure.failure.set_operator_name(report.operator_name());
    failure.operator_name = report.operator_name();
    failure.task_name = report.task_name();
    failure.endpoint = at->second.data_address;
    failure.taskmanager_id = taskmanager_id;
    Fail(Cause::kPrimary, std::move(failure));
  }
  WorkerGone(taskmanager_id, expected ? proto::CANCELED : proto::FAILED);
}

void Job::OnHostLost(const std::string& taskmanager_id, const std::string& reason) {
  const auto at = workers_.by_taskmanager.find(taskmanager_id);
  if (at == workers_.by_taskmanager.end() || at->second.phase == WorkerPhase::kGone) return;
  FailureSnapshot failure =
      JobFailure(fmt::format("TaskManager {} is lost: {}", taskmanager_id, reason), proto::Failure::EXTERNAL, true);
  failure.failure.set_exception_type("TaskManagerLost");
  failure.taskmanager_id = taskmanager_id;
  failure.endpoint = at->second.data_address;
  MayStillWrite();
  Fail(Cause::kPrimary, std::move(failure));
  WorkerGone(taskmanager_id, proto::FAILED);
}

void Job::WorkerGone(const std::string& taskmanager_id, proto::TaskState final_state) {
  WorkerEntry& worker = workers_.by_taskmanager.at(taskmanager_id);
  worker.phase = WorkerPhase::kGone;
  if (worker.gateway != nullptr) worker.gateway->Close();
  worker.gateway = nullptr;
  execution_.SetStateOfAll(taskmanager_id, final_state, clock_.NowMs());
  effects_.Changed(true);
  EndAttemptWhenGone();
}

void Job::EndAttemptWhenGone() {
  if (!Ending() || !end_deadline_ms_ || !workers_.AllGone()) return;
  end_deadline_ms_.reset();
  if (state_ != JobState::kFinished) execution_.SetStateOfAll("", proto::CANCELED, clock_.NowMs());
  effects_.ReleaseSlots();
  effects_.Changed(true);
  switch (state_) {
    case JobState::kCancelling:
      return MoveTo(JobState::kCanceled);
    case JobState::kFailing:
      return MoveTo(JobState::kFailed);
    case JobState::kRestarting:
      return RestartOrFail();
    default:
      return;
  }
}

// Goes back to an older checkpoint where that repeats no output of an exactly-once sink; else the attempt's failure
// becomes one that is not retried.
void Job::AfterDamagedCheckpoint() {
  const std::optional<RestorePoint> damaged = attempt_restored_;
  const bool may_repeat = !HasExactlyOnceSink(submission_.graph) || submission_.restore.allow_duplicates;
  switch (checkpoints_->OnCheckpointDamaged(may_repeat)) {
    case AfterDamage::kSameAgain:
      return;
    case AfterDamage::kOlder:
      PENSTOCK_LOG(error, "job {}: checkpoint {} cannot be read, the next attempt begins from checkpoint {}", id_,
                   damaged->id, checkpoints_->restore_point()->id);
      return;
    case AfterDamage::kNothingLeft:
      break;
  }
  const std::optional<FailureSnapshot> root = failures_.RootOf(attempt_);
  FailureSnapshot failure = JobFailure(
      fmt::format("checkpoint {} cannot be read: {}; {}", damaged->id, root->failure.message(),
                  may_repeat ? "no older one is kept. Mend the storage and say --resume, or --allow-empty to begin "
                               "without state"
                             : "beginning from an older one would write again what an exactly-once sink has committed "
                               "since. Mend the storage and say --resume, or take that in: run -s PATH "
                               "--allow-duplicates"),
      proto::Failure::USER, false);
  failure.failure.set_exception_type("CheckpointDamaged");
  failure.failure.set_operator_name(root->failure.operator_name());
  failure.time_ms = root->time_ms - 1;  // what the user is told first
  failures_.Add(attempt_, Cause::kPrimary, std::move(failure));
}

// All reports of the attempt are in: only now is its root cause known.
void Job::RestartOrFail() {
  if (Rescaling() && !failures_.RootOf(attempt_)) {
    restart_at_ms_ = clock_.MonotonicMs();  // no failure
    return;
  }
  if (checkpoints_ && failures_.CheckpointWasDamaged(attempt_)) AfterDamagedCheckpoint();
  const std::optional<FailureSnapshot> root = failures_.RootOf(attempt_);
  const bool retryable = !root || root->failure.domain() != proto::Failure::USER || root->failure.retryable();
  const std::optional<int64_t> delay_ms =
      retryable ? strategy_->OnFailure(clock_.MonotonicMs()) : std::optional<int64_t>();
  if (!delay_ms) {
    MoveTo(JobState::kFailing);
    return MoveTo(JobState::kFailed);
  }
  PENSTOCK_LOG(info, "job {}: next attempt in {} ms", id_, *delay_ms);
  restart_at_ms_ = clock_.MonotonicMs() + *delay_ms;
}

void Job::CheckHeartbeats(int64_t now_ms) {
  if (Ending()) return;
  for (const auto& [taskmanager_id, worker] : workers_.by_taskmanager) {
    const bool starting = worker.phase == WorkerPhase::kStarting;
    if (!starting && worker.phase != WorkerPhase::kReady) continue;
    const int64_t timeout_ms = starting ? options_.worker_start_timeout_ms : options_.heartbeat_timeout_ms;
    if (now_ms - worker.heard_ms <= timeout_ms) continue;
    FailureSnapshot failure = JobFailure(fmt::format("no {} from the worker on {} for {} ms",
                                                     starting ? "hello" : "heartbeat", taskmanager_id, timeout_ms),
                                         proto::Failure::EXTERNAL, true);
    failure.failure.set_exception_type("HeartbeatTimeout");
    failure.taskmanager_id = taskmanager_id;
    failure.endpoint = worker.data_address;
    const std::string silent = taskmanager_id;
    Fail(Cause::kSecondary, std::move(failure));
    return Kill(silent, true);  // it would not hear a request to cancel
  }
}

void Job::CheckEndDeadline(int64_t now_ms) {
  if (!end_deadline_ms_ || now_ms < *end_deadline_ms_) return;
  end_deadline_ms_ = now_ms + kEndSlackMs;
  const bool give_up = end_forced_;
  end_forced_ = true;
  for (auto& [taskmanager_id, worker] : workers_.by_taskmanager) {
    if (worker.phase == WorkerPhase::kGone) continue;
    PENSTOCK_LOG(warn, "job {} attempt {}: worker on {} did not leave{}", id_, attempt_, taskmanager_id,
                 give_up ? ", it counts as gone" : ": its host is asked to kill it");
    if (give_up) {
      worker.phase = WorkerPhase::kGone;
      MayStillWrite();
    } else {
      Kill(taskmanager_id, true);
    }
  }
  EndAttemptWhenGone();
}

}  // namespace penstock::jobmanager
