// What several answers say about a job, computed from its snapshot. Pure.
#ifndef PENSTOCK_JOBMANAGER_REST_JOB_VIEW_H_
#define PENSTOCK_JOBMANAGER_REST_JOB_VIEW_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

inline constexpr int64_t kNoWatermark = std::numeric_limits<int64_t>::min();

// Every task state in the order Flink lists them.
inline constexpr proto::TaskState kTaskStates[] = {
    proto::CREATED,  proto::SCHEDULED, proto::DEPLOYING, proto::INITIALIZING, proto::RUNNING,
    proto::FINISHED, proto::CANCELING, proto::CANCELED,  proto::FAILED,       proto::RECONCILING};

std::shared_ptr<const JobSnapshot> FindJob(const ClusterSnapshot& snapshot, const std::string& job_id);
const VertexSnapshot* FindVertex(const JobSnapshot& job, const std::string& vertex_id);

int64_t DurationOf(const JobSnapshot& job, int64_t now_ms);

// Subtasks per state; every state has an entry.
std::map<proto::TaskState, int> CountSubtasks(const VertexSnapshot& vertex);
// One state for the vertex: failed if any subtask has failed, finished if all have, and so on (Flink's rule).
proto::TaskState StateOf(const VertexSnapshot& vertex);

struct Interval {
  int64_t start_ms = -1;  // -1: not yet
  int64_t end_ms = -1;
  int64_t duration_ms = -1;
};
Interval IntervalOf(const SubtaskSnapshot& subtask, int64_t now_ms);
Interval IntervalOf(const VertexSnapshot& vertex, int64_t now_ms);

// Sums of the subtasks; watermarks are the least of them (kNoWatermark when one has none).
proto::TaskMetrics TotalsOf(const VertexSnapshot& vertex);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_JOB_VIEW_H_
