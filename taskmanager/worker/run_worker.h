// The worker mode of a job program: what `<program> worker` runs.
#ifndef PENSTOCK_TASKMANAGER_WORKER_RUN_WORKER_H_
#define PENSTOCK_TASKMANAGER_WORKER_RUN_WORKER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/control.pb.h"
#include "runtime/metrics/metrics.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::worker {

inline constexpr uint32_t kSpecBytesMax = 64 << 20;

// A WorkerSpec as the host sends it: a 4-byte little-endian length, then the message.
absl::StatusOr<proto::WorkerSpec> ReadWorkerSpec(int fd);

// Reads the specification from standard input, installs the crash handler, connects to the JobManager and runs what it
// asks for, with /metrics of `registry` served on a free port. Returns the exit code for main (exit_codes.h); does not
// return when the host dies or when tasks ignore their cancellation: then the process ends at once.
int RunWorker(const ExecutorFactory& factory, const MetricRegistry& registry);

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_RUN_WORKER_H_
