// What a stored job means for the JobManager that takes it over. Reads checkpoint storage: not on an actor.
#ifndef PENSTOCK_JOBMANAGER_DISPATCHER_RECOVER_JOB_H_
#define PENSTOCK_JOBMANAGER_DISPATCHER_RECOVER_JOB_H_

#include "jobmanager/dispatcher/prepare_job.h"
#include "proto/jobs.pb.h"

namespace penstock::jobmanager {

// It begins from its newest decided checkpoint, else from what it was submitted with. FailedPrecondition: the newest
// checkpoint is damaged and another would repeat what an exactly-once sink has committed (protocols.md A4), or the job
// takes no checkpoints and its restart strategy allows no other attempt. Unavailable and the like: try again.
absl::StatusOr<PreparedJob> PrepareRecovery(const proto::JobEntry& entry, const JobOptions& cluster);
// The job's graph at the parallelism that it was last rescaled to, which its newest checkpoint knows.
proto::JobGraph GraphToGoOnWith(const proto::JobEntry& entry, const PreparedJob& prepared);

// The checkpoints of a job whose finish was recorded, but perhaps not followed up.
absl::Status DeleteFinished(const proto::JobEntry& entry, const JobOptions& cluster);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_DISPATCHER_RECOVER_JOB_H_
