// Where the tasks of one worker keep their keyed state: what each gets of the worker's memory and disk.
//
// Owner: the executor; outlives its tasks. Bases are made on one thread of its own.
#ifndef PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_
#define PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/core/actor.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/state/rocks_tier.h"
#include "runtime/task/task_info.h"

namespace penstock::worker {

struct StateOptions {
  bool rocksdb = true;                    // state.backend.type; false: hashmap, everything in memory
  int64_t memory_bytes = 512 << 20;       // state.memory.size: of all tasks of the worker
  int64_t write_buffer_bytes = 16 << 20;  // state.backend.rocksdb.writebuffer.size
  int max_background_jobs = 2;            // state.backend.rocksdb.thread.num
  bool dynamic_levels = true;             // state.backend.rocksdb.compaction.level.use-dynamic-size
  RocksCompression compression = RocksCompression::kLz4;
};

class StateBackends {
 public:
  StateBackends(StateOptions options, std::string directory, const Clock& clock)
      : options_(options), directory_(std::move(directory)), clock_(clock), background_("state", clock) {}

  // Before the first For: among how many tasks the memory is shared.
  void SetStatefulTasks(int tasks) { tasks_ = tasks > 0 ? tasks : 1; }
  // has_state: the chain keeps keyed state. generation: of the attempt; with checkpoints only.
  KeyedBackendOptions For(const TaskInfo& info, bool has_state, bool checkpoints, const std::string& generation);

 private:
  const StateOptions options_;
  const std::string directory_;
  const Clock& clock_;
  int tasks_ = 1;
  std::shared_ptr<RocksResources> rocks_;
  Actor background_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_STATE_BACKENDS_H_
