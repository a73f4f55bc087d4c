// How long a worker that hears no JobManager may go on: the JobManager waits as long before it takes its end for
// granted.
#ifndef PENSTOCK_RUNTIME_CORE_LEASE_H_
#define PENSTOCK_RUNTIME_CORE_LEASE_H_

#include <cstdint>

namespace penstock {

inline constexpr int64_t kWorkerLeaseFactor = 3;

inline constexpr int64_t WorkerLeaseMs(int64_t heartbeat_timeout_ms) {
  return kWorkerLeaseFactor * heartbeat_timeout_ms;
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_LEASE_H_
