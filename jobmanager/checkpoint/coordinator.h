// When checkpoints are triggered, decided and given up. Facts in, effects out; no thread, no I/O, no waiting.
//
// Owner: the job. One checkpoint is in flight at a time. Every id ends as a manifest or as a tombstone, written
// put-if-absent; the next id is taken only then, so ids are never reused, and a JobManager that was replaced can decide
// nothing more (protocols.md A2, B1, B2). An abort is no failure of the job, unless too many follow each other. Limits:
// kHistoryMax checkpoints are remembered for people; a decision is told again every kNoticeRepeatMs until all workers
// have committed it, an abort kAbortRepeatsMax times unless the next checkpoint is triggered before.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/checkpoint_config.h"
#include "jobmanager/checkpoint/checkpoint_record.h"
#include "proto/checkpoint.pb.h"
#include "proto/control.pb.h"
#include "runtime/core/clock.h"

namespace penstock::jobmanager {

inline constexpr int64_t kNoticeRepeatMs = 1'000;
inline constexpr int kAbortRepeatsMax = 5;

// What the coordinator does to the world. Called inside its methods; must not call back into it.
class CoordinatorEffects {
 public:
  virtual ~CoordinatorEffects() = default;
  // To every worker of the attempt; job, attempt and epoch are filled in.
  virtual void Broadcast(proto::JobManagerToWorker message) = 0;
  // To one of them; lost when it is not connected.
  virtual void SendTo(const std::string& worker, proto::JobManagerToWorker message) = 0;
  // Put-if-absent, retried until storage has answered. Answered by OnDecided, however long it takes.
  virtual void Decide(uint64_t id, std::string name, std::string bytes) = 0;
  virtual void Delete(std::vector<std::string> names) = 0;
  virtual void FailAttempt(std::string reason) = 0;
  // What storage holds is read anew, answered by OnStorageRead.
  virtual void ReadStorage() = 0;
  // Somebody else has decided an id of a running attempt: perhaps another JobManager leads.
  virtual void DecisionLost() = 0;
  // The checkpoint that ends the attempt has been decided: its tasks end now, if they have not failed meanwhile.
  virtual void StopDecided() = 0;
  // The attempt began from the savepoint that the job was stopped with: there is nothing left to do.
  virtual void AlreadyStopped() = 0;
  // Put-if-absent, retried until storage has answered. Answered by OnCommitsRecorded.
  virtual void RecordCommits(uint64_t request, std::string name, std::string bytes) = 0;
  // A savepoint that is committed is copied into its directory. Answered by OnCopied, with OnCopyProgress before it.
  virtual void CopySavepoint(uint64_t request, RestorePoint point, std::string directory) = 0;
};

// What comes of an attempt that could not read the checkpoint it was to begin from.
enum class AfterDamage {
  kSameAgain,    // perhaps a local copy was damaged, which is gone now
  kOlder,        // the next attempt begins from the one before
  kNothingLeft,  // none is left, or beginning from it would repeat output
};

class CheckpointCoordinator {
 public:
  using Subtask = std::pair<std::string, int32_t>;  // vertex id, subtask

  // graph: of the job as it runs. clock and effects outlive the coordinator.
  CheckpointCoordinator(CheckpointConfig config, proto::JobGraph graph, const Clock& clock,
                        CoordinatorEffects& effects);

  // Once, before the first attempt.
  void Start(CheckpointStart start);
  // The answer to ReadStorage.
  void OnStorageRead(StoredCheckpoints stored);
  // Storage has been read and the outcome of every id is known: an attempt may begin.
  bool Settled() const { return read_ && !in_flight_ && !open_decision_; }
  // Mints the attempt's generation. REQUIRES: Settled().
  void BeginAttempt(uint32_t attempt);
  proto::CheckpointPlan Plan() const;
  // workers: those of the attempt; each is told of a decision until it says that its sinks have committed.
  void OnAllRunning(const std::set<std::string>& workers);
  // A worker has connected again: it may have missed what was said meanwhile.
  void OnWorkerBack(const std::string& worker);
  void OnDecisionAcked(const std::string& worker, const proto::DecisionAcked& acked);
  void OnOutcomeAsked(const std::string& worker, const proto::OutcomeAsked& asked);
  void OnTaskFinished() { next_trigger_ms_ = 0; }  // a sink may wait for a last checkpoint
  void OnAck(const proto::CheckpointAck& ack);
  void OnDeclined(const proto::CheckpointDeclined& declined);
  // The answer to Decide. won: the object is ours; else somebody else has decided the id.
  void OnDecided(uint64_t id, bool won);
  void OnCommitsRecorded(uint64_t request);
  void OnCopyProgress(uint64_t request, int64_t copied_bytes, int64_t total_bytes);
  // location: of the copy.
  void OnCopied(uint64_t request, const absl::StatusOr<std::string>& location);
  // Every task has come to its end, which it does with nothing left to commit.
  void OnAllFinished() { CommittedUpTo(UINT64_MAX); }
  void EndAttempt(const std::string& reason);
  // Once per attempt, after EndAttempt. may_repeat_output: an older checkpoint will do.
  AfterDamage OnCheckpointDamaged(bool may_repeat_output);
  // No further attempt will come.
  void OnJobEnded();
  void Tick();

  // The next checkpoint is one that somebody asked for. Its record can be found under the returned request number.
  // FailedPrecondition: the job is not running, or it stops already.
  absl::StatusOr<uint64_t> Request(CheckpointRequest request);
  // The next attempt runs this graph. REQUIRES: no attempt runs; the uid is the same.
  void SetGraph(proto::JobGraph graph);
  // The job has come to its end by itself: what it kept for a restart is not needed any more.
  void DeleteAll();

  const std::deque<CheckpointRecord>& history() const { return history_; }  // newest first
  const std::deque<RequestRecord>& requests() const { return asked_; }      // newest first
  // Words to storage beside decisions are open.
  bool busy() const { return copies_ > 0 || recording_ > 0; }
  const CheckpointCounts& counts() const { return counts_; }
  // The newest decided checkpoint: what a restart begins from.
  const std::optional<RestorePoint>& restore_point() const { return restore_; }
  const std::string& generation() const { return generation_; }

 private:
  struct InFlight {
    uint64_t id = 0;
    proto::Manifest::Kind kind = proto::Manifest::CHECKPOINT;
    proto::TriggerCheckpoint::Ending ending = proto::TriggerCheckpoint::GOES_ON;
    uint64_t request = 0;
    int64_t trigger_ms = 0;
    int64_t deadline_ms = 0;  // monotonic
    std::map<Subtask, proto::SubtaskSnapshot> acked;
  };

  proto::JobManagerToWorker TriggerMessage() const;
  proto::JobManagerToWorker DecidedMessage(uint64_t id) const;
  proto::JobManagerToWorker AbortedMessage(uint64_t id, const std::string& reason) const;
  void RepeatNotices(int64_t now_ms);
  void TriggerWhenDue();
  void Trigger();
  void Abort(const std::string& reason, CheckpointOutcome outcome);
  void WriteManifest();
  void Seal(uint64_t id, const std::string& reason);
  void TakeStored(StoredCheckpoints stored);
  void OnManifestDecided();
  void Retire();
  void Saw(const std::string& file);
  std::set<std::string> ReferencedFiles() const;
  CheckpointRecord& Record() { return history_.front(); }
  RequestRecord* FindRequest(uint64_t number);
  void FailRequest(uint64_t number, CheckpointOutcome outcome, const std::string& reason);
  void OnRequestDecided(uint64_t number, const RestorePoint& point);
  void CommittedUpTo(uint64_t id);
  void CompleteRequest(RequestRecord& asked, std::string location);
  std::string LocationOf(const std::string& manifest_name) const;
  proto::Manifest BaseManifest(proto::Manifest::Kind kind, uint64_t id) const;

  // Constant after construction.
  const CheckpointConfig config_;
  const std::string directory_;
  const Clock& clock_;
  CoordinatorEffects& effects_;

  proto::JobGraph graph_;
  std::set<Subtask> subtasks_;
  int32_t widest_parallelism_ = 0;  // of all graphs so far: sinks end what wider attempts may have left open
  bool read_ = false;
  std::optional<uint64_t> sealed_;  // while not read_: what must turn out to be the newest id
  bool goes_on_ = false;            // checkpoints that others decide are the job's own
  uint64_t foreign_id_ = 0;         // the id that somebody else has decided
  uint64_t next_id_ = 0;
  std::optional<RestorePoint> restore_;
  std::deque<StoredCheckpoint> retained_;  // decided ones with their files, oldest first
  std::set<std::string> seen_files_;       // that some ack has named and that may still exist

  uint32_t attempt_ = 0;
  std::string generation_;
  std::optional<RestorePoint> parent_;  // what this generation began from
  std::optional<RestorePoint> unread_;  // what the attempt before this one could not read
  bool running_ = false;                // all subtasks of the attempt are RUNNING
  bool sources_started_ = false;
  bool stopped_ = false;  // the checkpoint that ends the attempt is decided: none comes behind it
  std::map<std::string, std::optional<uint64_t>> workers_;  // of the attempt, and what each has committed last
  std::optional<uint64_t> decided_;                         // the newest of this generation
  struct Given {
    uint64_t id = 0;
    std::string reason;
    int repeats = 0;
  };
  std::optional<Given> given_up_;  // the newest of this generation, until the next trigger
  int64_t next_notice_ms_ = 0;     // monotonic
  std::optional<InFlight> in_flight_;
  std::optional<uint64_t> open_decision_;  // a Decide has not been answered
  std::optional<proto::Manifest> deciding_;
  int64_t next_trigger_ms_ = 0;  // monotonic
  int failures_in_a_row_ = 0;
  bool finished_ = false;  // DeleteAll was called
  // Names, of what was given up since the seal at the start, to go with the next decision. The seal itself stays: a
  // JobManager that was paused may still hold that id open, and only that one.
  std::vector<std::string> tombstones_;
  std::vector<std::string> delete_when_sealed_;
  std::deque<CheckpointRequest> requests_;
  uint64_t next_request_ = 1;
  std::deque<RequestRecord> asked_;  // newest first
  struct AwaitedCommit {
    uint64_t request;
    RestorePoint point;
  };
  std::vector<AwaitedCommit> awaited_commits_;  // of decided savepoints; at most kRequestsRemembered
  int copies_ = 0;
  int recording_ = 0;

  std::deque<CheckpointRecord> history_;
  CheckpointCounts counts_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_H_
