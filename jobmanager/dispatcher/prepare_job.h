// What a submission means before its job exists: its options, and what it begins from.
#ifndef PENSTOCK_JOBMANAGER_DISPATCHER_PREPARE_JOB_H_
#define PENSTOCK_JOBMANAGER_DISPATCHER_PREPARE_JOB_H_

#include <memory>

#include "absl/status/statusor.h"
#include "jobmanager/commands.h"
#include "jobmanager/job/job.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

struct PreparedJob {
  JobOptions options;
  CheckpointStart start;
  std::shared_ptr<Storage> storage;  // null: the job takes no checkpoints
};

// Reads checkpoint storage, so it may take a while: not on an actor. The submission's own configuration goes before the
// cluster's. FailedPrecondition: the uid has checkpoints and the submission does not say what to do with them
// (protocols.md A1), or what it asks for is not there; the message says what to give.
absl::StatusOr<PreparedJob> PrepareJob(const JobSubmission& submission, const JobOptions& cluster);

// The submission's own configuration over the cluster's.
absl::StatusOr<JobOptions> ResolveOptions(const JobSubmission& submission, const JobOptions& cluster);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_DISPATCHER_PREPARE_JOB_H_
