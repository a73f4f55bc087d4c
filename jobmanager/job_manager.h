// The JobManager: its actors wired together. What carries its messages (gRPC, or calls inside one process) and REST are
// attached from outside; this links neither.
//
// Thread-safe. Lifetime: Stop() the transports first, then this; idempotent. Jobs that run when it stops are left to
// their workers, which end when nobody answers them.
#ifndef PENSTOCK_JOBMANAGER_JOB_MANAGER_H_
#define PENSTOCK_JOBMANAGER_JOB_MANAGER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "jobmanager/commands.h"
#include "jobmanager/dispatcher/dispatcher.h"
#include "jobmanager/job/job.h"
#include "jobmanager/rpc/gateways.h"
#include "jobmanager/snapshot.h"
#include "runtime/core/clock.h"

namespace penstock::jobmanager {

struct JobManagerOptions {
  JobOptions job;                     // heartbeats, cancellation, restart: of the cluster as a whole
  ProgramSource* programs = nullptr;  // outlives the JobManager; null: jobs run inside this process
  DurableJobs durable;                // its store outlives the JobManager
};

class JobManager {
 public:
  // InvalidArgument: an option is out of range; it is named.
  static absl::StatusOr<std::unique_ptr<JobManager>> Create(JobManagerOptions options, const Clock& clock);
  ~JobManager();
  void Stop();

  // Where workers connect to (host:port). Before the first submission.
  void SetWorkerAddress(const std::string& address);
  // Goes on with the jobs of a JobManager before this one; after SetWorkerAddress.
  void Recover(StoredJobs jobs);

  Commands& commands();
  ControlService& control();
  const SnapshotHolder& snapshots() const;

 private:
  struct Parts;
  explicit JobManager(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_MANAGER_H_
