// The workers of the current attempt of a job: one per host that holds slots of it. Plain data.
#ifndef PENSTOCK_JOBMANAGER_JOB_WORKER_SET_H_
#define PENSTOCK_JOBMANAGER_JOB_WORKER_SET_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "jobmanager/rpc/gateways.h"
#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

enum class WorkerPhase {
  kStarting,      // the host was asked to start it
  kReady,         // it said hello; its data plane listens
  kShuttingDown,  // it was told to leave
  kGone,          // the host reported its end, or is lost itself
};

struct WorkerEntry {
  std::vector<int32_t> slots;
  WorkerPhase phase = WorkerPhase::kStarting;
  WorkerGatewayPtr gateway;  // null before hello and while disconnected
  std::string data_address;
  int32_t pid = 0;
  bool killed = false;   // its host was asked to kill it
  int64_t heard_ms = 0;  // monotonic; of the start before hello
  WorkerMemory memory;   // the last report
};

struct WorkerSet {
  std::string token;  // of this attempt; every hello must carry it
  std::map<std::string, WorkerEntry> by_taskmanager;

  bool AllReady() const {
    for (const auto& [id, worker] : by_taskmanager) {
      if (worker.phase != WorkerPhase::kReady) return false;
    }
    return true;
  }
  bool AllGone() const {
    for (const auto& [id, worker] : by_taskmanager) {
      if (worker.phase != WorkerPhase::kGone) return false;
    }
    return true;
  }
  // nullptr when no live worker uses this connection.
  WorkerEntry* Find(const WorkerGateway* gateway, std::string* taskmanager_id) {
    for (auto& [id, worker] : by_taskmanager) {
      if (worker.gateway.get() != gateway) continue;
      *taskmanager_id = id;
      return &worker;
    }
    return nullptr;
  }
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_WORKER_SET_H_
