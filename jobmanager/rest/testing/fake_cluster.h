// A REST server over a cluster that isn't there: tests set the snapshot and see what was asked for.
#ifndef PENSTOCK_JOBMANAGER_REST_TESTING_FAKE_CLUSTER_H_
#define PENSTOCK_JOBMANAGER_REST_TESTING_FAKE_CLUSTER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jobmanager/rest/rest_server.h"

namespace penstock::jobmanager::testing {

inline constexpr char kJobId[] = "00112233445566778899aabbccddeeff";

// Two vertices of parallelism 2 (a Kafka source chain and a sink) in `state`, with metrics, lag and one failure.
JobSnapshot SampleJob(JobState state);
TaskManagerSnapshot SampleTaskManager();
// Checkpoint 9 completed, 8 failed, 7 a savepoint, 10 in progress; restored from 3.
CheckpointsView SampleCheckpoints();

// Remembers calls; thread-safe.
class FakeCommands final : public Commands {
 public:
  absl::StatusOr<std::string> Submit(const JobSubmission& submission) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Cancel(const std::string& job_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<uint64_t> RequestCheckpoint(const std::string& job_id, const CheckpointRequest& request) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<uint64_t> Rescale(const std::string& job_id, const proto::JobGraph& graph) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadTaskManagerLog(const std::string& taskmanager_id, const proto::ReadLog& request,
                          std::function<void(absl::StatusOr<proto::LogChunk>)> done) override;

  std::vector<JobSubmission> submissions() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What Submit answers, and what happens when it is called.
  void SetSubmitResult(absl::StatusOr<std::string> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnSubmit(std::function<void()> then) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel(std::function<void()> then) ABSL_LOCKS_EXCLUDED(mutex_);
  // Checkpoints that were asked for, with their numbers, from 1 on.
  std::vector<CheckpointRequest> requests() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<proto::JobGraph> rescales() const ABSL_LOCKS_EXCLUDED(mutex_);
  void RefuseCheckpoints(absl::Status refusal) ABSL_LOCKS_EXCLUDED(mutex_);
  // What happens when one is asked for; the request carries its number.
  void OnRequest(std::function<void(CheckpointRequest)> then) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::vector<JobSubmission> submissions_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> cancelled_ ABSL_GUARDED_BY(mutex_);
  absl::StatusOr<std::string> submit_result_ ABSL_GUARDED_BY(mutex_) = std::string(kJobId);
  std::function<void()> on_submit_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_cancel_ ABSL_GUARDED_BY(mutex_);
  std::vector<CheckpointRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<proto::JobGraph> rescales_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  std::function<void(CheckpointRequest)> on_request_ ABSL_GUARDED_BY(mutex_);
};

class FakeCluster {
 public:
  explicit FakeCluster(RestOptions options = {});
  ~FakeCluster();

  // One TaskManager and this job.
  void ShowJob(JobState state);
  void Show(ClusterSnapshot snapshot);

  FakeCommands& commands() { return commands_; }
  ProgramStore& programs() { return *programs_; }
  RestServer& server() { return *server_; }
  std::string token() const;
  std::string folder() const { return folder_; }

 private:
  const std::string folder_;
  SnapshotHolder snapshots_;
  FakeCommands commands_;
  std::unique_ptr<ProgramStore> programs_;
  std::unique_ptr<RestServer> server_;
};

}  // namespace penstock::jobmanager::testing

#endif  // PENSTOCK_JOBMANAGER_REST_TESTING_FAKE_CLUSTER_H_
