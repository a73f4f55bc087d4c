// The `txn` mode of a job program: looks at what its exactly-once sinks have committed and left open, or ends it.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_TXN_MODE_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_TXN_MODE_H_

#include <penstock/job.h>

#include <string>

#include "absl/status/statusor.h"

namespace penstock::program {

// {"arguments": [...], "parallelism": n, "slots": n, "cluster_id": ..., "uid": ..., "abort": bool} →
// {"slots": [{sink, slot, name, open, checkpoint, generation}]} as JSON; checkpoint is null without one.
// slots: how many of each sink, at least its parallelism.
absl::StatusOr<std::string> HandleTransactions(const JobDefinition& job, const std::string& request);

// From standard input to standard output; the exit code.
int RunTxn(const JobDefinition& job);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_TXN_MODE_H_
