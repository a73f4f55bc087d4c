// `<job> worker`: started by a TaskManager host, which hands it a WorkerSpec on standard input and keeps the pipe open
// for as long as it lives itself.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_WORKER_MODE_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_WORKER_MODE_H_

#include <penstock/job.h>

namespace penstock::program {

// Exit codes: taskmanager/worker/exit_codes.h.
int RunWorkerProcess(const JobDefinition& job);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_WORKER_MODE_H_
