#include "jobmanager/cluster/host_table.h"

#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {

int32_t Host::FreeSlots() const {
  int32_t free = hello.slots();
  for (const auto& [job, slots] : allocated) free -= slots;
  return free;
}

absl::Status HostTable::Register(const proto::HostHello& hello, const HostGatewayPtr& gateway, int64_t now_ms,
                                 int64_t wall_ms) {
  const std::string& id = hello.taskmanager_id();
  if (hello.control_version() != kControlVersion) {
    return FailedPrecondition(
        "TaskManager {} speaks control version {}, this JobManager speaks {}: install the same version on both", id,
        hello.control_version(), kControlVersion);
  }
  if (id.empty() || hello.slots() < 1) {
    return InvalidArgument("TaskManager '{}' offers {} slots: it needs an id and at least one slot", id, hello.slots());
  }
  const auto known = hosts_.find(id);
  if (known != hosts_.end() && known->second.gateway != nullptr && known->second.hello.pid() != hello.pid()) {
    return AlreadyExists("TaskManager id {} is taken by process {}: give each TaskManager an id of its own", id,
                         known->second.hello.pid());
  }
  Host& host = hosts_[id];
  host.hello = hello;
  host.gateway = gateway;
  host.heard_ms = now_ms;
  host.heard_wall_ms = wall_ms;
  return absl::OkStatus();
}

void HostTable::Heard(const std::string& id, const proto::HostHeartbeat& heartbeat, int64_t now_ms, int64_t wall_ms) {
  Host* host = Find(id);
  if (host == nullptr) return;
  host->heard_ms = now_ms;
  host->heard_wall_ms = wall_ms;
  host->hello.set_free_memory_bytes(heartbeat.free_memory_bytes());
}

void HostTable::Disconnect(const std::string& id) {
  if (Host* host = Find(id)) host->gateway = nullptr;
}

std::vector<std::string> HostTable::Overdue(int64_t now_ms, int64_t timeout_ms) const {
  std::vector<std::string> overdue;
  for (const auto& [id, host] : hosts_) {
    if (now_ms - host.heard_ms > timeout_ms) overdue.push_back(id);
  }
  return overdue;
}

std::optional<SlotShares> HostTable::Allocate(const std::string& job_id, int32_t needed) {
  std::map<std::string, int32_t> free_slots;
  for (const auto& [id, host] : hosts_) {
    if (host.gateway != nullptr) free_slots[id] = host.FreeSlots();
  }
  std::optional<SlotShares> shares = AllocateSlots(free_slots, needed, before_[job_id]);
  if (!shares) return std::nullopt;
  for (const auto& [id, slots] : *shares) hosts_[id].allocated[job_id] += static_cast<int32_t>(slots.size());
  before_[job_id] = *shares;
  return shares;
}

void HostTable::Release(const std::string& job_id) {
  for (auto& [id, host] : hosts_) host.allocated.erase(job_id);
}

int32_t HostTable::FreeSlots() const {
  int32_t free = 0;
  for (const auto& [id, host] : hosts_) {
    // Fewer slots than before may be offered after a re-registration: what is overdrawn there is nobody's gain here.
    if (host.gateway != nullptr && host.FreeSlots() > 0) free += host.FreeSlots();
  }
  return free;
}

Host* HostTable::Find(const std::string& id) {
  const auto at = hosts_.find(id);
  return at == hosts_.end() ? nullptr : &at->second;
}

std::vector<TaskManagerSnapshot> HostTable::Snapshot() const {
  std::vector<TaskManagerSnapshot> snapshots;
  for (const auto& [id, host] : hosts_) {
    TaskManagerSnapshot& snapshot = snapshots.emplace_back();
    snapshot.id = id;
    snapshot.address = host.hello.data_host();
    snapshot.last_heartbeat_ms = host.heard_wall_ms;
    snapshot.slots = host.hello.slots();
    snapshot.free_slots = host.FreeSlots();
    snapshot.hello = host.hello;
    for (const auto& [job, slots] : host.allocated) snapshot.allocations.push_back({job, slots});
  }
  return snapshots;
}

}  // namespace penstock::jobmanager
