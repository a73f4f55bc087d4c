// Gathers what the tasks of a worker hand in for a checkpoint, makes it durable, and acknowledges all of it at once
// (protocols.md C8).
//
// Thread-safe; owned by the executor. Uploads run on threads of its own, one for checkpoints and one for bases, so that
// no task waits for storage and no checkpoint for a base. A subtask that has come to its end stands with what it handed
// in last for every later checkpoint. Limits: what was given up or overtaken is dropped, so at most kOpenCheckpointsMax
// are gathered at once.
#ifndef PENSTOCK_TASKMANAGER_WORKER_CHECKPOINT_COLLECTOR_H_
#define PENSTOCK_TASKMANAGER_WORKER_CHECKPOINT_COLLECTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "proto/checkpoint.pb.h"
#include "runtime/core/actor.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/task/task_info.h"
#include "runtime/task/task_snapshot.h"
#include "taskmanager/worker/local_copies.h"
#include "taskmanager/worker/state_upload.h"
#include "taskmanager/worker/task_executor.h"

namespace penstock::worker {

inline constexpr size_t kOpenCheckpointsMax = 4;
// What was acknowledged and has no outcome after this time is asked for, again and again (protocols.md B3).
inline constexpr int64_t kOutcomeAskMs = 1'000;

class CheckpointCollector {
 public:
  using Subtask = std::pair<std::string, int>;  // vertex id, subtask

  // Told on the uploader's thread what became of a base.
  using BaseDone = std::function<void(const TaskInfo& task, uint64_t base_id, bool durable)>;

  // subtasks: all of this worker. prefix: of the objects this worker writes. copies_dir: of LocalCopies. events and
  // clock outlive the collector.
  CheckpointCollector(std::string generation, std::set<Subtask> subtasks, std::shared_ptr<Storage> storage,
                      std::string prefix, std::string copies_dir, BaseDone base_done, TaskEvents& events,
                      const Clock& clock);
  ~CheckpointCollector();

  void OnTrigger(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnSnapshot(const TaskInfo& info, TaskSnapshot snapshot, bool last) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnNewBase(const TaskInfo& info, ChainPart base);
  // Nothing up to this id is gathered any more.
  void OnDecided(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAborted(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct HandedIn {
    TaskInfo info;
    TaskSnapshot snapshot;
  };
  struct Open {
    std::map<Subtask, HandedIn> handed_in;
  };

  Open* FindOrOpen(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UploadWhenWhole(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Upload(uint64_t id, std::map<Subtask, HandedIn> handed_in, const std::set<Subtask>& finished);

  void AskWhenUnknown(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status FillAck(uint64_t id, const std::map<Subtask, HandedIn>& handed_in, const std::set<Subtask>& finished,
                       proto::CheckpointAck& ack, std::vector<StateFilePtr>& files);

  const std::string generation_;
  const std::set<Subtask> subtasks_;
  const BaseDone base_done_;
  TaskEvents& events_;
  const Clock& clock_;

  Mutex mutex_;
  std::map<uint64_t, Open> open_ ABSL_GUARDED_BY(mutex_);
  std::map<Subtask, HandedIn> last_ ABSL_GUARDED_BY(mutex_);  // of subtasks that have ended
  int64_t done_ ABSL_GUARDED_BY(mutex_) = -1;                 // the largest id that is over
  int64_t outcome_ ABSL_GUARDED_BY(mutex_) = -1;              // the largest id with a known outcome
  int64_t acked_ ABSL_GUARDED_BY(mutex_) = -1;                // the largest id that was acknowledged

  StateUpload upload_;  // the uploader's thread only, as are the copies
  LocalCopies copies_;
  // Last: their threads use all of the above.
  Actor uploader_;
  Actor bases_;  // they are long, and no checkpoint waits for one
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_CHECKPOINT_COLLECTOR_H_
