// A whole cluster inside this process: the JobManager's actors and hosts whose workers are threads. The same objects
// as in the processes, on in-process connections; a job program that is run alone uses it, and so do tests.
//
// Thread-safe. Lifetime: the destructor cancels what runs and waits for it. A worker whose tasks ignore cancellation
// cannot be killed here: it is reported and left behind.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_LOCAL_CLUSTER_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_LOCAL_CLUSTER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/job_manager.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "taskmanager/program/in_process_host.h"
#include "taskmanager/program/in_process_transport.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::taskmanager {

struct LocalClusterOptions {
  int32_t taskmanagers = 1;
  int32_t slots_per_taskmanager = 1;
  jobmanager::JobOptions job;      // heartbeats, cancellation, restart, configuration for workers
  int64_t memory_limit_bytes = 0;  // of each TaskManager; 0: unknown
};

class LocalCluster {
 public:
  // `factory` makes the executor of each worker. InvalidArgument: an option is out of range.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(LocalClusterOptions options,
                                                             worker::ExecutorFactory factory,
                                                             const Clock& clock = Clock::System());
  ~LocalCluster();

  // The job's id.
  absl::StatusOr<std::string> Submit(const proto::JobGraph& graph, std::vector<std::string> arguments = {},
                                     std::map<std::string, std::string> config = {});
  // Waits until the job has ended. OK: FINISHED; Cancelled; Aborted: FAILED, with the root cause as message;
  // DeadlineExceeded after the timeout.
  absl::Status AwaitEnd(const std::string& job_id, std::chrono::milliseconds timeout = std::chrono::hours(24 * 365));
  absl::Status Cancel(const std::string& job_id) { return commands().Cancel(job_id); }

  // One more host, as if a TaskManager joined. Returns its id.
  std::string AddTaskManager(int32_t slots) ABSL_LOCKS_EXCLUDED(mutex_);
  // For tests: the host leaves orderly, or falls silent without leaving.
  void StopTaskManager(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void MuteTaskManager(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  jobmanager::Commands& commands() { return job_manager_->commands(); }
  jobmanager::ControlService& control() { return job_manager_->control(); }
  const jobmanager::SnapshotHolder& snapshots() const { return job_manager_->snapshots(); }
  // nullptr when the job is unknown.
  std::shared_ptr<const jobmanager::JobSnapshot> Job(const std::string& job_id) const;

 private:
  LocalCluster(LocalClusterOptions options, worker::ExecutorFactory factory, const Clock& clock,
               std::unique_ptr<jobmanager::JobManager> job_manager);

  // Constant after construction.
  const LocalClusterOptions options_;
  const worker::ExecutorFactory factory_;
  const Clock& clock_;
  const std::unique_ptr<jobmanager::JobManager> job_manager_;
  InProcessTransport transport_;

  Mutex mutex_;
  std::map<std::string, std::unique_ptr<InProcessHost>> hosts_ ABSL_GUARDED_BY(mutex_);
  int hosts_made_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The first failure of an ended job as one line: "Map -> Sink (3/8): message".
std::string RootFailureText(const jobmanager::JobSnapshot& job);

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_LOCAL_CLUSTER_H_
