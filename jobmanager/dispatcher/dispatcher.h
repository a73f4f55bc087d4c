// The actor that takes jobs in, keeps the list of them, and publishes the cluster snapshot.
//
// Owner: its own thread. Commands may be called from any thread. Lifetime: Stop() before cluster, directory, programs
// and snapshots die; it stops the actors of all jobs. Limits: DurableJobs::limits
// say which ended jobs are remembered.
#ifndef PENSTOCK_JOBMANAGER_DISPATCHER_DISPATCHER_H_
#define PENSTOCK_JOBMANAGER_DISPATCHER_DISPATCHER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobmanager/cluster/cluster_actor.h"
#include "jobmanager/commands.h"
#include "jobmanager/dispatcher/job_directory.h"
#include "jobmanager/dispatcher/prepare_job.h"
#include "jobmanager/job/job_actor.h"
#include "jobmanager/store/job_store.h"
#include "runtime/core/actor.h"

namespace penstock::jobmanager {

inline constexpr size_t kEndedJobsKept = 100;
inline constexpr size_t kLiveJobsMax = 1'000;
inline constexpr int64_t kExpireIntervalMs = 60'000;

// Jobs that outlive this process. Everything may be empty: then they do not.
struct DurableJobs {
  JobStore* store = nullptr;
  JobStoreLimits limits = {.ended_max = kEndedJobsKept};
  std::function<absl::Status(const std::string& digest)> fetch_program;  // from the store to where hosts fetch it
  std::function<void()> on_decision_lost;  // another JobManager may lead; called on any thread
};

// What the dispatcher works with; all of it outlives the dispatcher.
struct DispatcherParts {
  const Clock& clock;
  ClusterActor& cluster;
  JobDirectory& directory;
  SnapshotHolder& snapshots;
  ProgramSource* programs;  // null: jobs need no program (they run inside this process)
  DurableJobs durable;
};

class Dispatcher final : public Commands, public JobListener {
 public:
  Dispatcher(JobOptions job_options, DispatcherParts parts);
  ~Dispatcher() override { Stop(); }
  // Running jobs are left to their workers' fate. Idempotent.
  void Stop();

  // Where workers connect to. Before the first submission.
  void SetWorkerAddress(const std::string& address);

  absl::StatusOr<std::string> Submit(const JobSubmission& submission) override;
  absl::Status Cancel(const std::string& job_id) override;
  absl::StatusOr<uint64_t> RequestCheckpoint(const std::string& job_id, const CheckpointRequest& request) override;
  absl::StatusOr<uint64_t> Rescale(const std::string& job_id, const proto::JobGraph& graph) override;
  void ReadTaskManagerLog(const std::string& taskmanager_id, const proto::ReadLog& request,
                          std::function<void(absl::StatusOr<proto::LogChunk>)> done) override;

  // Goes on with what a JobManager before this one has left; once, after SetWorkerAddress. Returns at once: each job is
  // listed, and starts when storage has answered.
  void Recover(StoredJobs jobs);

  void OnJobEnded(std::shared_ptr<const JobSnapshot> snapshot, std::function<void()> recorded) override;
  void OnDecisionLost() override;
  void OnJobSnapshot(std::shared_ptr<const JobSnapshot> snapshot, bool drained) override;
  void OnTaskManagers(std::vector<TaskManagerSnapshot> taskmanagers);

 private:
  absl::Status Check(const JobSubmission& submission) const;
  absl::Status MakeDurable(const std::string& id, const JobSubmission& submission, const PreparedJob& prepared);
  absl::Status StartJob(const std::string& id, const JobSubmission& submission, PreparedJob prepared);
  // recover.cc: on the thread of the job store.
  void RecoverJob(const proto::JobEntry& entry, int64_t pause_ms);
  absl::Status TryRecover(const proto::JobEntry& entry);
  void CannotRecover(const proto::JobEntry& entry, const absl::Status& why);
  void TryRecordEnd(const std::string& job_id, const proto::JobEnd& end, const std::function<void()>& recorded,
                    int64_t pause_ms);
  void Tick();
  absl::Status CheckProgram(const JobSubmission& submission) const;
  absl::Status CheckSlots(const std::string& job_id, int32_t needed) const;
  absl::Status CheckUid(const std::string& uid) const;
  void ForgetOldJobs();
  void Publish();

  // Constant after construction.
  const DispatcherParts parts_;

  // The actor's thread only.
  JobOptions job_options_;
  std::vector<std::shared_ptr<const JobSnapshot>> jobs_;  // newest first
  std::vector<TaskManagerSnapshot> taskmanagers_;

  Actor store_actor_;  // where the job store is called
  Actor actor_;        // last: its thread uses all of the above
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_DISPATCHER_DISPATCHER_H_
