// Who is registered, when it was last heard, and whose slots are whose. Pure: times are passed in.
//
// Owner: the cluster actor. A host whose connection broke stays registered until its heartbeat is overdue, so that it
// may come back with its workers running.
#ifndef PENSTOCK_JOBMANAGER_CLUSTER_HOST_TABLE_H_
#define PENSTOCK_JOBMANAGER_CLUSTER_HOST_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "jobmanager/rpc/gateways.h"
#include "jobmanager/schedule/slot_allocation.h"
#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

struct Host {
  proto::HostHello hello;
  HostGatewayPtr gateway;  // null while disconnected
  int64_t heard_ms = 0;    // monotonic
  int64_t heard_wall_ms = 0;
  std::map<std::string, int32_t> allocated;  // slots by job id

  int32_t FreeSlots() const;
};

class HostTable {
 public:
  // Adds the host or renews its registration (allocations are kept). FailedPrecondition: another control version;
  // AlreadyExists: a live host of another process has this id; InvalidArgument: no id or no slots.
  absl::Status Register(const proto::HostHello& hello, const HostGatewayPtr& gateway, int64_t now_ms, int64_t wall_ms);
  void Heard(const std::string& id, const proto::HostHeartbeat& heartbeat, int64_t now_ms, int64_t wall_ms);
  void Disconnect(const std::string& id);
  void Remove(const std::string& id) { hosts_.erase(id); }
  // Ids of hosts not heard for longer than the timeout.
  std::vector<std::string> Overdue(int64_t now_ms, int64_t timeout_ms) const;

  // Takes slots of connected hosts, or nothing; the same ones as before as far as there are.
  std::optional<SlotShares> Allocate(const std::string& job_id, int32_t needed);
  void Release(const std::string& job_id);
  // The job will not ask again.
  void Forget(const std::string& job_id) { before_.erase(job_id); }
  int32_t FreeSlots() const;  // of connected hosts

  Host* Find(const std::string& id);
  const std::map<std::string, Host>& hosts() const { return hosts_; }
  std::vector<TaskManagerSnapshot> Snapshot() const;

 private:
  std::map<std::string, Host> hosts_;
  std::map<std::string, SlotShares> before_;  // what each job got last
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CLUSTER_HOST_TABLE_H_
