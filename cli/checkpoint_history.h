// penstock checkpoints: what is remembered of a job's checkpoints, and where the time of one went.
#ifndef PENSTOCK_CLI_CHECKPOINT_HISTORY_H_
#define PENSTOCK_CLI_CHECKPOINT_HISTORY_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/command_context.h"

namespace penstock::cli {

// checkpoint: an id, or empty for all that are remembered.
absl::Status ShowCheckpoints(const CommandContext& context, const std::string& job_id, const std::string& checkpoint);

// The answers of /v2/jobs/:id/checkpoints and /v2/jobs/:id/checkpoints/:checkpointid for people. Pure.
std::string CheckpointHistoryText(const nlohmann::json& answer);
std::string CheckpointDetailsText(const nlohmann::json& details);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CHECKPOINT_HISTORY_H_
