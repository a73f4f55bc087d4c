// The JSON of checkpoints: Flink's routes, and our part of /v2/jobs/:id. Pure. Each needs job.checkpoints.
#ifndef PENSTOCK_JOBMANAGER_REST_RENDER_CHECKPOINTS_H_
#define PENSTOCK_JOBMANAGER_REST_RENDER_CHECKPOINTS_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

nlohmann::json RenderCheckpoints(const JobSnapshot& job);
nlohmann::json RenderCheckpointConfig(const CheckpointConfig& config);
nlohmann::json RenderCheckpoint(const JobSnapshot& job, const CheckpointRecord& record);
nlohmann::json RenderCheckpointSubtasks(const JobSnapshot& job, const CheckpointRecord& record,
                                        const VertexSnapshot& vertex);
// The operation of one request: {"status": ..., "operation": ...}. kind: "savepoints" or "checkpoints".
nlohmann::json RenderOperation(const RequestRecord& request, const std::string& kind);
// {"status": ..., "operation": ...} of what can't be told any more, or failed otherwise.
nlohmann::json RenderFailedOperation(const std::string& failure, const std::string& kind);

// `checkpoints` of /v2/jobs/:id; null when the job takes none.
nlohmann::json RenderCheckpointStatus(const JobSnapshot& job);
// /v2/jobs/:id/checkpoints, newest first, and /v2/jobs/:id/checkpoints/:checkpointid.
nlohmann::json RenderCheckpointHistory(const JobSnapshot& job);
nlohmann::json RenderCheckpointDetails(const JobSnapshot& job, const CheckpointRecord& record);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_RENDER_CHECKPOINTS_H_
