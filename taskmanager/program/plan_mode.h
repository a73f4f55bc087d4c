// `<job> plan`: reads {"arguments": [...], "parallelism": n} from standard input and prints the job graph as proto3
// JSON.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_PLAN_MODE_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_PLAN_MODE_H_

#include <penstock/job.h>

namespace penstock::program {

// Standard output carries the plan and nothing else: what the author's function prints goes to standard error.
// Exit codes: 0; 1 the graph is refused (reasons on standard error); 2 the request cannot be read.
int RunPlan(const JobDefinition& job);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_PLAN_MODE_H_
