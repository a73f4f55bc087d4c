#include "taskmanager/worker/worker_control.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "runtime/core/lease.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"
#include "taskmanager/worker/exit_codes.h"

namespace penstock::worker {
namespace {

bool HasEnded(proto::TaskState state) {
  return state == proto::FINISHED || state == proto::CANCELED || state == proto::FAILED;
}

}  // namespace

WorkerControl::WorkerControl(proto::WorkerSpec spec, WorkerControlOptions options,
                             taskmanager::ControlTransport& transport, const Clock& clock)
    : spec_(std::move(spec)),
      options_(std::move(options)),
      transport_(transport),
      clock_(clock),
      leader_epoch_(spec_.leader_epoch()) {}

WorkerControl::~WorkerControl() = default;

void WorkerControl::Stop() {
  MutexLock lock(&mutex_);
  stop_ = true;
  wake_.NotifyAll();
}

int WorkerControl::Run(const ExecutorFactory& factory) {
  auto made = factory(spec_, *this);
  if (made.ok()) {
    executor_ = *std::move(made);
  } else {
    PENSTOCK_LOG(error, "job {} attempt {}: {}", spec_.job_id(), spec_.attempt(), MessageOf(made.status()));
    ReportStartFailure(made.status());
  }
  heard_ms_ = clock_.MonotonicMs();
  Connect();
  while (!exit_code_) Loop();
  return Leave();
}

void WorkerControl::Loop() {
  int64_t until_ms = stream_ != nullptr ? next_heartbeat_ms_ : next_connect_ms_;
  if (cancel_deadline_ms_) until_ms = std::min(until_ms, *cancel_deadline_ms_);
  WaitForWork(until_ms);
  std::deque<proto::JobManagerToWorker> messages;
  {
    MutexLock lock(&mutex_);
    messages.swap(inbox_);
    if (stop_) Finish(kExitDone);
  }
  const int64_t now_ms = clock_.MonotonicMs();
  if (!messages.empty()) heard_ms_ = now_ms;
  for (const proto::JobManagerToWorker& message : messages) Handle(message);
  CheckConnection(now_ms);
  FlushReports();
  Heartbeat(now_ms);
  CheckCancel(now_ms);
}

void WorkerControl::WaitForWork(int64_t until_ms) {
  MutexLock lock(&mutex_);
  const bool unsent = (reports_sent_ < reports_.size() || !outbox_.empty()) && welcomed_;
  if (!inbox_.empty() || stop_ || closed_ || unsent) return;
  const int64_t wait_ms = until_ms - clock_.MonotonicMs();
  if (wait_ms > 0) wake_.WaitFor(&mutex_, std::chrono::milliseconds(wait_ms));
}

proto::WorkerToJobManager WorkerControl::Message() const {
  proto::WorkerToJobManager message;
  message.set_job_id(spec_.job_id());
  message.set_attempt(spec_.attempt());
  return message;
}

void WorkerControl::Connect() {
  stream_ = transport_.ConnectWorker(*this);
  SendHello();
}

void WorkerControl::SendHello() {
  proto::WorkerToJobManager message = Message();
  proto::WorkerHello& hello = *message.mutable_hello();
  hello.set_control_version(kControlVersion);
  hello.set_job_id(spec_.job_id());
  hello.set_attempt(spec_.attempt());
  hello.set_token(spec_.token());
  hello.set_taskmanager_id(spec_.taskmanager_id());
  hello.set_pid(getpid());
  hello.set_metrics_address(options_.metrics_address);
  if (executor_ != nullptr) {
    hello.set_data_address(executor_->DataAddress());
    hello.set_graph_hash(executor_->GraphHash());
  }
  stream_->Send(message);
}

// A JobManager that was replaced but does not know it yet. One without an epoch stands by: its refusal counts.
bool WorkerControl::IsOfOlderLeader(const proto::JobManagerToWorker& message) {
  if (message.leader_epoch() >= leader_epoch_) {
    leader_epoch_ = message.leader_epoch();
    return false;
  }
  if (message.leader_epoch() == 0 && message.has_welcome() && !message.welcome().refusal().empty()) return false;
  ++refused_messages_;
  PENSTOCK_LOG(warn, "a message of leader epoch {} is refused: epoch {} leads", message.leader_epoch(), leader_epoch_);
  return true;
}

void WorkerControl::OnWelcome(const proto::WorkerWelcome& welcome) {
  if (!welcome.refusal().empty()) {
    PENSTOCK_LOG(error, "refused by the JobManager: {}", welcome.refusal());
    return Finish(kExitRefused);
  }
  if (welcome.heartbeat_interval_ms() > 0) heartbeat_interval_ms_ = welcome.heartbeat_interval_ms();
  if (welcome.heartbeat_timeout_ms() > 0) heartbeat_timeout_ms_ = welcome.heartbeat_timeout_ms();
  welcomed_ = true;
  reconnect_ms_ = kReconnectMinMs;
  next_heartbeat_ms_ = 0;
  failure_unsent_ = failure_.has_value();
  MutexLock lock(&mutex_);
  reports_sent_ = 0;
}

void WorkerControl::Handle(const proto::JobManagerToWorker& message) {
  if (message.attempt() != spec_.attempt() || message.job_id() != spec_.job_id()) return;  // stale
  if (IsOfOlderLeader(message)) return;
  switch (message.kind_case()) {
    case proto::JobManagerToWorker::kWelcome:
      return OnWelcome(message.welcome());
    case proto::JobManagerToWorker::kDeploy:
      return Deploy(message.deploy());
    case proto::JobManagerToWorker::kCancel:
      return BeginCancel();
    case proto::JobManagerToWorker::kShutDown:
      return Finish(failure_ ? kExitStartFailed : kExitDone);
    case proto::JobManagerToWorker::kTriggerCheckpoint:
      if (deployed_) executor_->TriggerCheckpoint(message.trigger_checkpoint());
      return;
    case proto::JobManagerToWorker::kCheckpointDecided:
      if (deployed_) executor_->OnDecided(message.checkpoint_decided());
      return;
    case proto::JobManagerToWorker::kCheckpointAborted:
      if (deployed_) executor_->OnAborted(message.checkpoint_aborted());
      return;
    case proto::JobManagerToWorker::kStartSources:
      if (deployed_) executor_->StartSources();
      return;
    case proto::JobManagerToWorker::KIND_NOT_SET:
      return;
  }
}

void WorkerControl::Deploy(const proto::DeployTasks& deploy) {
  if (deployed_ || executor_ == nullptr) return;  // sent again after a reconnect
  deployed_ = true;
  const absl::Status status = executor_->Deploy(deploy);
  if (status.ok()) return;
  ReportFailure(status, IsRefusal(status) ? proto::Failure::USER : proto::Failure::INTERNAL, !IsRefusal(status));
  failure_->set_checkpoint_damaged(absl::IsDataLoss(status));
}

void WorkerControl::ReportStartFailure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return ReportFailure(status, proto::Failure::EXTERNAL, true);
    default:
      return ReportFailure(status, proto::Failure::USER, false);  // it would fail the same way again
  }
}

void WorkerControl::ReportFailure(const absl::Status& status, proto::Failure::Domain domain, bool retryable) {
  proto::Failure failure;
  failure.set_message(MessageOf(status));
  failure.set_exception_type(std::string(absl::StatusCodeToString(status.code())));
  failure.set_domain(domain);
  failure.set_retryable(retryable);
  failure_ = failure;
  failure_unsent_ = true;
}

void WorkerControl::BeginCancel() {
  if (cancel_deadline_ms_ || executor_ == nullptr) return;
  cancel_deadline_ms_ = clock_.MonotonicMs() + options_.cancellation_timeout_ms;
  executor_->Cancel();
}

void WorkerControl::CheckCancel(int64_t now_ms) {
  if (!cancel_deadline_ms_ || exit_code_ || now_ms < *cancel_deadline_ms_) return;
  if (executor_->AwaitEnd(0)) {
    cancel_deadline_ms_ = INT64_MAX;  // all have ended: the JobManager's word to leave is still to come
    return;
  }
  Finish(kExitTasksStuck);
}

void WorkerControl::OnTaskState(const proto::TaskStateReport& report) {
  MutexLock lock(&mutex_);
  proto::TaskStateReport& kept = reports_.emplace_back(report);
  kept.set_job_id(spec_.job_id());
  kept.set_attempt(spec_.attempt());
  if (kept.time_ms() == 0) kept.set_time_ms(clock_.NowMs());
  wake_.NotifyAll();
}

void WorkerControl::OnCheckpointAck(proto::CheckpointAck ack) {
  proto::WorkerToJobManager message = Message();
  *message.mutable_checkpoint_ack() = std::move(ack);
  PostToJobManager(std::move(message));
}

void WorkerControl::OnCheckpointDeclined(proto::CheckpointDeclined declined) {
  proto::WorkerToJobManager message = Message();
  *message.mutable_checkpoint_declined() = std::move(declined);
  PostToJobManager(std::move(message));
}

void WorkerControl::OnDecisionAcked(proto::DecisionAcked acked) {
  proto::WorkerToJobManager message = Message();
  *message.mutable_decision_acked() = std::move(acked);
  PostToJobManager(std::move(message));
}

void WorkerControl::OnOutcomeAsked(proto::OutcomeAsked asked) {
  proto::WorkerToJobManager message = Message();
  *message.mutable_outcome_asked() = std::move(asked);
  PostToJobManager(std::move(message));
}

void WorkerControl::PostToJobManager(proto::WorkerToJobManager message) {
  MutexLock lock(&mutex_);
  if (outbox_.size() == kOutboxMax) outbox_.pop_front();
  outbox_.push_back(std::move(message));
  wake_.NotifyAll();
}

void WorkerControl::FlushOutbox() {
  while (true) {
    proto::WorkerToJobManager message;
    {
      MutexLock lock(&mutex_);
      if (outbox_.empty()) return;
      message = std::move(outbox_.front());
      outbox_.pop_front();
    }
    stream_->Send(message);  // lost with its connection: the checkpoint times out
  }
}

void WorkerControl::FlushReports() {
  if (stream_ == nullptr || !welcomed_) return;
  if (failure_unsent_) {
    failure_unsent_ = false;
    proto::WorkerToJobManager message = Message();
    *message.mutable_failure()->mutable_failure() = *failure_;
    stream_->Send(message);
  }
  // The last figures of tasks that have ended go before their reports: after those nobody asks any more. A report that
  // comes while the figures are read waits for the next round, which reads them again.
  size_t due = 0;
  if (HasUnsentEnd(due)) SendMetrics();
  while (true) {
    proto::WorkerToJobManager message = Message();
    {
      MutexLock lock(&mutex_);
      if (reports_sent_ >= due) break;
      *message.mutable_task_state() = reports_[reports_sent_];
    }
    if (!stream_->Send(message)) return;
    MutexLock lock(&mutex_);
    ++reports_sent_;
  }
  FlushOutbox();
}

void WorkerControl::Heartbeat(int64_t now_ms) {
  if (stream_ == nullptr || now_ms < next_heartbeat_ms_) return;
  next_heartbeat_ms_ = now_ms + heartbeat_interval_ms_;
  if (welcomed_) SendMetrics();
}

bool WorkerControl::HasUnsentEnd(size_t& reports) {
  MutexLock lock(&mutex_);
  reports = reports_.size();
  return std::any_of(reports_.begin() + static_cast<std::ptrdiff_t>(reports_sent_), reports_.end(),
                     [](const proto::TaskStateReport& report) { return HasEnded(report.state()); });
}

void WorkerControl::SendMetrics() {
  proto::WorkerToJobManager message = Message();
  if (executor_ != nullptr) executor_->CollectMetrics(message.mutable_heartbeat()->mutable_metrics());
  message.mutable_heartbeat();
  stream_->Send(message);
}

void WorkerControl::OnMessage(proto::JobManagerToWorker message) {
  MutexLock lock(&mutex_);
  inbox_.push_back(std::move(message));
  wake_.NotifyAll();
}

void WorkerControl::OnClosed(const absl::Status& why) {
  MutexLock lock(&mutex_);
  closed_ = true;
  closed_why_ = MessageOf(why);
  wake_.NotifyAll();
}

void WorkerControl::CheckConnection(int64_t now_ms) {
  bool closed = false;
  {
    MutexLock lock(&mutex_);
    closed = std::exchange(closed_, false);
    if (closed && !exit_code_) PENSTOCK_LOG(warn, "connection to the JobManager lost: {}", closed_why_);
  }
  if (closed) {
    stream_.reset();
    welcomed_ = false;
    next_connect_ms_ = now_ms + reconnect_ms_;
    reconnect_ms_ = std::min(reconnect_ms_ * 2, kReconnectMaxMs);
  }
  if (exit_code_ || welcomed_) {
    if (welcomed_) heard_ms_ = now_ms;  // the transport's keepalive speaks for a silent JobManager
    return;
  }
  if (now_ms - heard_ms_ > WorkerLeaseMs(heartbeat_timeout_ms_)) {
    PENSTOCK_LOG(error, "no JobManager for {} ms: the lease of this worker is over", now_ms - heard_ms_);
    return Finish(kExitJobManagerLost);
  }
  if (stream_ == nullptr && now_ms >= next_connect_ms_) Connect();
}

std::string WorkerControl::StuckTasks() {
  std::map<std::pair<std::string, int32_t>, proto::TaskState> states;
  MutexLock lock(&mutex_);
  for (const proto::TaskStateReport& report : reports_) states[{report.vertex_id(), report.subtask()}] = report.state();
  std::string stuck;
  for (const auto& [task, state] : states) {
    if (!HasEnded(state)) stuck += fmt::format("{}{}/{}", stuck.empty() ? "" : ", ", task.first, task.second);
  }
  return stuck;
}

int WorkerControl::Leave() {
  int code = *exit_code_;
  if (executor_ != nullptr && code != kExitTasksStuck) {
    executor_->Cancel();  // does nothing to tasks that have ended
    if (!executor_->AwaitEnd(options_.cancellation_timeout_ms)) code = kExitTasksStuck;
  }
  if (code == kExitTasksStuck) {
    const std::string message = fmt::format("tasks did not stop within task.cancellation.timeout ({} ms): {}",
                                            options_.cancellation_timeout_ms, StuckTasks());
    PENSTOCK_LOG(error, "{}", message);
    ReportFailure(absl::DeadlineExceededError(message), proto::Failure::USER, true);
    executor_.release();  // its threads still use it
  }
  FlushReports();
  if (stream_ != nullptr) stream_->Close();
  stream_.reset();
  if (options_.leave_executor) {
    executor_.release();
  } else {
    executor_.reset();
  }
  return code;
}

}  // namespace penstock::worker
