// The JSON of Flink's job routes, from the snapshot. Pure. now_ms: epoch milliseconds.
#ifndef PENSTOCK_JOBMANAGER_REST_RENDER_JOB_H_
#define PENSTOCK_JOBMANAGER_REST_RENDER_JOB_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

nlohmann::json RenderJobIds(const ClusterSnapshot& snapshot);
nlohmann::json RenderJobsOverview(const ClusterSnapshot& snapshot, int64_t now_ms);
nlohmann::json RenderJob(const JobSnapshot& job, int64_t now_ms);
nlohmann::json RenderPlan(const JobSnapshot& job);  // of /plan and within RenderJob
nlohmann::json RenderJobConfig(const JobSnapshot& job, const std::string& restart_strategy);
// At most `entries_max` of the newest.
nlohmann::json RenderExceptions(const JobSnapshot& job, int entries_max);
nlohmann::json RenderVertex(const VertexSnapshot& vertex, int64_t now_ms);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_RENDER_JOB_H_
