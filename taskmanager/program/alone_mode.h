// `<job> [-p N] [--name value ...]`: the whole job in this process, on a LocalCluster.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_ALONE_MODE_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_ALONE_MODE_H_

#include <penstock/job.h>

#include <string>
#include <vector>

namespace penstock::program {

// Ends with the job, or cancels it on SIGINT and SIGTERM. Exit codes: 0 finished or cancelled; 1 the job failed or its
// graph is refused; 2 bad arguments.
int RunAlone(const JobDefinition& job, const std::vector<std::string>& arguments);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_ALONE_MODE_H_
