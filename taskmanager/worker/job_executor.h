// The TaskExecutor that runs a compiled graph's tasks: what a worker process is for.
//
// Threads: one per task, two per peer link; calls come from the worker's control part. Lifetime: Cancel and AwaitEnd
// before destruction; the destructor cancels and waits without bound, so a hanging task must have been left to the
// worker's end. gRPC stays behind the exchange endpoint.
#ifndef PENSTOCK_TASKMANAGER_WORKER_JOB_EXECUTOR_H_
#define PENSTOCK_TASKMANAGER_WORKER_JOB_EXECUTOR_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/ids.h"
#include "runtime/core/storage/storage.h"
#include "runtime/exchange/exchange_endpoint.h"
#include "runtime/exchange/peer_link.h"
#include "runtime/graph/compile.h"
#include "runtime/metrics/metrics.h"
#include "runtime/task/task.h"
#include "taskmanager/worker/checkpoint_collector.h"
#include "taskmanager/worker/commit_tracker.h"
#include "taskmanager/worker/restore.h"
#include "taskmanager/worker/state_backends.h"
#include "taskmanager/worker/task_executor.h"
#include "taskmanager/worker/worker_memory.h"

namespace penstock::worker {

struct JobExecutorOptions {
  JobId job;
  AttemptId attempt;
  std::string data_host = "127.0.0.1";
  bool insecure = false;           // other hosts than loopback, too
  int64_t memory_grant_bytes = 0;  // 0: none
  int64_t network_memory_bytes = 64 << 20;
  int32_t segment_bytes = 32 << 10;
  TaskOptions task;
  std::string work_dir;    // for state that does not stay in memory; empty: all of it stays
  std::string copies_dir;  // for copies of the state that outlive this worker; empty: none
  StateOptions state;
  MissingMarker missing_marker = MissingMarker::kFail;
  StorageOptions storage;
  ThrowStackFn throw_stack = nullptr;
  std::function<std::string(const std::vector<void*>&)> symbolize;  // may be empty
};

class JobExecutor final : public TaskExecutor, private TaskListener {
 public:
  // Unavailable when the data port cannot be opened. events, clock and registry outlive the executor.
  static absl::StatusOr<std::unique_ptr<JobExecutor>> Create(CompiledGraph graph, JobExecutorOptions options,
                                                             TaskEvents& events, const Clock& clock,
                                                             MetricRegistry& registry);
  ~JobExecutor() override;

  std::string GraphHash() const override { return graph_.graph.hash(); }
  std::string DataAddress() const override { return endpoint_->address(); }
  absl::Status Deploy(const proto::DeployTasks& deploy) override;
  void Cancel() override;
  bool AwaitEnd(int64_t timeout_ms) override;
  void CollectMetrics(proto::WorkerMetrics* metrics) override;
  void StartSources() override;
  void TriggerCheckpoint(const proto::TriggerCheckpoint& trigger) override;
  void OnDecided(const proto::CheckpointDecided& decided) override;
  void OnAborted(const proto::CheckpointAborted& aborted) override;

 private:
  JobExecutor(CompiledGraph graph, JobExecutorOptions options, TaskEvents& events, const Clock& clock,
              MetricRegistry& registry);
  struct Deployment;  // what Deploy works out

  absl::StatusOr<std::vector<std::unique_ptr<ResultPartition>>> CreatePartitions(
      const CompiledVertex& vertex, int subtask, const std::shared_ptr<Mailbox>& mailbox);
  absl::Status CreateTasks(const Deployment& deployment, const proto::CheckpointPlan& plan)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Fills in what `origin` was restored from.
  absl::StatusOr<std::optional<RestoreSource>> ReadRestore(const proto::CheckpointPlan& plan,
                                                           std::shared_ptr<Storage> storage,
                                                           AttemptOrigin& origin) const;
  absl::Status ConnectEdge(const Deployment& deployment, int edge) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ConnectChannel(const Deployment& deployment, int edge, int from, int to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PeerLink& LinkTo(const Deployment& deployment, int worker);
  void OnLinkBroken(const absl::Status& status);
  void OnTaskState(const TaskInfo& info, TaskState state, const TaskFailure* failure) override;
  void OnSnapshot(const TaskInfo& info, TaskSnapshot snapshot, bool last) override;
  void OnNewBase(const TaskInfo& info, ChainPart base) override;
  void OnCommitted(const TaskInfo& info, uint64_t checkpoint_id) override;
  void AckDecision(std::optional<uint64_t> id);
  void DropCopies();
  void OnBaseDone(const TaskInfo& info, uint64_t base_id, bool durable);
  MemoryRequest MemoryNeeds(const Deployment& deployment) const;
  void MakeCollector(const Deployment& deployment, const proto::CheckpointPlan& plan,
                     std::set<CheckpointCollector::Subtask> subtasks, std::shared_ptr<Storage> storage);

  const CompiledGraph graph_;
  const JobExecutorOptions options_;
  TaskEvents& events_;
  const Clock& clock_;
  MetricRegistry& registry_;
  std::unique_ptr<MetricGroup> buffers_group_;
  const std::shared_ptr<BufferPool> pool_;
  std::unique_ptr<ExchangeEndpoint> endpoint_;

  StateBackends backends_;
  std::unique_ptr<WorkerMemory> memory_;  // made by Deploy

  Mutex mutex_;  // guards the growth of tasks_ against CollectMetrics and Cancel; Deploy runs once
  CondVar ended_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::pair<int, int>, std::unique_ptr<Task>> tasks_ ABSL_GUARDED_BY(mutex_);  // by vertex index and subtask
  std::map<int, std::unique_ptr<PeerLink>> links_;                                      // by worker index
  // With checkpoints; made by Deploy, before any task runs.
  std::string generation_;
  std::unique_ptr<CommitTracker> commits_;
  std::unique_ptr<CheckpointCollector> collector_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_JOB_EXECUTOR_H_
