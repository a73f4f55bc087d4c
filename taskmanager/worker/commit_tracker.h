// How far the sinks of all tasks of a worker have committed (protocols.md B3, B4): what its acknowledgement of a
// decision says.
//
// Thread-safe: told by tasks and by the control plane. Each method returns the checkpoint to acknowledge now, if any:
// the newest decided one, once every task has committed it, and again when its notice is repeated.
#ifndef PENSTOCK_TASKMANAGER_WORKER_COMMIT_TRACKER_H_
#define PENSTOCK_TASKMANAGER_WORKER_COMMIT_TRACKER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "runtime/core/mutex.h"

namespace penstock::worker {

class CommitTracker {
 public:
  using Subtask = std::pair<std::string, int>;  // vertex id, subtask

  explicit CommitTracker(const std::set<Subtask>& subtasks);

  std::optional<uint64_t> OnDecided(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // The task has committed everything up to id.
  std::optional<uint64_t> OnCommitted(const Subtask& subtask, uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // It has come to its end: it does that with nothing left to commit.
  std::optional<uint64_t> OnFinished(const Subtask& subtask) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::optional<uint64_t> Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::map<Subtask, std::optional<uint64_t>> committed_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> decided_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_COMMIT_TRACKER_H_
