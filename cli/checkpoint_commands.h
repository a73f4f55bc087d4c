// penstock savepoint, checkpoint, stop, rescale.
#ifndef PENSTOCK_CLI_CHECKPOINT_COMMANDS_H_
#define PENSTOCK_CLI_CHECKPOINT_COMMANDS_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/command_context.h"

namespace penstock::cli {

// Each waits for the outcome; Aborted when it could not be taken. Ctrl-C ends the waiting, not what was asked for.
absl::Status TakeCheckpoint(const CommandContext& context, const std::string& job_id);
// directory: where the savepoint is copied; empty: as the cluster is configured.
absl::Status TakeSavepoint(const CommandContext& context, const std::string& job_id, const std::string& directory);

struct StopOptions {
  std::string job_id;
  bool drain = false;  // all windows and timers fire first
  std::string directory;
};
absl::Status StopJob(const CommandContext& context, const StopOptions& options);

struct RescaleOptions {
  std::string job_id;
  int parallelism = 0;
  std::string program;  // empty: as the JobManager has it
  int64_t plan_timeout_ms = 60'000;
};
absl::Status RescaleJob(const CommandContext& context, const RescaleOptions& options);

// `checkpoints` of a status for people, in lines; empty when the job takes none. Pure.
std::string CheckpointsText(const nlohmann::json& checkpoints, int64_t now_ms);
// What a request does just now, for people: "copying: 40 %". Pure.
std::string ProgressText(const nlohmann::json& request, const nlohmann::json& checkpoints);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CHECKPOINT_COMMANDS_H_
