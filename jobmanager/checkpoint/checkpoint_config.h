// How a job is checkpointed.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_CONFIG_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace penstock {
class Config;
}

namespace penstock::jobmanager {

struct CheckpointConfig {
  std::string storage;      // execution.checkpointing.dir; empty: no checkpoints at all
  int64_t interval_ms = 0;  // 0: only those that somebody asks for
  int64_t timeout_ms = 600'000;
  int64_t min_pause_ms = 0;         // between the end of one and the trigger of the next
  int64_t tolerable_failures = -1;  // in a row; -1: any number
  int64_t retained = 3;             // decided checkpoints that are kept
  std::string cluster_id = "penstock";
  std::string savepoint_directory;  // of savepoints that name none; empty: they stay beside the checkpoints
  std::string state_backend = "rocksdb";
  uint64_t leader_epoch = 0;  // of who decides; 0: there is only one JobManager

  bool enabled() const { return !storage.empty(); }

  // FailedPrecondition: an interval without a directory.
  static absl::StatusOr<CheckpointConfig> From(const Config& config);
};

// Any text as one part of an object's name, and no two texts alike.
std::string EscapedName(std::string_view text);
// Where a job's checkpoints lie in the storage. Any uid makes a valid object name, and no two the same.
std::string JobDirectoryOf(std::string_view uid);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_CONFIG_H_
