// The legal moves of a job. Pure.
#ifndef PENSTOCK_JOBMANAGER_JOB_JOB_STATE_H_
#define PENSTOCK_JOBMANAGER_JOB_JOB_STATE_H_

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

bool IsLegalTransition(JobState from, JobState to);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_JOB_STATE_H_
