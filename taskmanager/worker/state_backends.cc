#include "taskmanager/worker/state_backends.h"

#include "runtime/core/status.h"

namespace penstock::worker {
namespace {

// Of the memory for state: the hot tier is where streaming lives.
constexpr int64_t kHotShareOf8 = 6;
constexpr int64_t kBlockCacheShareOf8 = 1;

}  // namespace

KeyedBackendOptions StateBackends::For(const TaskInfo& info, bool has_state, bool checkpoints,
                                       const std::string& generation) {
  KeyedBackendOptions keyed;
  keyed.range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
  keyed.key_groups = info.key_groups;
  keyed.clock = &clock_;
  keyed.track_changes = checkpoints;
  if (!has_state) return keyed;
  keyed.file_prefix =
      fmt::format("{}-{}-{}", generation.empty() ? "local" : generation, info.vertex_id.substr(0, 8), info.subtask);
  keyed.background = [this](std::function<void()> work) { background_.Post(std::move(work)); };
  if (directory_.empty()) return keyed;
  keyed.local_directory = directory_;
  if (!options_.rocksdb) return keyed;
  const int64_t hot_bytes = options_.memory_bytes * kHotShareOf8 / 8;
  const int64_t cache_bytes = options_.memory_bytes * kBlockCacheShareOf8 / 8;
  if (rocks_ == nullptr) rocks_ = MakeRocksResources(cache_bytes, options_.memory_bytes - hot_bytes - cache_bytes);
  keyed.hot_bytes_max = hot_bytes / tasks_;
  keyed.cold = MakeRocksTier({.directory = fmt::format("{}/rocksdb-{}", directory_, keyed.file_prefix),
                              .file_prefix = keyed.file_prefix,
                              .range = keyed.range,
                              .key_groups = keyed.key_groups,
                              .clock = &clock_,
                              .allow_non_restored = true,
                              .write_buffer_bytes = options_.write_buffer_bytes,
                              .max_background_jobs = options_.max_background_jobs,
                              .level_compaction_dynamic_level_bytes = options_.dynamic_levels,
                              .compression = options_.compression,
                              .resources = rocks_});
  return keyed;
}

}  // namespace penstock::worker
