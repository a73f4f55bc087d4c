// From a job definition to its compiled graph: what `plan`, a worker and a program run alone have in common.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_JOB_GRAPH_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_JOB_GRAPH_H_

#include <penstock/job.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/graph/compile.h"
#include "runtime/metrics/metrics.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::program {

struct GraphRequest {
  std::vector<std::string> arguments;
  int parallelism = 1;
  int key_groups = 720;
  bool submitting = false;  // runs the checks that connect to other systems
};

// Runs the author's function. InvalidArgument lists every error of graph and arguments; an exception of the function
// becomes Aborted with its message; FailedPrecondition lists the checks at submit that have failed.
absl::StatusOr<CompiledGraph> BuildGraph(const JobDefinition& job, const GraphRequest& request);

// The metrics of all tasks of this process. Lives as long as the process: they may be read until the end.
MetricRegistry& ProcessRegistry();

// A factory of executors that run this program's tasks.
worker::ExecutorFactory MakeExecutorFactory(const JobDefinition& job);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_JOB_GRAPH_H_
