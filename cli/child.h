// Runs a program to its end and keeps what it printed. Bounded in time and output.
#ifndef PENSTOCK_CLI_CHILD_H_
#define PENSTOCK_CLI_CHILD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::cli {

inline constexpr size_t kChildOutputBytesMax = 64 << 20;

struct ChildSpec {
  std::vector<std::string> command;                     // command[0]: path of the program
  std::string input = {};                               // its standard input
  std::map<std::string, std::string> environment = {};  // besides this process's own
  int64_t timeout_ms = 60'000;
};

struct ChildResult {
  int exit_code = 0;  // -1 when ended by a signal
  int signal = 0;
  bool timed_out = false;  // then it was killed, with its process group
  std::string out;
  std::string err;
};

// An error only when it can't be started at all. Blocks.
absl::StatusOr<ChildResult> RunChild(const ChildSpec& spec);

// Starts a program that outlives this process, in a session of its own, with its output appended to a file.
absl::StatusOr<int> StartDaemon(const std::vector<std::string>& command, const std::string& output_file);

// Waits without holding a core.
void PauseMs(int64_t time_ms);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CHILD_H_
