// The seam between a worker's control part (its stream to the JobManager) and the engine that runs its tasks.
#ifndef PENSTOCK_TASKMANAGER_WORKER_TASK_EXECUTOR_H_
#define PENSTOCK_TASKMANAGER_WORKER_TASK_EXECUTOR_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/control.pb.h"

namespace penstock::worker {

// Receives what happens to tasks. Called from task threads and from the executor's own; must not block.
class TaskEvents {
 public:
  virtual ~TaskEvents() = default;
  // job_id and attempt of the report are filled in.
  virtual void OnTaskState(const proto::TaskStateReport& report) = 0;
  // Everything that the tasks of this worker hand in for a checkpoint is durable.
  virtual void OnCheckpointAck(proto::CheckpointAck ack) = 0;
  virtual void OnCheckpointDeclined(proto::CheckpointDeclined declined) = 0;
  // Every sink of this worker has committed what the checkpoint and those before it cover.
  virtual void OnDecisionAcked(proto::DecisionAcked acked) = 0;
  // A sink has waited long for word of the checkpoint. It may be asked again.
  virtual void OnOutcomeAsked(proto::OutcomeAsked asked) = 0;
};

// One attempt of one job in one worker. Thread-safe; the control part calls it from one thread.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;
  // Hash of the graph this program builds for the spec's parallelism and arguments.
  virtual std::string GraphHash() const = 0;
  // host:port of the data plane, listening since construction.
  virtual std::string DataAddress() const = 0;
  // Creates and starts every task placed on this worker. State reports follow through TaskEvents. A non-OK status
  // fails the attempt (nothing was started).
  virtual absl::Status Deploy(const proto::DeployTasks& deploy) = 0;
  // Asks every task to stop; each reports CANCELED (or FINISHED / FAILED if that came first). Does not wait.
  virtual void Cancel() = 0;
  // Waits until every task's thread has ended, at most `timeout_ms`; false when some still run (the worker is then
  // killed: protocols.md D5).
  virtual bool AwaitEnd(int64_t timeout_ms) = 0;
  virtual void CollectMetrics(proto::WorkerMetrics* metrics) = 0;

  // After Deploy. None of them waits; each may come twice.
  virtual void StartSources() = 0;
  virtual void TriggerCheckpoint(const proto::TriggerCheckpoint& trigger) = 0;
  virtual void OnDecided(const proto::CheckpointDecided& decided) = 0;
  virtual void OnAborted(const proto::CheckpointAborted& aborted) = 0;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_TASK_EXECUTOR_H_
