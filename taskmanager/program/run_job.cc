// penstock::testing::RunJob.
#include <penstock/testing.h>

#include <algorithm>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/program/local_cluster.h"

namespace penstock::testing {
namespace {

constexpr std::chrono::milliseconds kLookEvery{5};
constexpr std::chrono::seconds kCancelTimeout{30};

// Waits for the job's end, for `until`, or for the timeout.
absl::Status Await(taskmanager::LocalCluster& cluster, const std::string& id, const RunOptions& options) {
  const int64_t deadline_ms = Clock::System().MonotonicMs() + options.timeout.count();
  while (true) {
    const absl::Status end = cluster.AwaitEnd(id, kLookEvery);
    if (!absl::IsDeadlineExceeded(end)) return end;
    const bool enough = options.until && options.until();
    if (!enough && Clock::System().MonotonicMs() < deadline_ms) continue;
    PENSTOCK_RETURN_IF_ERROR(cluster.Cancel(id));
    const absl::Status cancelled = cluster.AwaitEnd(id, kCancelTimeout);
    if (!enough) return DeadlineExceeded("the job did not end within {} ms", options.timeout.count());
    return absl::IsCancelled(cancelled) ? absl::OkStatus() : cancelled;
  }
}

}  // namespace

absl::Status RunJob(std::function<void(Environment&, const Args&)> build, const RunOptions& options) {
  const JobDefinition job{"test-job", std::move(build)};
  PENSTOCK_ASSIGN_OR_RETURN(const CompiledGraph compiled, program::BuildGraph(job, {.arguments = options.arguments,
                                                                                    .parallelism = options.parallelism,
                                                                                    .submitting = true}));
  int slots = 1;
  for (const CompiledVertex& vertex : compiled.vertices) slots = std::max(slots, vertex.parallelism);
  const int taskmanagers = std::max(options.taskmanagers, 1);
  PENSTOCK_ASSIGN_OR_RETURN(
      const std::unique_ptr<taskmanager::LocalCluster> cluster,
      taskmanager::LocalCluster::Start(
          {.taskmanagers = taskmanagers, .slots_per_taskmanager = (slots + taskmanagers - 1) / taskmanagers},
          program::MakeExecutorFactory(job)));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string id, cluster->Submit(compiled.graph, options.arguments, options.config));
  return Await(*cluster, id, options);
}

}  // namespace penstock::testing
