// The JSON of Flink's cluster routes, from the snapshot. Pure.
#ifndef PENSTOCK_JOBMANAGER_REST_RENDER_CLUSTER_H_
#define PENSTOCK_JOBMANAGER_REST_RENDER_CLUSTER_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

nlohmann::json RenderConfig(int64_t refresh_interval_ms);
nlohmann::json RenderOverview(const ClusterSnapshot& snapshot);
nlohmann::json RenderTaskManagers(const ClusterSnapshot& snapshot);
nlohmann::json RenderTaskManager(const TaskManagerSnapshot& taskmanager);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_RENDER_CLUSTER_H_
