// A job on a thread of its own: queues what comes from others, and publishes what changed.
//
// Owner: its own thread; public methods may be called from any thread and return at once. Lifetime: Stop() before
// cluster and listener die. Limits: figures are published at most every kMetricsPublishMs; other changes at once,
// though a burst of them only once.
#ifndef PENSTOCK_JOBMANAGER_JOB_JOB_ACTOR_H_
#define PENSTOCK_JOBMANAGER_JOB_JOB_ACTOR_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "jobmanager/checkpoint/savepoint.h"
#include "jobmanager/cluster/cluster_actor.h"
#include "jobmanager/job/job.h"
#include "runtime/core/actor.h"

namespace penstock::jobmanager {

inline constexpr int64_t kMetricsPublishMs = 200;

// Called on the job's thread; must not block.
class JobListener {
 public:
  virtual ~JobListener() = default;
  // Makes the end of a job durable, however long it takes, then calls recorded on any thread.
  virtual void OnJobEnded(std::shared_ptr<const JobSnapshot> snapshot, std::function<void()> recorded) = 0;
  // Somebody else has decided a checkpoint of the job: perhaps this JobManager leads no more.
  virtual void OnDecisionLost() = 0;
  // drained: the job has ended, its workers are gone, and nothing more will follow.
  virtual void OnJobSnapshot(std::shared_ptr<const JobSnapshot> snapshot, bool drained) = 0;
};

class JobActor final : private JobEffects {
 public:
  JobActor(const std::string& id, JobSubmission submission, JobOptions options,
           std::unique_ptr<RestartStrategy> strategy, std::unique_ptr<CheckpointStore> store, CheckpointStart start,
           const Clock& clock, ClusterActor& cluster, JobListener& listener);
  ~JobActor() override { Stop(); }
  void Stop();

  // Before Start() only.
  std::shared_ptr<const JobSnapshot> FirstSnapshot() const { return job_.Snapshot(); }
  void Start();
  void Cancel();
  void OnSlotsGranted(SlotGrant grant);
  void OnSlotsShort(int32_t have);
  void OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message);
  void OnWorkerClosed(const WorkerGatewayPtr& from);
  void OnWorkerExited(const std::string& taskmanager_id, proto::WorkerExited report);
  void OnHostLost(const std::string& taskmanager_id, const std::string& reason);
  // Waits for the job's answer: the number under which its record can be found.
  absl::StatusOr<uint64_t> RequestCheckpoint(CheckpointRequest request);
  absl::StatusOr<uint64_t> Rescale(proto::JobGraph graph);

 private:
  void RequestSlots(int32_t slots) override { cluster_.RequestSlots(id_, slots); }
  void ReleaseSlots() override { cluster_.ReleaseSlots(id_); }
  void StartWorker(const std::string& taskmanager_id, proto::StartWorker start) override;
  void KillWorker(const std::string& taskmanager_id, proto::KillWorker kill) override;
  void DecideCheckpoint(uint64_t id, std::string name, std::string bytes) override;
  void DeleteObjects(std::vector<std::string> names) override { store_->Delete(std::move(names)); }
  void RecordCommits(uint64_t request, std::string name, std::string bytes) override;
  void CopySavepoint(uint64_t request, RestorePoint point, std::string directory) override;
  void ReadCheckpoints() override { ReadUntilItWorks(kStoreRetryMinMs); }
  void DecisionLost() override { listener_.OnDecisionLost(); }
  void RecordEnd() override;
  void Changed(bool urgent) override;

  void Tick();
  void ReadUntilItWorks(int64_t pause_ms);
  void Publish();

  // Constant after construction.
  const std::string id_;
  const std::string checkpoint_directory_;
  const Clock& clock_;
  ClusterActor& cluster_;
  JobListener& listener_;

  const StorageOptions storage_options_;
  const std::unique_ptr<CheckpointStore> store_;  // null: the job takes no checkpoints

  // The actor's thread only.
  std::unique_ptr<SavepointCopier> copier_;  // made for the first copy
  Job job_;
  bool changed_ = false;
  bool publish_posted_ = false;
  bool drained_published_ = false;
  int64_t published_ms_ = 0;

  Actor actor_;  // last: its thread uses all of the above
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_JOB_ACTOR_H_
