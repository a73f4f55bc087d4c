// penstock config explain | reference.
#ifndef PENSTOCK_CLI_CONFIG_COMMANDS_H_
#define PENSTOCK_CLI_CONFIG_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "cli/command_context.h"

namespace penstock::cli {

// Value and origin of one key, or of all.
absl::Status ExplainConfig(const CommandContext& context, const std::string& key);
// docs/config_reference.md, from the table of keys.
std::string ConfigReference();

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CONFIG_COMMANDS_H_
