// A TaskExecutor without an engine, for tests of the control plane. What its tasks do is told by the job's first
// argument; each task reports INITIALIZING, RUNNING and then:
//   finish        FINISHED          run   stays RUNNING until cancelled
//   fail          FAILED            hang  stays RUNNING and ignores cancellation until Release()
//   fail-once     FAILED in attempt 1, FINISHED after it
//   fail-final    FAILED, with a failure that is not retryable
//   peer-segv     subtasks 0 crash as "peer-segv" after a while; all others FAIL with "connection lost"
//   no-executor   the factory fails      bad-hash  another graph hash       no-deploy  Deploy fails
// For every other word `crash` runs on the task's thread, in the first subtask of each worker.
#ifndef PENSTOCK_TASKMANAGER_WORKER_TESTING_FAKE_EXECUTOR_H_
#define PENSTOCK_TASKMANAGER_WORKER_TESTING_FAKE_EXECUTOR_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/graph.pb.h"
#include "runtime/core/mutex.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::worker {

using CrashFunction = std::function<void(const std::string& mode)>;

class FakeExecutor final : public TaskExecutor {
 public:
  FakeExecutor(proto::WorkerSpec spec, TaskEvents& events, CrashFunction crash);
  ~FakeExecutor() override;
  std::string GraphHash() const override;
  std::string DataAddress() const override;
  absl::Status Deploy(const proto::DeployTasks& deploy) override;
  void Cancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  bool AwaitEnd(int64_t timeout_ms) override ABSL_LOCKS_EXCLUDED(mutex_);
  void CollectMetrics(proto::WorkerMetrics* metrics) override;
  void StartSources() override {}
  // Acknowledged at once for all subtasks of the worker.
  void TriggerCheckpoint(const proto::TriggerCheckpoint& trigger) override;
  void OnDecided(const proto::CheckpointDecided&) override {}
  void OnAborted(const proto::CheckpointAborted&) override {}

 private:
  void RunTask(const proto::SubtaskRef& ref, bool first);
  void Report(const proto::SubtaskRef& ref, proto::TaskState state, const std::string& message = "");

  const proto::WorkerSpec spec_;
  TaskEvents& events_;
  const CrashFunction crash_;
  std::vector<proto::SubtaskRef> refs_;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;
  bool canceled_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  size_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

ExecutorFactory MakeFakeFactory(CrashFunction crash = {});

// A graph of two vertices of this parallelism that passes every check. Its hash is "feed".
proto::JobGraph FakeGraph(const std::string& name, int32_t parallelism);

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_TESTING_FAKE_EXECUTOR_H_
