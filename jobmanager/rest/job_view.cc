#include "jobmanager/rest/job_view.h"

#include <algorithm>

namespace penstock::jobmanager {

std::shared_ptr<const JobSnapshot> FindJob(const ClusterSnapshot& snapshot, const std::string& job_id) {
  for (const auto& job : snapshot.jobs) {
    if (job->id == job_id) return job;
  }
  return nullptr;
}

const VertexSnapshot* FindVertex(const JobSnapshot& job, const std::string& vertex_id) {
  for (const VertexSnapshot& vertex : job.vertices) {
    if (vertex.vertex.id() == vertex_id) return &vertex;
  }
  return nullptr;
}

int64_t DurationOf(const JobSnapshot& job, int64_t now_ms) {
  return std::max<int64_t>(0, (job.end_ms >= 0 ? job.end_ms : now_ms) - job.start_ms);
}

std::map<proto::TaskState, int> CountSubtasks(const VertexSnapshot& vertex) {
  std::map<proto::TaskState, int> counts;
  for (const proto::TaskState state : kTaskStates) counts[state] = 0;
  for (const SubtaskSnapshot& subtask : vertex.subtasks) ++counts[subtask.state];
  return counts;
}

proto::TaskState StateOf(const VertexSnapshot& vertex) {
  const auto counts = CountSubtasks(vertex);
  for (const proto::TaskState state :
       {proto::FAILED, proto::CANCELING, proto::CANCELED, proto::INITIALIZING, proto::RUNNING}) {
    if (counts.at(state) > 0) return state;
  }
  if (counts.at(proto::FINISHED) > 0) {
    const bool all = counts.at(proto::FINISHED) == static_cast<int>(vertex.subtasks.size());
    return all ? proto::FINISHED : proto::RUNNING;
  }
  for (const proto::TaskState state : {proto::DEPLOYING, proto::SCHEDULED}) {
    if (counts.at(state) > 0) return state;
  }
  return proto::CREATED;
}

Interval IntervalOf(const SubtaskSnapshot& subtask, int64_t now_ms) {
  Interval interval;
  const auto deploying = subtask.state_entered_ms.find(proto::DEPLOYING);
  if (deploying == subtask.state_entered_ms.end()) return interval;
  interval.start_ms = deploying->second;
  interval.end_ms = subtask.end_ms;
  interval.duration_ms = std::max<int64_t>(0, (subtask.end_ms >= 0 ? subtask.end_ms : now_ms) - interval.start_ms);
  return interval;
}

Interval IntervalOf(const VertexSnapshot& vertex, int64_t now_ms) {
  Interval whole;
  bool ended = !vertex.subtasks.empty();
  for (const SubtaskSnapshot& subtask : vertex.subtasks) {
    const Interval one = IntervalOf(subtask, now_ms);
    if (one.start_ms >= 0 && (whole.start_ms < 0 || one.start_ms < whole.start_ms)) whole.start_ms = one.start_ms;
    whole.end_ms = std::max(whole.end_ms, one.end_ms);
    ended = ended && one.end_ms >= 0;
  }
  if (!ended) whole.end_ms = -1;
  if (whole.start_ms >= 0) {
    whole.duration_ms = std::max<int64_t>(0, (ended ? whole.end_ms : now_ms) - whole.start_ms);
  }
  return whole;
}

proto::TaskMetrics TotalsOf(const VertexSnapshot& vertex) {
  proto::TaskMetrics sum;
  int64_t input_watermark = std::numeric_limits<int64_t>::max();
  int64_t output_watermark = std::numeric_limits<int64_t>::max();
  for (const SubtaskSnapshot& subtask : vertex.subtasks) {
    const proto::TaskMetrics& one = subtask.metrics;
    sum.set_records_in(sum.records_in() + one.records_in());
    sum.set_records_out(sum.records_out() + one.records_out());
    sum.set_bytes_in(sum.bytes_in() + one.bytes_in());
    sum.set_bytes_out(sum.bytes_out() + one.bytes_out());
    sum.set_busy_ms(sum.busy_ms() + one.busy_ms());
    sum.set_idle_ms(sum.idle_ms() + one.idle_ms());
    sum.set_backpressured_ms(sum.backpressured_ms() + one.backpressured_ms());
    sum.set_late_records(sum.late_records() + one.late_records());
    sum.set_malformed_records(sum.malformed_records() + one.malformed_records());
    // A subtask that has not reported yet has seen no watermark.
    const bool reported = !one.vertex_id().empty();
    input_watermark = std::min(input_watermark, reported ? one.input_watermark_ms() : kNoWatermark);
    output_watermark = std::min(output_watermark, reported ? one.output_watermark_ms() : kNoWatermark);
  }
  sum.set_input_watermark_ms(vertex.subtasks.empty() ? kNoWatermark : input_watermark);
  sum.set_output_watermark_ms(vertex.subtasks.empty() ? kNoWatermark : output_watermark);
  return sum;
}

}  // namespace penstock::jobmanager
