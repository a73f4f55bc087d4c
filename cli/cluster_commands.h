// penstock cluster start | stop | status: a JobManager and TaskManagers on this machine.
#ifndef PENSTOCK_CLI_CLUSTER_COMMANDS_H_
#define PENSTOCK_CLI_CLUSTER_COMMANDS_H_

#include "absl/status/status.h"
#include "cli/command_context.h"

namespace penstock::cli {

inline constexpr int kTaskManagersMax = 64;

struct ClusterStartOptions {
  int taskmanagers = 1;
  int slots = 2;
};
// Starts the processes and waits until the TaskManagers are registered; on a failure ends what it started and shows
// the log's last lines.
absl::Status ClusterStart(const CommandContext& context, const ClusterStartOptions& options);
// Ends exactly the processes it started: SIGTERM, then SIGKILL.
absl::Status ClusterStop(const CommandContext& context);
absl::Status ClusterStatus(const CommandContext& context);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CLUSTER_COMMANDS_H_
