// penstock run: plan, upload, submit, and watch unless detached.
#ifndef PENSTOCK_CLI_RUN_COMMAND_H_
#define PENSTOCK_CLI_RUN_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/command_context.h"
#include "cli/exit_codes.h"

namespace penstock::cli {

struct RunOptions {
  std::string program;
  std::vector<std::string> arguments = {};
  int parallelism = 0;  // 0: parallelism.default
  bool detached = false;
  bool bundle = false;  // pack the program with its libraries first
  int64_t plan_timeout_ms = 60'000;
  std::string uid = {};        // instead of the program's own: a clone
  std::string savepoint = {};  // what it begins from: a path
  bool resume = false;         // or the newest checkpoint of its uid
  bool allow_empty = false;
  bool allow_non_restored = false;
  bool allow_duplicates = false;
};

// kExitOk, or in the foreground kExitJobFailed, kExitJobCanceled, kExitInterrupted.
absl::StatusOr<ExitCode> RunJob(const CommandContext& context, const RunOptions& options);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_RUN_COMMAND_H_
