// Where the tasks of one worker keep their keyed state: what each gets of the worker's memory and disk.
//
// Owner: the executor, under its lock; outlives its tasks. Bases are made on one thread of its own.
#ifndef PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_
#define PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/actor.h"
#include "runtime/core/memory/memory_arbiter.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/state/rocks_tier.h"
#include "runtime/task/task_info.h"

namespace penstock::worker {

struct StateOptions {
  bool rocksdb = true;                    // state.backend.type; false: hashmap, everything in memory
  int64_t memory_bytes = 0;               // state.memory.size: of all tasks of the worker; 0: what the grant leaves
  int64_t write_buffer_bytes = 16 << 20;  // state.backend.rocksdb.writebuffer.size
  int max_background_jobs = 2;            // state.backend.rocksdb.thread.num
  bool dynamic_levels = true;             // state.backend.rocksdb.compaction.level.use-dynamic-size
  RocksCompression compression = RocksCompression::kLz4;
  int64_t block_cache_bytes = 0;         // state.backend.rocksdb.block.cache-size; 0: a share
  int write_buffers_max = 2;             // state.backend.rocksdb.writebuffer.count
  int64_t block_bytes = 8 << 10;         // state.backend.rocksdb.block.blocksize
  int64_t target_file_bytes = 64 << 20;  // state.backend.rocksdb.compaction.level.target-file-size-base
  double bloom_bits_per_key = 10;        // state.backend.rocksdb.bloom-filter.bits-per-key
};

class StateBackends {
 public:
  StateBackends(StateOptions options, std::string directory, const Clock& clock)
      : options_(options), directory_(std::move(directory)), clock_(clock), background_("state", clock) {}

  // Before the first For: what there is, and among how many tasks.
  void SetMemory(const MemoryBytes& shares, int tasks);
  // Later, by whoever watches the memory: new budgets, and what is held. Safe from other threads.
  void Rebudget(const MemoryBytes& budgets);
  void AddUsed(MemoryBytes& used) const;
  // has_state: the chain keeps keyed state. generation: of the attempt; with checkpoints only.
  KeyedBackendOptions For(const TaskInfo& info, bool has_state, bool checkpoints, const std::string& generation);

 private:
  const StateOptions options_;
  const std::string directory_;
  const Clock& clock_;
  MemoryBytes shares_;
  int tasks_ = 1;
  std::shared_ptr<RocksResources> rocks_;
  std::vector<std::shared_ptr<HotBudget>> hot_;  // of each task
  Actor background_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_
