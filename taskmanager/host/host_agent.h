// A host's connection to the JobManager: registration, heartbeats, reconnecting, and what the JobManager asks.
//
// Owner: its actor's thread, which does nothing that takes long, so that heartbeats are on time. Lifetime: Stop() says
// good-bye; idempotent. Errors: a refusal or a lost connection is logged and tried again, with a backoff up to
// kReconnectMaxMs. Limits: kReportsMax reports wait while there is no connection, the oldest are dropped.
#ifndef PENSTOCK_TASKMANAGER_HOST_HOST_AGENT_H_
#define PENSTOCK_TASKMANAGER_HOST_HOST_AGENT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/control.pb.h"
#include "runtime/core/actor.h"
#include "taskmanager/rpc/control_stream.h"

namespace penstock::taskmanager {

inline constexpr int64_t kReconnectMinMs = 100;
inline constexpr int64_t kReconnectMaxMs = 1'000;
inline constexpr size_t kReportsMax = 1024;

// What the JobManager asks of a host. Called on the agent's thread; must return soon.
struct HostActions {
  std::function<void(proto::StartWorker)> start_worker;
  std::function<void(const proto::KillWorker&)> kill_worker;
  std::function<void(const std::string& job_id)> forget_job;
  std::function<std::vector<proto::RunningWorker>()> running;
};

class HostAgent final : private HostListener {
 public:
  // hello: all but what changes (running workers, free memory). transport and clock outlive this.
  HostAgent(proto::HostHello hello, HostActions actions, ControlTransport& transport, const Clock& clock);
  ~HostAgent() override { Stop(); }
  void Start();
  void Stop();
  // Any thread. Goes out at once, or after the next registration.
  void Report(proto::HostToJobManager report);
  // Messages of leaders that another has replaced. Any thread.
  int64_t refused_messages() const { return refused_messages_; }

 private:
  void OnMessage(proto::JobManagerToHost message) override;
  void OnClosed(const absl::Status& why) override;
  void Connect();
  void Handle(const proto::JobManagerToHost& message);
  bool IsOfOlderLeader(const proto::JobManagerToHost& message);
  void OnWelcome(const proto::HostWelcome& welcome);
  void OnLost(const std::string& why);
  void Heartbeat();
  void FlushReports();

  // Constant after construction.
  const proto::HostHello hello_;
  const HostActions actions_;
  ControlTransport& transport_;

  // The actor's thread only.
  std::unique_ptr<HostStream> stream_;
  bool registered_ = false;
  bool stopping_ = false;
  bool heartbeat_posted_ = false;
  int64_t heartbeat_interval_ms_ = 1'000;
  int64_t reconnect_ms_ = kReconnectMinMs;
  std::string last_complaint_;
  std::deque<proto::HostToJobManager> reports_;
  uint64_t leader_epoch_ = 0;  // the largest that was heard

  std::atomic<int64_t> refused_messages_ = 0;

  Actor actor_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_HOST_AGENT_H_
