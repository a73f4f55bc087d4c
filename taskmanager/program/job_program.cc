// The main of every job program: run alone, plan, worker, state.
#include <penstock/job.h>

#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "runtime/core/log.h"
#include "taskmanager/program/alone_mode.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/program/plan_mode.h"
#include "taskmanager/program/state_mode.h"
#include "taskmanager/program/txn_mode.h"
#include "taskmanager/worker/run_worker.h"

namespace penstock {

int RunJobProgram(const JobDefinition& job, int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  log::Init(job.name);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "plan") return program::RunPlan(job);
  if (!arguments.empty() && arguments[0] == "state") return program::RunState();
  if (!arguments.empty() && arguments[0] == "txn") return program::RunTxn(job);
  if (!arguments.empty() && arguments[0] == "worker") {
    return worker::RunWorker(program::MakeExecutorFactory(job), program::ProcessRegistry());
  }
  return program::RunAlone(job, arguments);
}

}  // namespace penstock
