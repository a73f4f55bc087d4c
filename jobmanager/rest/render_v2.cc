#include "jobmanager/rest/render_v2.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobmanager/rest/job_view.h"
#include "jobmanager/rest/render_checkpoints.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;

json RenderWatermark(int64_t watermark_ms) { return watermark_ms == kNoWatermark ? json(nullptr) : json(watermark_ms); }

json RenderTotals(const proto::TaskMetrics& metrics) {
  return {{"records_in", metrics.records_in()},
          {"records_out", metrics.records_out()},
          {"bytes_in", metrics.bytes_in()},
          {"bytes_out", metrics.bytes_out()},
          {"busy_ms", metrics.busy_ms()},
          {"idle_ms", metrics.idle_ms()},
          {"backpressured_ms", metrics.backpressured_ms()},
          {"late_records", metrics.late_records()},
          {"malformed_records", metrics.malformed_records()},
          {"input_watermark_ms", RenderWatermark(metrics.input_watermark_ms())},
          {"output_watermark_ms", RenderWatermark(metrics.output_watermark_ms())}};
}

json RenderSubtask(const SubtaskSnapshot& subtask) {
  json rendered = RenderTotals(subtask.metrics);
  if (subtask.metrics.vertex_id().empty()) {  // not reported yet
    rendered["input_watermark_ms"] = nullptr;
    rendered["output_watermark_ms"] = nullptr;
  }
  rendered["subtask"] = subtask.subtask;
  rendered["state"] = proto::TaskState_Name(subtask.state);
  rendered["attempt"] = subtask.attempt;
  rendered["taskmanager_id"] = subtask.taskmanager_id;
  rendered["endpoint"] = subtask.endpoint;
  rendered["note"] = subtask.metrics.status_note();
  rendered["watermark_holder"] = subtask.metrics.watermark_holder();
  rendered["debloated_buffer_bytes"] = subtask.metrics.debloated_buffer_bytes();
  rendered["consume_buffers_ms"] = subtask.metrics.consume_buffers_ms();
  return rendered;
}

// The input that holds back the subtask with the least watermark.
std::string WatermarkHolderOf(const VertexSnapshot& vertex) {
  const SubtaskSnapshot* least = nullptr;
  for (const SubtaskSnapshot& subtask : vertex.subtasks) {
    if (subtask.metrics.watermark_holder().empty()) continue;
    if (least == nullptr || subtask.metrics.input_watermark_ms() < least->metrics.input_watermark_ms()) {
      least = &subtask;
    }
  }
  return least == nullptr ? "" : least->metrics.watermark_holder();
}

json SumUserMetrics(const VertexSnapshot& vertex) {
  std::map<std::string, double> sums;
  for (const SubtaskSnapshot& subtask : vertex.subtasks) {
    for (const auto& [name, value] : subtask.metrics.user()) sums[name] += value;
  }
  return sums;
}

json RenderVertex(const JobSnapshot& job, const VertexSnapshot& vertex, const VertexRates& rates) {
  json rendered = RenderTotals(TotalsOf(vertex));
  rendered["id"] = vertex.vertex.id();
  rendered["name"] = vertex.vertex.name();
  rendered["parallelism"] = vertex.vertex.parallelism();
  rendered["state"] = proto::TaskState_Name(StateOf(vertex));
  rendered["is_source"] = vertex.vertex.is_source();
  rendered["is_sink"] = vertex.vertex.is_sink();
  const bool live = !IsTerminal(job.state);
  rendered["records_in_per_second"] = live ? rates.records_in : 0;
  rendered["records_out_per_second"] = live ? rates.records_out : 0;
  rendered["bytes_in_per_second"] = live ? rates.bytes_in : 0;
  rendered["bytes_out_per_second"] = live ? rates.bytes_out : 0;
  rendered["watermark_holder"] = WatermarkHolderOf(vertex);
  rendered["user"] = SumUserMetrics(vertex);
  json subtasks = json::array();
  for (const SubtaskSnapshot& subtask : vertex.subtasks) subtasks.push_back(RenderSubtask(subtask));
  rendered["subtasks"] = std::move(subtasks);
  return rendered;
}

json RenderSplit(const VertexSnapshot& vertex, const SubtaskSnapshot& subtask, const proto::SplitStatus& split) {
  const bool known = split.position() >= 0 && split.end() >= 0;
  return {{"name", split.name()},
          {"vertex", vertex.vertex.name()},
          {"subtask", subtask.subtask},
          {"position", split.position()},
          {"end", split.end()},
          {"lag", known ? std::max<int64_t>(0, split.end() - split.position()) : -1},
          {"watermark_ms", RenderWatermark(split.watermark_ms())},
          {"idle", split.idle()},
          {"finished", split.finished()}};
}

json RenderRootFailure(const JobSnapshot& job) {
  if (job.failures.empty()) return nullptr;
  const FailureSnapshot& newest = job.failures.front();
  return {{"time_ms", newest.time_ms},
          {"type", newest.failure.exception_type()},
          {"message", newest.failure.message()},
          {"stack", newest.failure.stack()},
          {"task", newest.task_name},
          {"operator", newest.operator_name},
          {"taskmanager_id", newest.taskmanager_id}};
}

}  // namespace

json RenderJobStatus(const JobSnapshot& job, const RateTracker& rates, int64_t now_ms) {
  json vertices = json::array();
  json splits = json::array();
  json notes = json::array();
  int64_t lag = 0;
  VertexRates flow;  // into the job at its sources, out of it at its sinks
  int64_t records_in = 0;
  int64_t records_out = 0;
  for (const VertexSnapshot& vertex : job.vertices) {
    const VertexRates vertex_rates = rates.RatesOf(job.id, vertex.vertex.id());
    const proto::TaskMetrics totals = TotalsOf(vertex);
    if (vertex.vertex.is_source()) {
      flow.records_in += vertex_rates.records_in;
      records_in += totals.records_in();
    }
    if (vertex.vertex.is_sink()) {
      flow.records_out += vertex_rates.records_out;
      records_out += totals.records_out();
    }
    vertices.push_back(RenderVertex(job, vertex, vertex_rates));
    for (const SubtaskSnapshot& subtask : vertex.subtasks) {
      for (const proto::SplitStatus& split : subtask.metrics.splits()) {
        splits.push_back(RenderSplit(vertex, subtask, split));
        lag += std::max<int64_t>(0, splits.back()["lag"].get<int64_t>());
      }
      if (!subtask.metrics.status_note().empty()) {
        notes.push_back(
            {{"vertex", vertex.vertex.name()}, {"subtask", subtask.subtask}, {"note", subtask.metrics.status_note()}});
      }
    }
  }
  const bool live = !IsTerminal(job.state);
  return {{"id", job.id},
          {"name", job.name},
          {"uid", job.uid},
          {"state", JobStateName(job.state)},
          {"terminal", !live},
          {"waits_for", job.waits_for},
          {"attempt", job.attempt},
          {"parallelism", job.parallelism},
          {"key_groups", job.graph.key_groups()},
          {"digest", job.digest},
          {"is_bundle", job.is_bundle},
          {"arguments", job.arguments},
          {"start_ms", job.start_ms},
          {"end_ms", job.end_ms},
          {"duration_ms", DurationOf(job, now_ms)},
          {"last_modified_ms", job.last_modified_ms},
          {"records_in", records_in},
          {"records_out", records_out},
          {"records_in_per_second", live ? flow.records_in : 0},
          {"records_out_per_second", live ? flow.records_out : 0},
          {"lag", lag},
          {"splits", std::move(splits)},
          {"notes", std::move(notes)},
          {"failure", RenderRootFailure(job)},
          {"checkpoints", RenderCheckpointStatus(job)},
          {"vertices", std::move(vertices)}};
}

json RenderProcesses(const ClusterSnapshot& snapshot, int jobmanager_pid) {
  json processes = json::array();
  processes.push_back({{"id", kJobManagerProcess}, {"kind", "jobmanager"}, {"pid", jobmanager_pid}});
  for (const TaskManagerSnapshot& taskmanager : snapshot.taskmanagers) {
    processes.push_back({{"id", taskmanager.id},
                         {"kind", "taskmanager"},
                         {"pid", taskmanager.hello.pid()},
                         {"host", taskmanager.address},
                         {"metrics_address", taskmanager.hello.metrics_address()},
                         {"log_dir", taskmanager.hello.log_dir()},
                         {"slots", taskmanager.slots},
                         {"free_slots", taskmanager.free_slots},
                         {"last_heartbeat_ms", taskmanager.last_heartbeat_ms}});
  }
  return {{"processes", std::move(processes)}};
}

}  // namespace penstock::jobmanager
