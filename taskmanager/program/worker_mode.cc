#include "taskmanager/program/worker_mode.h"

#include "taskmanager/program/job_graph.h"
#include "taskmanager/worker/run_worker.h"

namespace penstock::program {

int RunWorkerProcess(const JobDefinition& job) { return worker::RunWorker(MakeExecutorFactory(job), ProcessRegistry()); }

}  // namespace penstock::program
