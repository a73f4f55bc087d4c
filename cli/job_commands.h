// penstock list, cancel, status, memory, logs, info, bundle.
#ifndef PENSTOCK_CLI_JOB_COMMANDS_H_
#define PENSTOCK_CLI_JOB_COMMANDS_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/command_context.h"
#include "cli/job_program.h"

namespace penstock::cli {

// InvalidArgument: not 32 hex digits.
absl::Status CheckJobId(const std::string& job_id);

absl::Status ListJobs(const CommandContext& context, bool all);
absl::Status CancelJob(const CommandContext& context, const std::string& job_id);
absl::Status ShowStatus(const CommandContext& context, const std::string& job_id);
absl::Status ShowMemory(const CommandContext& context, const std::string& job_id);
// What the job's workers wrote to stderr: of the newest attempt, or of all.
absl::Status ShowLogs(const CommandContext& context, const std::string& job_id, bool all_attempts);
absl::Status ShowInfo(const CommandContext& context, const PlanRequest& request);

struct BundleOptions {
  std::string program;
  std::string output;              // empty: <program>.tar.zst
  std::vector<std::string> files;  // path or path=name under data/
};
absl::Status MakeBundle(const CommandContext& context, const BundleOptions& options);

// The answer of /v2/jobs/:id for people. Pure.
std::string StatusText(const nlohmann::json& status);
// The same for /v2/jobs/:id/memory.
std::string MemoryText(const nlohmann::json& memory);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_JOB_COMMANDS_H_
