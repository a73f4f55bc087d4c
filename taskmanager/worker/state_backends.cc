#include "taskmanager/worker/state_backends.h"

#include <algorithm>

#include "runtime/core/status.h"

namespace penstock::worker {

void StateBackends::SetMemory(const MemoryBytes& shares, int tasks) {
  shares_ = shares;
  tasks_ = std::max(tasks, 1);
}

void StateBackends::Rebudget(const MemoryBytes& budgets) {
  for (const auto& hot : hot_) hot->bytes_max = budgets[MemoryHolder::kHotState] / tasks_;
  if (rocks_ != nullptr) rocks_->SetCacheBytes(budgets[MemoryHolder::kBlockCache]);
}

void StateBackends::AddUsed(MemoryBytes& used) const {
  for (const auto& hot : hot_) {
    used[MemoryHolder::kHotState] += hot->bytes;
    used[MemoryHolder::kWriteAheadLog] += hot->segment_bytes;
  }
  if (rocks_ == nullptr) return;
  used[MemoryHolder::kBlockCache] += rocks_->cache_used_bytes();
  used[MemoryHolder::kMemtables] += rocks_->memtables_used_bytes();
}

KeyedBackendOptions StateBackends::For(const TaskInfo& info, bool has_state, bool checkpoints,
                                       const std::string& generation) {
  KeyedBackendOptions keyed;
  keyed.range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
  keyed.key_groups = info.key_groups;
  keyed.clock = &clock_;
  keyed.track_changes = checkpoints;
  keyed.budget = hot_.emplace_back(std::make_shared<HotBudget>());  // also for state that is in no table
  if (!has_state) return keyed;
  keyed.file_prefix =
      fmt::format("{}-{}-{}", generation.empty() ? "local" : generation, info.vertex_id.substr(0, 8), info.subtask);
  keyed.background = [this](std::function<void()> work) { background_.Post(std::move(work)); };
  if (directory_.empty()) return keyed;
  keyed.local_directory = directory_;
  if (!options_.rocksdb) return keyed;
  if (rocks_ == nullptr) {
    rocks_ = MakeRocksResources(shares_[MemoryHolder::kBlockCache], shares_[MemoryHolder::kMemtables]);
  }
  keyed.budget->bytes_max = shares_[MemoryHolder::kHotState] / tasks_;
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
                              .write_buffers_max = options_.write_buffers_max,
                              .block_bytes = options_.block_bytes,
                              .target_file_bytes = options_.target_file_bytes,
                              .bloom_bits_per_key = options_.bloom_bits_per_key,
                              .resources = rocks_});
  return keyed;
}

}  // namespace penstock::worker
