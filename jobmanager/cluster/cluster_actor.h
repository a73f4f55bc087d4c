// The actor that knows the hosts: registration, heartbeats, slots, and the messages to and from hosts.
//
// Owner: its own thread; every public method may be called from any thread and returns at once. Lifetime: Stop() before
// the listener dies. Errors: reach jobs through ClusterListener. Limits: kLogReadsMax log reads in flight.
#ifndef PENSTOCK_JOBMANAGER_CLUSTER_CLUSTER_ACTOR_H_
#define PENSTOCK_JOBMANAGER_CLUSTER_CLUSTER_ACTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobmanager/cluster/host_table.h"
#include "jobmanager/rpc/gateways.h"
#include "runtime/core/actor.h"
#include "runtime/core/clock.h"

namespace penstock::jobmanager {

inline constexpr int64_t kLogReadTimeoutMs = 5'000;
inline constexpr size_t kLogReadsMax = 256;

struct ClusterOptions {
  int64_t heartbeat_interval_ms = 1'000;  // heartbeat.interval
  int64_t heartbeat_timeout_ms = 5'000;   // heartbeat.timeout
  uint64_t leader_epoch = 0;              // on every message
};

// A slot grant: the shares, and what the job must know of the hosts that hold them.
struct SlotGrant {
  SlotShares shares;
  std::map<std::string, proto::HostHello> hosts;
};

// Called on the cluster actor's thread; must not block.
class ClusterListener {
 public:
  virtual ~ClusterListener() = default;
  virtual void OnSlotsGranted(const std::string& job_id, SlotGrant grant) = 0;
  virtual void OnSlotsShort(const std::string& job_id, int32_t have) = 0;
  virtual void OnWorkerExited(const std::string& taskmanager_id, proto::WorkerExited report) = 0;
  virtual void OnHostLost(const std::string& job_id, const std::string& taskmanager_id, const std::string& reason) = 0;
  virtual void OnTaskManagers(std::vector<TaskManagerSnapshot> taskmanagers) = 0;
};

class ClusterActor {
 public:
  // clock and listener outlive this.
  ClusterActor(ClusterOptions options, const Clock& clock, ClusterListener& listener);
  ~ClusterActor() { Stop(); }
  // Log reads in flight are answered with an error. Idempotent.
  void Stop();

  void OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message);
  void OnHostClosed(const HostGatewayPtr& from, bool orderly);

  // The job asks for `slots` slots until they are granted or released. Earlier requests are served first, but one that
  // does not fit holds back no smaller one.
  void RequestSlots(const std::string& job_id, int32_t slots);
  void ReleaseSlots(const std::string& job_id);
  void StartWorker(const std::string& taskmanager_id, proto::StartWorker start);
  void KillWorker(const std::string& taskmanager_id, proto::KillWorker kill);
  // To all hosts: what they keep for further attempts of the job may go.
  void ForgetJob(const std::string& job_id);
  // done runs on this actor's thread, exactly once, at the latest after kLogReadTimeoutMs.
  void ReadLog(const std::string& taskmanager_id, proto::ReadLog request,
               std::function<void(absl::StatusOr<proto::LogChunk>)> done);

 private:
  struct Request {
    std::string job_id;
    int32_t slots;
    int32_t told_have;  // what the job was told last; -1: nothing
  };
  struct LogRead {
    std::string taskmanager_id;
    int64_t deadline_ms;
    std::function<void(absl::StatusOr<proto::LogChunk>)> done;
  };

  void Send(HostGateway& to, proto::JobManagerToHost message) const;
  void Handle(const HostGatewayPtr& from, proto::HostToJobManager& message);
  void OnHello(const HostGatewayPtr& from, const proto::HostHello& hello);
  void Reconcile(const std::string& id, const proto::HostHello& hello);
  void LoseHost(const std::string& id, const std::string& reason);
  void ServeRequests();
  void FinishLogRead(const proto::LogChunk& chunk);
  void FailLogReads(const std::string& taskmanager_id, int64_t deadline_before_ms);
  void Tick();
  void Publish() { listener_.OnTaskManagers(table_.Snapshot()); }

  // Constant after construction.
  const ClusterOptions options_;
  const Clock& clock_;
  ClusterListener& listener_;

  // The actor's thread only.
  HostTable table_;
  std::map<HostGateway*, std::string> id_by_gateway_;
  std::vector<Request> requests_;
  std::map<uint64_t, LogRead> log_reads_;
  uint64_t next_log_read_ = 1;

  Actor actor_;  // last: its thread uses all of the above
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CLUSTER_CLUSTER_ACTOR_H_
