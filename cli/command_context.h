// What every command gets: the global options, the configuration, and where to print.
#ifndef PENSTOCK_CLI_COMMAND_CONTEXT_H_
#define PENSTOCK_CLI_COMMAND_CONTEXT_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/rest_client.h"
#include "runtime/core/config.h"

namespace penstock::cli {

struct CommandContext {
  std::string executable_dir;  // of `penstock` itself
  std::string jobmanager;      // -m; empty: the local cluster's, else rest.address:rest.port
  std::string config_file;
  std::vector<std::string> defines;  // key=value of -D, in order
  bool json = false;
};

// InvalidArgument names the key, its source and the nearest one.
absl::StatusOr<Config> LoadConfig(const CommandContext& context);
// The pairs of -D.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseDefines(const std::vector<std::string>& defines);
absl::StatusOr<RestTarget> FindJobManager(const CommandContext& context);
absl::StatusOr<RestClient> Connect(const CommandContext& context);

void PrintText(const std::string& text);  // to stdout, flushed
void PrintJson(const nlohmann::json& value);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_COMMAND_CONTEXT_H_
