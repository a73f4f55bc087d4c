// What a graph must be before the JobManager takes it. Pure. The job program has checked much more; this is what the
// JobManager itself relies on, whoever wrote the plan.
#ifndef PENSTOCK_JOBMANAGER_JOB_GRAPH_CHECK_H_
#define PENSTOCK_JOBMANAGER_JOB_GRAPH_CHECK_H_

#include "absl/status/status.h"
#include "proto/graph.pb.h"

namespace penstock::jobmanager {

inline constexpr int32_t kParallelismMax = 32'768;
inline constexpr int kVerticesMax = 10'000;

// FailedPrecondition: built for another machine, control or graph version (both named). InvalidArgument: every other
// error at once, one a line.
absl::Status CheckGraph(const proto::JobGraph& graph);

// Beginning anywhere but at the newest checkpoint would repeat what such a sink has committed.
bool HasExactlyOnceSink(const proto::JobGraph& graph);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_GRAPH_CHECK_H_
