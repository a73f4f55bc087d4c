// Submissions and ended jobs as entries of the job store, and back. Pure.
#ifndef PENSTOCK_JOBMANAGER_STORE_JOB_ENTRY_H_
#define PENSTOCK_JOBMANAGER_STORE_JOB_ENTRY_H_

#include <memory>
#include <string>

#include "jobmanager/checkpoint/checkpoint_record.h"
#include "jobmanager/commands.h"
#include "jobmanager/snapshot.h"
#include "proto/jobs.pb.h"

namespace penstock::jobmanager {

proto::JobEntry EntryOf(const std::string& job_id, const JobSubmission& submission, const CheckpointStart& start,
                        int64_t now_ms);
JobSubmission SubmissionOf(const proto::JobEntry& entry);
proto::JobEnd EndOf(const JobSnapshot& snapshot);
// Of an ended job: what it came to. Of a live one: a job that is being taken over.
std::shared_ptr<const JobSnapshot> SnapshotOf(const proto::JobEntry& entry);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_STORE_JOB_ENTRY_H_
