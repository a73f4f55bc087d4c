// What the mains of the server processes share: the command line, signals, the ports file.
#ifndef PENSTOCK_RUNTIME_CORE_PROCESS_MAIN_H_
#define PENSTOCK_RUNTIME_CORE_PROCESS_MAIN_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/config.h"

namespace penstock {

// Exit codes of the server processes.
inline constexpr int kExitOk = 0;              // ended by SIGTERM or SIGINT, drained
inline constexpr int kExitStartFailed = 1;     // a port is taken, a directory cannot be made, ...
inline constexpr int kExitUsage = 2;           // a bad argument or configuration
inline constexpr int kExitLeadershipLost = 3;  // another JobManager leads, or this one cannot prove that it does

// Understands `--config FILE`, `-Dkey=value` (repeated), `--help` and `--version`, and PENSTOCK_* of the environment.
// Cancelled: help or the version was printed, exit with kExitOk.
absl::StatusOr<Config> ConfigFromCommandLine(int argc, char** argv, const std::string& process_name);

// The content of the file of `cluster.token-file` without its last newline; empty when none is configured.
// FailedPrecondition: it cannot be read, or is empty.
absl::StatusOr<std::string> ReadClusterToken(const Config& config);

// Blocks SIGTERM and SIGINT in this thread and those it starts later; call it first in main.
void BlockTerminationSignals();
// Waits for one of them. Afterwards a second one kills the process, so that nobody has to wait for a drain that hangs.
void AwaitTerminationSignal();

// Writes key=value lines to `path` in one step: readers see the whole file or none.
absl::Status WritePortsFile(const std::string& path, const std::map<std::string, std::string>& ports);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_PROCESS_MAIN_H_
