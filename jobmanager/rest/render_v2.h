// The JSON of penstock's own routes under /v2, from the snapshot. Pure.
#ifndef PENSTOCK_JOBMANAGER_REST_RENDER_V2_H_
#define PENSTOCK_JOBMANAGER_REST_RENDER_V2_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobmanager/rest/rate_tracker.h"
#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

// The id of the JobManager among the processes.
inline constexpr char kJobManagerProcess[] = "jobmanager";

// Why it waits, what flows, who holds the watermark, lag per split, what tasks complain about. docs/rest.md has all.
nlohmann::json RenderJobStatus(const JobSnapshot& job, const RateTracker& rates, int64_t now_ms);
nlohmann::json RenderProcesses(const ClusterSnapshot& snapshot, int jobmanager_pid);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_RENDER_V2_H_
