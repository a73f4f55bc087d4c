#include "cli/command_context.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/cluster_state.h"
#include "runtime/core/local_token.h"
#include "runtime/core/status.h"

namespace penstock::cli {

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseDefines(const std::vector<std::string>& defines) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& define : defines) {
    const size_t equals = define.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument("-D {} has no value: write -Dkey=value", define);
    }
    pairs.emplace_back(define.substr(0, equals), define.substr(equals + 1));
  }
  return pairs;
}

absl::StatusOr<Config> LoadConfig(const CommandContext& context) {
  ConfigSources sources{.file = context.config_file, .environment = PenstockEnvironment()};
  PENSTOCK_ASSIGN_OR_RETURN(sources.overrides, ParseDefines(context.defines));
  return Config::Load(sources);
}

absl::StatusOr<RestTarget> FindJobManager(const CommandContext& context) {
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, LoadConfig(context));
  const ClusterState state;
  const auto ports = state.JobManagerPorts();
  const auto local = ports.find("rest");
  RestTarget target{.address = context.jobmanager, .token_file = config.GetString("rest.local-token-file")};
  if (target.address.empty()) {
    const bool configured =
        config.Explain("rest.port").origin != "default" || config.Explain("rest.address").origin != "default";
    target.address = local != ports.end() && !configured
                         ? local->second
                         : fmt::format("{}:{}", config.GetString("rest.address"), config.GetInt("rest.port"));
  }
  const size_t colon = target.address.rfind(':');
  const int port = colon == std::string::npos ? 0 : std::atoi(target.address.c_str() + colon + 1);
  if (colon == 0 || port <= 0 || port > 65535) {
    return InvalidArgument("-m '{}' is no host:port, such as 127.0.0.1:8081", target.address);
  }
  if (target.token_file.empty()) {
    const auto token_file = ports.find("rest_token_file");
    const bool is_local = local != ports.end() && local->second == target.address && token_file != ports.end();
    target.token_file = is_local ? token_file->second : DefaultLocalTokenFile(port);
  }
  return target;
}

absl::StatusOr<RestClient> Connect(const CommandContext& context) {
  PENSTOCK_ASSIGN_OR_RETURN(RestTarget target, FindJobManager(context));
  return RestClient(std::move(target));
}

void PrintText(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void PrintJson(const nlohmann::json& value) {
  PrintText(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace penstock::cli
