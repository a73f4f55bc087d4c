#include "cli/config_commands.h"

#include <nlohmann/json.hpp>

#include "runtime/core/status.h"

namespace penstock::cli {

using nlohmann::json;

absl::Status ExplainConfig(const CommandContext& context, const std::string& key) {
  if (!key.empty() && FindConfigKey(key) == nullptr) {
    return InvalidArgument("unknown config key '{}'; the nearest is '{}'", key, NearestConfigKey(key));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, LoadConfig(context));
  json shown = json::array();
  for (const ConfigKey& one : ConfigKeys()) {
    if (!key.empty() && one.name != key) continue;
    const Config::Entry entry = config.ExplainForPeople(one.name);
    shown.push_back({{"key", one.name}, {"value", entry.value}, {"origin", entry.origin}, {"help", one.help}});
    if (context.json) continue;
    PrintText(fmt::format("{} = {}  ({})\n", one.name, entry.value, entry.origin));
    if (!key.empty()) {
      PrintText(fmt::format("  {}\n  {}, default '{}', environment {}\n", one.help, ConfigTypeName(one.type),
                            one.default_value, EnvironmentNameOf(one.name)));
    }
  }
  if (context.json) PrintJson(shown);
  return absl::OkStatus();
}

std::string ConfigReference() {
  std::string page =
      "# Configuration reference\n\n"
      "Made by `penstock config reference`; a test compares the two. One YAML file (`--config`), `PENSTOCK_*`\n"
      "environment variables and `-Dkey=value` set these keys; later ones win. `penstock config explain [key]` shows\n"
      "each value and where it came from. Durations: `200 ms`, `5 s`, `1 min`; sizes: `32 kb`, `256 mb`.\n\n"
      "| key | type | default | what |\n|---|---|---|---|\n";
  for (const ConfigKey& key : ConfigKeys()) {
    std::string choices(key.choices);
    for (size_t at = 0; (at = choices.find('|', at)) != std::string::npos; at += 2) choices.replace(at, 1, ", ");
    page += fmt::format("| `{}` | {} | {} | {}{} |\n", key.name, ConfigTypeName(key.type),
                        key.default_value.empty() ? "" : fmt::format("`{}`", key.default_value), key.help,
                        choices.empty() ? "" : " One of: " + choices + ".");
  }
  return page;
}

}  // namespace penstock::cli
