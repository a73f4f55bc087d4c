#include "taskmanager/program/in_process_host.h"

#include <unistd.h>

#include <chrono>

#include "runtime/core/thread_name.h"
#include "runtime/core/version.h"

namespace penstock::taskmanager {

InProcessHost::InProcessHost(InProcessHostOptions options, worker::ExecutorFactory factory, ControlTransport& transport,
                             const Clock& clock)
    : options_(std::move(options)),
      factory_(std::move(factory)),
      transport_(transport),
      clock_(clock),
      actor_("local-host", clock) {
  actor_.Post([this] {
    stream_ = transport_.ConnectHost(*this);
    proto::HostToJobManager message;
    proto::HostHello& hello = *message.mutable_hello();
    hello.set_control_version(kControlVersion);
    hello.set_taskmanager_id(options_.taskmanager_id);
    hello.set_data_host("127.0.0.1");
    hello.set_slots(options_.slots);
    hello.set_cpu_cores(static_cast<int32_t>(std::thread::hardware_concurrency()));
    hello.set_memory_limit_bytes(options_.memory_limit_bytes);
    hello.set_engine_version(std::string(kEngineVersion));
    hello.set_pid(getpid());
    stream_->Send(message);
    Heartbeat();
  });
}

void InProcessHost::Stop() {
  actor_.Call([this] {
    if (stream_ != nullptr) stream_->Close();
    stream_.reset();
    for (auto& [key, running] : running_) running.control->Stop();
  });
  actor_.Stop();
  for (auto& [key, running] : running_) {
    if (running.thread.joinable()) running.thread.join();
  }
  running_.clear();
}

void InProcessHost::Mute() {
  actor_.Call([this] { muted_ = true; });
}

void InProcessHost::OnMessage(proto::JobManagerToHost message) {
  actor_.Post([this, message = std::move(message)] {
    if (message.has_start_worker()) StartWorker(message.start_worker());
    if (message.has_kill_worker()) {
      const auto at = running_.find({message.kill_worker().job_id(), message.kill_worker().attempt()});
      if (at != running_.end()) at->second.control->Stop();
    }
    if (message.has_read_log() && stream_ != nullptr) {
      proto::HostToJobManager reply;
      reply.mutable_log_chunk()->set_request_id(message.read_log().request_id());
      reply.mutable_log_chunk()->set_error("workers inside this process log to its own standard error");
      stream_->Send(reply);
    }
  });
}

// The JobManager drops its hosts only when it goes itself, or when it takes this one for dead.
void InProcessHost::OnClosed(const absl::Status&) {
  actor_.Post([this] {
    for (auto& [key, running] : running_) running.control->Stop();
  });
}

void InProcessHost::StartWorker(const proto::StartWorker& start) {
  const Key key(start.job_id(), start.attempt());
  Running& running = running_[key];
  if (running.control != nullptr) return;
  worker::WorkerControlOptions options{.cancellation_timeout_ms = options_.cancellation_timeout_ms};
  running.control = std::make_unique<worker::WorkerControl>(start.spec(), options, transport_, clock_);
  running.thread = std::thread([this, key, control = running.control.get()] {
    SetThreadName("worker-" + key.first.substr(0, 6));
    const int exit_code = control->Run(factory_);
    actor_.Post([this, key, exit_code] { WorkerEnded(key, exit_code); });
  });
}

void InProcessHost::WorkerEnded(const Key& key, int exit_code) {
  auto node = running_.extract(key);
  node.mapped().thread.join();
  if (stream_ == nullptr) return;
  proto::HostToJobManager message;
  message.mutable_worker_exited()->set_job_id(key.first);
  message.mutable_worker_exited()->set_attempt(key.second);
  message.mutable_worker_exited()->set_exit_code(exit_code);
  stream_->Send(message);
}

void InProcessHost::Heartbeat() {
  if (stream_ == nullptr || muted_) return;
  proto::HostToJobManager message;
  message.mutable_heartbeat();
  stream_->Send(message);
  actor_.PostAfter(std::chrono::milliseconds(options_.heartbeat_interval_ms), [this] { Heartbeat(); });
}

}  // namespace penstock::taskmanager
