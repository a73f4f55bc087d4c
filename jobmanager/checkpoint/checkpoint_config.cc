#include "jobmanager/checkpoint/checkpoint_config.h"

#include <cctype>

#include "runtime/core/config.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

absl::StatusOr<CheckpointConfig> CheckpointConfig::From(const Config& config) {
  const std::string prefix = "execution.checkpointing.";
  CheckpointConfig result;
  result.storage = config.GetString(prefix + "dir");
  result.interval_ms = config.GetDurationMs(prefix + "interval");
  result.timeout_ms = config.GetDurationMs(prefix + "timeout");
  result.min_pause_ms = config.GetDurationMs(prefix + "min-pause");
  result.tolerable_failures = config.GetInt(prefix + "tolerable-failed-checkpoints");
  result.retained = config.GetInt(prefix + "num-retained");
  result.cluster_id = config.GetString("cluster.id");
  result.savepoint_directory = config.GetString(prefix + "savepoint-dir");
  result.state_backend = config.GetString("state.backend.type");
  if (result.storage.empty() && result.interval_ms > 0) {
    return FailedPrecondition(
        "execution.checkpointing.interval is {} ms, but execution.checkpointing.dir names no storage: give a directory "
        "that all machines of the cluster see, such as file:///var/lib/penstock",
        result.interval_ms);
  }
  return result;
}

std::string EscapedName(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    name += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return name;
}

std::string JobDirectoryOf(std::string_view uid) { return "jobs/" + EscapedName(uid); }

}  // namespace penstock::jobmanager
