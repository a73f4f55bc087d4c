#include "taskmanager/host/host_agent.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/memory/cgroup_memory.h"
#include "runtime/core/status.h"
#include "taskmanager/host/log_directory.h"
#include "taskmanager/host/machine.h"

namespace penstock::taskmanager {

HostAgent::HostAgent(proto::HostHello hello, HostActions actions, ControlTransport& transport, const Clock& clock)
    : hello_(std::move(hello)), actions_(std::move(actions)), transport_(transport), actor_("heartbeat", clock) {}

void HostAgent::Start() {
  actor_.Post([this] { Connect(); });
}

void HostAgent::Stop() {
  actor_.Call([this] {
    stopping_ = true;
    if (stream_ == nullptr) return;
    FlushReports();
    stream_->Close();
    stream_.reset();
  });
  actor_.Stop();
}

void HostAgent::Connect() {
  if (stopping_) return;
  stream_ = transport_.ConnectHost(*this);
  proto::HostToJobManager message;
  proto::HostHello& hello = *message.mutable_hello();
  hello = hello_;
  hello.set_free_memory_bytes(FreeMemoryBytes());
  std::vector<proto::RunningWorker> running = actions_.running();
  // A worker whose end is not reported yet counts as running, or its job would lose the reason.
  for (const proto::HostToJobManager& report : reports_) {
    if (!report.has_worker_exited()) continue;
    proto::RunningWorker& entry = running.emplace_back();
    entry.set_job_id(report.worker_exited().job_id());
    entry.set_attempt(report.worker_exited().attempt());
  }
  for (proto::RunningWorker& worker : running) *hello.add_running() = std::move(worker);
  stream_->Send(message);
}

void HostAgent::OnMessage(proto::JobManagerToHost message) {
  actor_.Post([this, message = std::move(message)] { Handle(message); });
}

void HostAgent::OnClosed(const absl::Status& why) {
  actor_.Post([this, text = MessageOf(why)] { OnLost(text.empty() ? "closed by the JobManager" : text); });
}

// A JobManager that was replaced but does not know it yet (protocols.md B2).
bool HostAgent::IsOfOlderLeader(const proto::JobManagerToHost& message) {
  if (message.leader_epoch() >= leader_epoch_) {
    leader_epoch_ = message.leader_epoch();
    return false;
  }
  ++refused_messages_;
  PENSTOCK_LOG(warn, "a message of leader epoch {} is refused: epoch {} leads", message.leader_epoch(), leader_epoch_);
  return true;
}

void HostAgent::Handle(const proto::JobManagerToHost& message) {
  if (message.has_welcome() && !message.welcome().refusal().empty()) return OnWelcome(message.welcome());
  if (IsOfOlderLeader(message)) return OnLost(fmt::format("it leads no more, epoch {} does", leader_epoch_));
  switch (message.kind_case()) {
    case proto::JobManagerToHost::kWelcome:
      return OnWelcome(message.welcome());
    case proto::JobManagerToHost::kStartWorker:
      return actions_.start_worker(message.start_worker());
    case proto::JobManagerToHost::kKillWorker:
      return actions_.kill_worker(message.kill_worker());
    case proto::JobManagerToHost::kJobEnded:
      return actions_.forget_job(message.job_ended().job_id());
    case proto::JobManagerToHost::kReadLog: {
      proto::HostToJobManager reply;
      *reply.mutable_log_chunk() = ReadLogDirectory(hello_.log_dir(), message.read_log());
      if (stream_ != nullptr) stream_->Send(reply);
      return;
    }
    case proto::JobManagerToHost::KIND_NOT_SET:
      return;
  }
}

void HostAgent::OnWelcome(const proto::HostWelcome& welcome) {
  if (!welcome.refusal().empty()) {
    if (!welcome.leader_address().empty()) {
      transport_.Prefer(welcome.leader_address());
      reconnect_ms_ = kReconnectMinMs;
    }
    return OnLost("refused: " + welcome.refusal());
  }
  PENSTOCK_LOG(info, "registered with the JobManager as {}", hello_.taskmanager_id());
  registered_ = true;
  last_complaint_.clear();
  reconnect_ms_ = kReconnectMinMs;
  if (welcome.heartbeat_interval_ms() > 0) heartbeat_interval_ms_ = welcome.heartbeat_interval_ms();
  FlushReports();
  if (!heartbeat_posted_) Heartbeat();
}

void HostAgent::OnLost(const std::string& why) {
  if (stream_ == nullptr || stopping_) return;
  stream_.reset();
  registered_ = false;
  // A JobManager that stays away is worth one line, not one per try.
  if (why != last_complaint_) PENSTOCK_LOG(warn, "no connection to the JobManager: {}; trying again", why);
  last_complaint_ = why;
  actor_.PostAfter(std::chrono::milliseconds(reconnect_ms_), [this] { Connect(); });
  reconnect_ms_ = std::min(reconnect_ms_ * 2, kReconnectMaxMs);
}

void HostAgent::Heartbeat() {
  heartbeat_posted_ = registered_ && !stopping_;
  if (!heartbeat_posted_) return;
  proto::HostToJobManager message;
  message.mutable_heartbeat()->set_free_memory_bytes(FreeMemoryBytes());
  stream_->Send(message);
  actor_.PostAfter(std::chrono::milliseconds(heartbeat_interval_ms_), [this] { Heartbeat(); });
}

void HostAgent::Report(proto::HostToJobManager report) {
  actor_.Post([this, report = std::move(report)]() mutable {
    reports_.push_back(std::move(report));
    if (reports_.size() > kReportsMax) reports_.pop_front();
    FlushReports();
  });
}

void HostAgent::FlushReports() {
  while (registered_ && !reports_.empty() && stream_->Send(reports_.front())) reports_.pop_front();
}

}  // namespace penstock::taskmanager
