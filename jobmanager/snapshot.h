// The cached picture of the cluster that REST answers from. The dispatcher rebuilds it after changes and at most every
// snapshot interval; readers hold a shared_ptr to an immutable value, so no request ever waits for an actor.
#ifndef PENSTOCK_JOBMANAGER_SNAPSHOT_H_
#define PENSTOCK_JOBMANAGER_SNAPSHOT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_config.h"
#include "jobmanager/checkpoint/checkpoint_record.h"
#include "proto/control.pb.h"
#include "proto/graph.pb.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

enum class JobState {
  kInitializing,
  kCreated,
  kRunning,
  kFailing,
  kFailed,
  kCancelling,
  kCanceled,
  kFinished,
  kRestarting
};
// Flink's spelling: "RUNNING", "CANCELLING", "CANCELED", ...
const char* JobStateName(JobState state);
bool IsTerminal(JobState state);

struct SubtaskSnapshot {
  int32_t subtask = 0;
  uint32_t attempt = 0;
  proto::TaskState state = proto::CREATED;
  std::string taskmanager_id;
  std::string endpoint;                     // host:data port, "(unassigned)" before deployment
  std::map<int, int64_t> state_entered_ms;  // by proto::TaskState, of the current attempt
  int64_t end_ms = -1;
  proto::TaskMetrics metrics;  // the last report
};

struct VertexSnapshot {
  proto::Vertex vertex;
  std::vector<SubtaskSnapshot> subtasks;
};

// The memory of a worker, as it reported it last.
struct WorkerMemory {
  std::string taskmanager_id;
  int32_t pid = 0;
  int64_t grant_bytes = 0;  // 0: none was given
  int64_t rss_bytes = 0;
  bool pressure = false;
  std::vector<proto::MemoryUse> uses;
};

struct FailureSnapshot {
  int64_t time_ms = 0;
  proto::Failure failure;
  std::string task_name;  // "Map -> Sink (3/8)"; empty: the job as a whole
  std::string operator_name;
  std::string endpoint;
  std::string taskmanager_id;
};

struct CheckpointsView {
  CheckpointConfig config;
  CheckpointCounts counts;
  std::vector<CheckpointRecord> history;  // newest first
  std::vector<RequestRecord> requests;    // newest first
  int64_t restored_ms = 0;                // when the attempt began
  std::optional<RestorePoint> restored;   // what the attempt began from
  std::optional<RestorePoint> latest;     // what the next one would begin from
};

struct JobSnapshot {
  std::string id;  // 32 hex digits
  std::string name;
  std::string uid;
  JobState state = JobState::kInitializing;
  std::map<int, int64_t> state_entered_ms;  // by JobState; first time each was entered
  int64_t start_ms = 0;
  int64_t end_ms = -1;
  int64_t last_modified_ms = 0;
  uint32_t attempt = 0;
  int32_t parallelism = 0;
  std::string digest;
  bool is_bundle = false;
  std::vector<std::string> arguments;
  std::string waits_for;  // why it does not run: "waiting for 4 slots: have 2"; empty otherwise
  proto::JobGraph graph;
  std::vector<VertexSnapshot> vertices;                // in the graph's order
  std::vector<WorkerMemory> worker_memory;             // of the current attempt, by TaskManager
  std::vector<FailureSnapshot> failures;               // newest first, at most kFailuresKept
  std::shared_ptr<const CheckpointsView> checkpoints;  // null: the job takes none
};

struct TaskManagerSnapshot {
  std::string id;
  std::string address;  // host of its data plane
  int64_t last_heartbeat_ms = 0;
  int32_t slots = 0;
  int32_t free_slots = 0;
  proto::HostHello hello;
  struct Allocation {
    std::string job_id;
    int32_t slots = 0;
  };
  std::vector<Allocation> allocations;
};

struct ClusterSnapshot {
  int64_t time_ms = 0;
  std::vector<std::shared_ptr<const JobSnapshot>> jobs;  // newest first
  std::vector<TaskManagerSnapshot> taskmanagers;         // registered ones, by id
};

inline constexpr int kFailuresKept = 50;

// Holds the newest snapshot. Thread-safe.
class SnapshotHolder {
 public:
  std::shared_ptr<const ClusterSnapshot> Get() const {
    MutexLock lock(&mutex_);
    return snapshot_;
  }
  void Set(std::shared_ptr<const ClusterSnapshot> snapshot) {
    MutexLock lock(&mutex_);
    snapshot_ = std::move(snapshot);
    changed_.NotifyAll();
  }
  // The newest snapshot once it is another one than `seen`, or when the time is over.
  std::shared_ptr<const ClusterSnapshot> AwaitChange(const std::shared_ptr<const ClusterSnapshot>& seen,
                                                     std::chrono::milliseconds timeout) const {
    MutexLock lock(&mutex_);
    if (snapshot_ == seen) changed_.WaitFor(&mutex_, timeout);
    return snapshot_;
  }

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::shared_ptr<const ClusterSnapshot> snapshot_ ABSL_GUARDED_BY(mutex_) = std::make_shared<ClusterSnapshot>();
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_SNAPSHOT_H_
