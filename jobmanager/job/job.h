// The life of one job: facts in (slots, hellos, task states, exits, time), effects out. No thread, no I/O, no waiting.
//
// Owner: one thread at a time (the job's actor; tests step it directly). Lifetime: until Drained(). Errors end the
// attempt, never this object. Each attempt has a number, a token and fresh worker processes; whatever carries another
// attempt's number is dropped and counted. Legal moves are the table in job_state.cc.
#ifndef PENSTOCK_JOBMANAGER_JOB_JOB_H_
#define PENSTOCK_JOBMANAGER_JOB_JOB_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "jobmanager/checkpoint/coordinator.h"
#include "jobmanager/cluster/cluster_actor.h"
#include "jobmanager/commands.h"
#include "jobmanager/job/execution_graph.h"
#include "jobmanager/job/failure_log.h"
#include "jobmanager/job/restart_strategy.h"
#include "jobmanager/job/worker_set.h"
#include "jobmanager/snapshot.h"
#include "runtime/core/clock.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

struct JobOptions {
  std::string jobmanager_address;             // where workers connect to; host:port
  int64_t heartbeat_interval_ms = 1'000;      // heartbeat.interval
  int64_t heartbeat_timeout_ms = 5'000;       // heartbeat.timeout
  int64_t cancellation_timeout_ms = 10'000;   // task.cancellation.timeout
  int64_t worker_start_timeout_ms = 120'000;  // from the request to the hello, the program's download included
  RestartOptions restart;
  CheckpointConfig checkpoints;
  StorageOptions storage;                            // how checkpoints.storage is reached
  std::map<std::string, std::string> worker_config;  // under the submission's own
  uint64_t leader_epoch = 0;                         // on every message
  // Of a job that was taken over from another JobManager.
  uint32_t attempts_before = 0;  // attempts up to this number were its
  int64_t submitted_ms = 0;      // 0: now
};

// A worker that was told to end has this much more than its cancellation timeout, then its host kills it; after as
// much again without an answer from the host it counts as gone.
inline constexpr int64_t kEndSlackMs = 5'000;

// What a job does to the world. Called inside the job's methods; must not call back into it.
class JobEffects {
 public:
  virtual ~JobEffects() = default;
  virtual void RequestSlots(int32_t slots) = 0;
  virtual void ReleaseSlots() = 0;
  virtual void StartWorker(const std::string& taskmanager_id, proto::StartWorker start) = 0;
  virtual void KillWorker(const std::string& taskmanager_id, proto::KillWorker kill) = 0;
  // On storage, answered by OnCheckpointDecided.
  virtual void DecideCheckpoint(uint64_t id, std::string name, std::string bytes) = 0;
  // On storage, answered by OnCommitsRecorded.
  virtual void RecordCommits(uint64_t request, std::string name, std::string bytes) = 0;
  virtual void DeleteObjects(std::vector<std::string> names) = 0;
  // Answered by OnSavepointCopied.
  virtual void CopySavepoint(uint64_t request, RestorePoint point, std::string directory) = 0;
  // Answered by OnCheckpointsRead.
  virtual void ReadCheckpoints() = 0;
  // Somebody else decides checkpoints of this job.
  virtual void DecisionLost() = 0;
  // The job has come to a terminal state, which nobody is told before it is durable. Answered by OnEndRecorded.
  virtual void RecordEnd() = 0;
  // Something that the snapshot shows has changed. urgent: more than figures.
  virtual void Changed(bool urgent) = 0;
};

class Job final : private CoordinatorEffects {
 public:
  // REQUIRES: the graph has passed CheckGraph. start: used with options.checkpoints.enabled(). clock and effects
  // outlive the job.
  Job(std::string id, JobSubmission submission, JobOptions options, std::unique_ptr<RestartStrategy> strategy,
      CheckpointStart start, const Clock& clock, JobEffects& effects);

  void Start();
  void Cancel();
  void Tick();  // deadlines; call every few hundred milliseconds or more often

  void OnSlotsGranted(SlotGrant grant);
  void OnSlotsShort(int32_t have);
  void OnWorkerMessage(const WorkerGatewayPtr& from, const proto::WorkerToJobManager& message);
  void OnWorkerClosed(const WorkerGatewayPtr& from);
  void OnWorkerExited(const std::string& taskmanager_id, const proto::WorkerExited& report);
  void OnHostLost(const std::string& taskmanager_id, const std::string& reason);
  void OnCheckpointDecided(uint64_t id, bool won);
  void OnCheckpointsRead(StoredCheckpoints stored);
  void OnEndRecorded();
  void OnStorageTrouble(std::string text);
  void OnCommitsRecorded(uint64_t request);
  void OnCopyProgress(uint64_t request, int64_t copied_bytes, int64_t total_bytes);
  void OnSavepointCopied(uint64_t request, const absl::StatusOr<std::string>& location);
  // Goes on at the parallelism of the graph, from a checkpoint that ends this attempt. REQUIRES: it passed CheckGraph.
  absl::StatusOr<uint64_t> Rescale(proto::JobGraph graph);
  // FailedPrecondition: the job has no checkpoints, or does not run.
  absl::StatusOr<uint64_t> RequestCheckpoint(CheckpointRequest request);

  JobState state() const { return state_; }
  uint32_t attempt() const { return attempt_; }
  // The job has ended, none of its workers is left, and no word to storage is open.
  bool Drained() const {
    return end_recorded_ && workers_.AllGone() && (!checkpoints_ || (checkpoints_->Settled() && !checkpoints_->busy()));
  }
  // It has ended, and its end is durable.
  bool end_recorded() const { return end_recorded_; }
  int64_t stale_messages() const { return stale_messages_; }
  std::shared_ptr<const JobSnapshot> Snapshot() const;

 private:
  // job.cc: states and messages.
  void MoveTo(JobState state);
  void OnTaskState(const std::string& taskmanager_id, const proto::TaskStateReport& report);
  void RememberMemory(const proto::WorkerMetrics& metrics, const std::string& taskmanager_id, WorkerEntry& worker);
  void OnHeartbeat(const proto::WorkerMetrics& metrics);
  bool Ending() const { return state_ != JobState::kCreated && state_ != JobState::kRunning; }

  // job_checkpoints.cc: between the job and its coordinator.
  void Broadcast(proto::JobManagerToWorker message) override;
  void SendTo(const std::string& taskmanager_id, proto::JobManagerToWorker message) override;
  void Decide(uint64_t id, std::string name, std::string bytes) override;
  void Delete(std::vector<std::string> names) override { effects_.DeleteObjects(std::move(names)); }
  void FailAttempt(std::string reason) override { attempt_failure_ = std::move(reason); }
  void StopDecided() override;
  void AlreadyStopped() override { already_stopped_ = true; }
  void RecordCommits(uint64_t request, std::string name, std::string bytes) override;
  void CopySavepoint(uint64_t request, RestorePoint point, std::string directory) override;
  bool Rescaling() const { return rescale_ && rescale_->decided; }
  void TakeRescaledGraph();
  void ReadStorage() override { effects_.ReadCheckpoints(); }
  void DecisionLost() override { effects_.DecisionLost(); }
  // After each call into the coordinator: what it found out about the attempt.
  void AfterCoordinator();
  bool StorageSettled() const { return !checkpoints_ || checkpoints_->Settled(); }

  // job_start.cc: from slots to RUNNING.
  void BeginWhenSettled();
  void BeginAttempt();
  proto::StartWorker StartMessage(const std::string& taskmanager_id, const WorkerEntry& worker,
                                  const proto::HostHello& host) const;
  void OnHello(const WorkerGatewayPtr& from, const proto::WorkerHello& hello);
  struct Refusal {
    std::string reason;
    bool fails_job;  // the worker is this attempt's own, and none that could do better will come
  };
  std::optional<Refusal> RefusalOf(const proto::WorkerHello& hello) const;
  void DeployWhenReady();
  void SendDeploy(const std::string& taskmanager_id);

  // job_end.cc: failures, cancellation, restart, the end.
  void Fail(Cause cause, FailureSnapshot failure);
  FailureSnapshot JobFailure(std::string message, proto::Failure::Domain domain, bool retryable) const;
  void BeginEnding();
  void EndWorker(const std::string& taskmanager_id, WorkerEntry& worker);
  void ShutDownWhenEnded(const std::string& taskmanager_id);
  void WorkerGone(const std::string& taskmanager_id, proto::TaskState final_state);
  void EndAttemptWhenGone();
  void AfterDamagedCheckpoint();
  void RestartOrFail();
  void CheckHeartbeats(int64_t now_ms);
  void CheckEndDeadline(int64_t now_ms);
  void MayStillWrite();
  bool HasUnfencedSink() const;

  proto::JobManagerToWorker MessageToWorker() const;
  void Kill(const std::string& taskmanager_id, bool force);

  // Constant after construction.
  const std::string id_;
  const JobOptions options_;
  const std::unique_ptr<RestartStrategy> strategy_;
  const Clock& clock_;
  JobEffects& effects_;

  JobSubmission submission_;  // its graph changes with a rescale
  int32_t slots_needed_;
  JobState state_ = JobState::kInitializing;
  std::map<int, int64_t> state_entered_ms_;
  const int64_t start_ms_;
  int64_t last_modified_ms_;
  uint32_t attempt_ = 0;
  bool deployed_ = false;  // DeployTasks was sent in this attempt
  bool waits_for_slots_ = false;
  int32_t slots_have_ = 0;
  int64_t stale_messages_ = 0;
  std::optional<int64_t> restart_at_ms_;    // monotonic
  std::optional<int64_t> end_deadline_ms_;  // monotonic
  bool end_forced_ = false;                 // the deadline has passed once
  bool end_recorded_ = false;
  int64_t lost_workers_until_ms_ = 0;  // monotonic; until then workers that count as gone may still write
  ExecutionGraph execution_;
  WorkerSet workers_;
  FailureLog failures_;
  std::optional<CheckpointCoordinator> checkpoints_;
  CheckpointStart checkpoint_start_;
  bool started_ = false;
  std::optional<RestorePoint> attempt_restored_;  // what this attempt began from
  std::optional<std::string> attempt_failure_;
  bool already_stopped_ = false;
  std::string storage_trouble_;
  int64_t attempt_began_ms_ = 0;
  struct PendingRescale {
    proto::JobGraph graph;
    bool decided = false;  // its checkpoint: the next attempt runs this graph
  };
  std::optional<PendingRescale> rescale_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_JOB_H_
