// penstock state inspect, savepoint diff: what lies in a savepoint, and what a program would make of it.
#ifndef PENSTOCK_CLI_STATE_COMMANDS_H_
#define PENSTOCK_CLI_STATE_COMMANDS_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/command_context.h"
#include "cli/job_program.h"
#include "proto/checkpoint.pb.h"

namespace penstock::cli {

struct InspectOptions {
  std::string path;     // of a savepoint or manifest, read by this process
  std::string program;  // reads the keys; empty: without them
  int64_t timeout_ms = 600'000;
};
absl::Status InspectState(const CommandContext& context, const InspectOptions& options);

struct DiffOptions {
  std::string path;
  PlanRequest plan;
};
// FailedPrecondition when the program could not begin from it; what would have to be done is printed with the rest.
absl::Status DiffSavepoint(const CommandContext& context, const DiffOptions& options);

// What a manifest tells by itself. Pure.
nlohmann::json DescribeManifest(const proto::Manifest& manifest);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_STATE_COMMANDS_H_
