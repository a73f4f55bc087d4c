#include "jobmanager/cluster/cluster_actor.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

ClusterActor::ClusterActor(ClusterOptions options, const Clock& clock, ClusterListener& listener)
    : options_(options), clock_(clock), listener_(listener), actor_("cluster", clock) {
  actor_.Post([this] { Tick(); });
}

void ClusterActor::Stop() {
  actor_.Post([this] { FailLogReads("", INT64_MAX); });
  actor_.Stop();
}

void ClusterActor::Send(HostGateway& to, proto::JobManagerToHost message) const {
  message.set_leader_epoch(options_.leader_epoch);
  to.Send(message);
}

void ClusterActor::OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message) {
  actor_.Post([this, from, message = std::move(message)]() mutable { Handle(from, message); });
}

void ClusterActor::Handle(const HostGatewayPtr& from, proto::HostToJobManager& message) {
  if (message.has_hello()) return OnHello(from, message.hello());
  const auto known = id_by_gateway_.find(from.get());
  if (known == id_by_gateway_.end()) return from->Close();  // spoke before it said hello, or after it was dropped
  const std::string id = known->second;
  table_.Heard(id, message.heartbeat(), clock_.MonotonicMs(), clock_.NowMs());
  switch (message.kind_case()) {
    case proto::HostToJobManager::kHeartbeat:
      return Publish();
    case proto::HostToJobManager::kWorkerExited:
      return listener_.OnWorkerExited(id, std::move(*message.mutable_worker_exited()));
    case proto::HostToJobManager::kLogChunk:
      return FinishLogRead(message.log_chunk());
    case proto::HostToJobManager::kWorkerStarted:
      PENSTOCK_LOG(info, "job {} attempt {}: worker is process {} on {}", message.worker_started().job_id(),
                   message.worker_started().attempt(), message.worker_started().pid(), id);
      return;
    case proto::HostToJobManager::kHello:
    case proto::HostToJobManager::KIND_NOT_SET:
      return;
  }
}

void ClusterActor::OnHello(const HostGatewayPtr& from, const proto::HostHello& hello) {
  const std::string& id = hello.taskmanager_id();
  Host* known = table_.Find(id);
  if (known != nullptr && known->hello.pid() != hello.pid() && known->gateway == nullptr) {
    LoseHost(id, "its process was replaced");
  }
  proto::JobManagerToHost reply;
  proto::HostWelcome* welcome = reply.mutable_welcome();
  welcome->set_heartbeat_interval_ms(options_.heartbeat_interval_ms);
  welcome->set_heartbeat_timeout_ms(options_.heartbeat_timeout_ms);
  welcome->set_leader_epoch(options_.leader_epoch);
  known = table_.Find(id);
  HostGatewayPtr replaced = known == nullptr ? nullptr : known->gateway;
  const absl::Status registered = table_.Register(hello, from, clock_.MonotonicMs(), clock_.NowMs());
  if (!registered.ok()) {
    PENSTOCK_LOG(warn, "{}", MessageOf(registered));
    welcome->set_refusal(MessageOf(registered));
    Send(*from, reply);
    return from->Close();
  }
  if (replaced != nullptr && replaced != from) {
    id_by_gateway_.erase(replaced.get());
    replaced->Close();
  }
  id_by_gateway_[from.get()] = id;
  Send(*from, reply);
  PENSTOCK_LOG(info, "TaskManager {} registered with {} slots at {}", id, hello.slots(), hello.data_host());
  Reconcile(id, hello);
  ServeRequests();
  Publish();
}

// After a reconnect: workers that this JobManager does not know must go, and jobs must learn of those that are gone.
void ClusterActor::Reconcile(const std::string& id, const proto::HostHello& hello) {
  Host* host = table_.Find(id);
  for (const proto::RunningWorker& running : hello.running()) {
    if (host->allocated.contains(running.job_id())) continue;
    PENSTOCK_LOG(warn, "TaskManager {} runs job {} attempt {}, which is unknown here: killed", id, running.job_id(),
                 running.attempt());
    proto::JobManagerToHost message;
    message.mutable_kill_worker()->set_job_id(running.job_id());
    message.mutable_kill_worker()->set_attempt(running.attempt());
    Send(*host->gateway, std::move(message));
  }
  for (const auto& [job_id, slots] : host->allocated) {
    const bool runs = std::ranges::any_of(hello.running(), [&id = job_id](const auto& w) { return w.job_id() == id; });
    if (!runs) listener_.OnHostLost(job_id, id, "the host came back without the worker of this job");
  }
}

void ClusterActor::OnHostClosed(const HostGatewayPtr& from, bool orderly) {
  actor_.Post([this, from, orderly] {
    const auto known = id_by_gateway_.find(from.get());
    if (known == id_by_gateway_.end()) return;
    const std::string id = known->second;
    id_by_gateway_.erase(known);
    if (orderly) return LoseHost(id, "it was shut down");
    PENSTOCK_LOG(warn, "TaskManager {}: connection lost, waiting {} ms for it", id, options_.heartbeat_timeout_ms);
    table_.Disconnect(id);
    FailLogReads(id, INT64_MAX);
    ServeRequests();
    Publish();
  });
}

void ClusterActor::LoseHost(const std::string& id, const std::string& reason) {
  Host* host = table_.Find(id);
  if (host == nullptr) return;
  PENSTOCK_LOG(warn, "TaskManager {} is lost: {}", id, reason);
  if (host->gateway != nullptr) {
    id_by_gateway_.erase(host->gateway.get());
    host->gateway->Close();
  }
  const auto allocated = host->allocated;
  table_.Remove(id);
  FailLogReads(id, INT64_MAX);
  for (const auto& [job_id, slots] : allocated) listener_.OnHostLost(job_id, id, reason);
  ServeRequests();
  Publish();
}

void ClusterActor::RequestSlots(const std::string& job_id, int32_t slots) {
  actor_.Post([this, job_id, slots] {
    requests_.push_back({job_id, slots, -1});
    ServeRequests();
  });
}

void ClusterActor::ReleaseSlots(const std::string& job_id) {
  actor_.Post([this, job_id] {
    std::erase_if(requests_, [&](const Request& request) { return request.job_id == job_id; });
    table_.Release(job_id);
    ServeRequests();
    Publish();
  });
}

void ClusterActor::ServeRequests() {
  bool granted = false;
  std::erase_if(requests_, [&](Request& request) {
    std::optional<SlotShares> shares = table_.Allocate(request.job_id, request.slots);
    if (!shares) return false;
    SlotGrant grant;
    for (const auto& [id, slots] : *shares) grant.hosts[id] = table_.Find(id)->hello;
    grant.shares = *std::move(shares);
    listener_.OnSlotsGranted(request.job_id, std::move(grant));
    granted = true;
    return true;
  });
  const int32_t have = table_.FreeSlots();
  for (Request& request : requests_) {
    if (request.told_have == have) continue;
    request.told_have = have;
    listener_.OnSlotsShort(request.job_id, have);
  }
  if (granted) Publish();
}

void ClusterActor::StartWorker(const std::string& taskmanager_id, proto::StartWorker start) {
  actor_.Post([this, taskmanager_id, start = std::move(start)]() mutable {
    Host* host = table_.Find(taskmanager_id);
    if (host == nullptr || host->gateway == nullptr) {
      return listener_.OnHostLost(start.job_id(), taskmanager_id, "it was gone when the worker was to be started");
    }
    proto::JobManagerToHost message;
    *message.mutable_start_worker() = std::move(start);
    Send(*host->gateway, std::move(message));
  });
}

void ClusterActor::KillWorker(const std::string& taskmanager_id, proto::KillWorker kill) {
  actor_.Post([this, taskmanager_id, kill = std::move(kill)]() mutable {
    Host* host = table_.Find(taskmanager_id);
    if (host == nullptr || host->gateway == nullptr) return;
    proto::JobManagerToHost message;
    *message.mutable_kill_worker() = std::move(kill);
    Send(*host->gateway, std::move(message));
  });
}

void ClusterActor::ForgetJob(const std::string& job_id) {
  actor_.Post([this, job_id] {
    table_.Forget(job_id);
    for (const auto& [id, host] : table_.hosts()) {
      if (host.gateway == nullptr) continue;
      proto::JobManagerToHost message;
      message.mutable_job_ended()->set_job_id(job_id);
      Send(*host.gateway, std::move(message));
    }
  });
}

void ClusterActor::ReadLog(const std::string& taskmanager_id, proto::ReadLog request,
                           std::function<void(absl::StatusOr<proto::LogChunk>)> done) {
  // Shared, so that it can still be called when the actor refuses the post.
  auto shared = std::make_shared<std::function<void(absl::StatusOr<proto::LogChunk>)>>(std::move(done));
  const bool posted = actor_.Post([this, taskmanager_id, request = std::move(request), shared]() mutable {
    Host* host = table_.Find(taskmanager_id);
    if (host == nullptr || host->gateway == nullptr) {
      return (*shared)(NotFound("TaskManager '{}' is not connected", taskmanager_id));
    }
    if (log_reads_.size() >= kLogReadsMax) {
      return (*shared)(ResourceExhausted("{} log reads are under way: try again", log_reads_.size()));
    }
    request.set_request_id(next_log_read_++);
    log_reads_[request.request_id()] = {taskmanager_id, clock_.MonotonicMs() + kLogReadTimeoutMs, std::move(*shared)};
    proto::JobManagerToHost message;
    *message.mutable_read_log() = std::move(request);
    Send(*host->gateway, std::move(message));
  });
  if (!posted) (*shared)(Unavailable("the JobManager is shutting down"));
}

void ClusterActor::FinishLogRead(const proto::LogChunk& chunk) {
  const auto at = log_reads_.find(chunk.request_id());
  if (at == log_reads_.end()) return;
  const auto done = std::move(at->second.done);
  log_reads_.erase(at);
  if (!chunk.error().empty()) return done(NotFound("{}", chunk.error()));
  done(chunk);
}

void ClusterActor::FailLogReads(const std::string& taskmanager_id, int64_t deadline_before_ms) {
  for (auto at = log_reads_.begin(); at != log_reads_.end();) {
    const bool fails = (taskmanager_id.empty() || at->second.taskmanager_id == taskmanager_id) &&
                       at->second.deadline_ms < deadline_before_ms;
    if (!fails) {
      ++at;
      continue;
    }
    at->second.done(Unavailable("TaskManager '{}' did not answer", at->second.taskmanager_id));
    at = log_reads_.erase(at);
  }
}

void ClusterActor::Tick() {
  const int64_t now_ms = clock_.MonotonicMs();
  for (const std::string& id : table_.Overdue(now_ms, options_.heartbeat_timeout_ms)) {
    LoseHost(id, fmt::format("no heartbeat for {} ms", options_.heartbeat_timeout_ms));
  }
  FailLogReads("", now_ms);
  const int64_t period_ms = std::clamp<int64_t>(options_.heartbeat_interval_ms / 4, 5, 250);
  actor_.PostAfter(std::chrono::milliseconds(period_ms), [this] { Tick(); });
}

}  // namespace penstock::jobmanager
