// The `state` mode of a job program: counts the keys of a savepoint, which takes RocksDB.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_STATE_MODE_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_STATE_MODE_H_

#include <string>

#include "absl/status/statusor.h"

namespace penstock::program {

// {"storage": URI, "manifest": name, "config": {key: value}, "config_file": path} → {"tables": [{uid, table, kind, key,
// value, keys, key_bytes, value_bytes}]} as JSON. directory: for what has to be unpacked. InvalidArgument, NotFound,
// DataLoss.
absl::StatusOr<std::string> DescribeState(const std::string& request, const std::string& directory);

// From standard input to standard output; the exit code.
int RunState();

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_STATE_MODE_H_
