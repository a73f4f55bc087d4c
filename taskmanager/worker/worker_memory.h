// The memory of a worker while it runs: who holds what, reported with every heartbeat, and kept within the grant.
//
// Owner: the executor, under its lock. pool and backends outlive this.
#ifndef PENSTOCK_TASKMANAGER_WORKER_WORKER_MEMORY_H_
#define PENSTOCK_TASKMANAGER_WORKER_WORKER_MEMORY_H_

#include <cstdint>

#include "proto/control.pb.h"
#include "runtime/core/memory/memory_arbiter.h"
#include "runtime/record/buffer_pool.h"
#include "taskmanager/worker/state_backends.h"

namespace penstock::worker {

class WorkerMemory {
 public:
  WorkerMemory(int64_t grant_bytes, const MemoryBytes& shares, const BufferPool& pool, int64_t segment_bytes,
               StateBackends& backends)
      : arbiter_(grant_bytes, shares), pool_(pool), segment_bytes_(segment_bytes), backends_(backends) {}

  // Once per heartbeat. metrics has the resident bytes; the memory's figures are added.
  void Watch(proto::WorkerMetrics* metrics);

 private:
  MemoryArbiter arbiter_;
  const BufferPool& pool_;
  const int64_t segment_bytes_;
  StateBackends& backends_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_WORKER_MEMORY_H_
