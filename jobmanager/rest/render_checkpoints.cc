#include "jobmanager/rest/render_checkpoints.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace penstock::jobmanager {
namespace {

using nlohmann::json;

constexpr char kFailureClass[] = "CheckpointException";

const char* StatusOf(CheckpointOutcome outcome) {
  switch (outcome) {
    case CheckpointOutcome::kInProgress:
      return "IN_PROGRESS";
    case CheckpointOutcome::kCompleted:
      return "COMPLETED";
    case CheckpointOutcome::kAborted:
    case CheckpointOutcome::kExpired:
      return "FAILED";
  }
  return "FAILED";
}

const char* ClassNameOf(CheckpointOutcome outcome) {
  if (outcome == CheckpointOutcome::kInProgress) return "in_progress";
  return outcome == CheckpointOutcome::kCompleted ? "completed" : "failed";
}

bool IsSavepoint(const CheckpointRecord& record) { return record.kind == proto::Manifest::SAVEPOINT; }

std::string PathIn(const CheckpointConfig& config, const std::string& name) {
  return config.storage + (config.storage.ends_with('/') ? "" : "/") + name;
}

// Flink's statistics of one number over several things.
json Stats(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto quantile = [&values](double q) -> double {
    if (values.empty()) return 0;
    const double at = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(at);
    const auto above = std::min(below + 1, values.size() - 1);
    const double share = at - static_cast<double>(below);
    return static_cast<double>(values[below]) * (1 - share) + static_cast<double>(values[above]) * share;
  };
  int64_t sum = 0;
  for (const int64_t value : values) sum += value;
  return {{"min", values.empty() ? 0 : values.front()},
          {"max", values.empty() ? 0 : values.back()},
          {"avg", values.empty() ? 0 : sum / static_cast<int64_t>(values.size())},
          {"p50", quantile(0.5)},
          {"p90", quantile(0.9)},
          {"p95", quantile(0.95)},
          {"p99", quantile(0.99)},
          {"p999", quantile(0.999)}};
}

struct Sums {
  int64_t latest_ack_ms = -1;
  int64_t written_bytes = 0;
  int64_t state_bytes = 0;
  int acked = 0;
};

// Of one vertex, or of all: empty id.
Sums SumsOf(const CheckpointRecord& record, const std::string& vertex_id) {
  Sums sums;
  for (const auto& [key, subtask] : record.acked) {
    if (!vertex_id.empty() && key.first != vertex_id) continue;
    sums.latest_ack_ms = std::max(sums.latest_ack_ms, subtask.ack_ms);
    sums.written_bytes += subtask.figures.written_bytes();
    sums.state_bytes += subtask.figures.state_bytes();
    ++sums.acked;
  }
  return sums;
}

int64_t DurationOf(const CheckpointRecord& record, int64_t latest_ack_ms) {
  const int64_t end_ms = record.outcome == CheckpointOutcome::kCompleted ? record.end_ms : latest_ack_ms;
  return end_ms < 0 ? -1 : std::max<int64_t>(0, end_ms - record.trigger_ms);
}

// What checkpoints and their parts have in common.
json RenderSums(const CheckpointRecord& record, const Sums& sums, int subtasks) {
  return {{"id", record.id},
          {"status", StatusOf(record.outcome)},
          {"latest_ack_timestamp", sums.latest_ack_ms},
          {"checkpointed_size", sums.written_bytes},
          {"state_size", sums.state_bytes},
          {"end_to_end_duration", DurationOf(record, sums.latest_ack_ms)},
          {"alignment_buffered", 0},
          {"processed_data", 0},
          {"persisted_data", 0},
          {"num_subtasks", subtasks},
          {"num_acknowledged_subtasks", sums.acked}};
}

// Of a checkpoint that was taken at another parallelism, those that took part.
int SubtasksOf(const CheckpointRecord& record, const VertexSnapshot& vertex, const Sums& sums) {
  return record.outcome == CheckpointOutcome::kCompleted ? sums.acked : vertex.vertex.parallelism();
}

json RenderRecord(const CheckpointConfig& config, const CheckpointRecord& record) {
  json rendered = RenderSums(record, SumsOf(record, ""), record.subtasks);
  rendered["className"] = ClassNameOf(record.outcome);
  rendered["is_savepoint"] = IsSavepoint(record);
  rendered["savepointFormat"] = IsSavepoint(record) ? json("NATIVE") : json("");
  rendered["checkpoint_type"] = IsSavepoint(record) ? "SAVEPOINT" : "CHECKPOINT";
  rendered["trigger_timestamp"] = record.trigger_ms;
  rendered["tasks"] = json::object();
  if (record.outcome == CheckpointOutcome::kCompleted) {
    rendered["external_path"] = PathIn(config, record.manifest_name);
    rendered["discarded"] = record.discarded;
  } else if (record.outcome != CheckpointOutcome::kInProgress) {
    rendered["failure_timestamp"] = record.end_ms;
    rendered["failure_message"] = record.failure;
  }
  return rendered;
}

template <class Matches>
json NewestThat(const CheckpointsView& view, const Matches& matches) {
  const auto at = std::find_if(view.history.begin(), view.history.end(), matches);
  return at == view.history.end() ? json(nullptr) : RenderRecord(view.config, *at);
}

json RenderLatest(const CheckpointsView& view) {
  json restored = nullptr;
  if (view.restored) {
    const std::string& storage = view.restored->storage;
    restored = {{"id", view.restored->id},
                {"restore_timestamp", view.restored_ms},
                {"is_savepoint", view.restored->is_savepoint},
                {"external_path", storage.empty() ? PathIn(view.config, view.restored->manifest_name) : storage}};
  }
  const auto completed = [](const CheckpointRecord& record) { return record.outcome == CheckpointOutcome::kCompleted; };
  return {
      {"completed", NewestThat(view, [&](const auto& r) { return completed(r) && !IsSavepoint(r); })},
      {"savepoint", NewestThat(view, [&](const auto& r) { return completed(r) && IsSavepoint(r); })},
      {"failed",
       NewestThat(view, [&](const auto& r) { return !completed(r) && r.outcome != CheckpointOutcome::kInProgress; })},
      {"restored", std::move(restored)}};
}

json RenderSummary(const CheckpointsView& view) {
  std::vector<int64_t> written;
  std::vector<int64_t> state;
  std::vector<int64_t> durations;
  std::vector<int64_t> nothing;
  for (const CheckpointRecord& record : view.history) {
    if (record.outcome != CheckpointOutcome::kCompleted) continue;
    written.push_back(record.written_bytes);
    state.push_back(record.state_bytes);
    durations.push_back(record.end_ms - record.trigger_ms);
    nothing.push_back(0);
  }
  return {{"checkpointed_size", Stats(std::move(written))},
          {"state_size", Stats(std::move(state))},
          {"end_to_end_duration", Stats(std::move(durations))},
          {"alignment_buffered", Stats(nothing)},
          {"processed_data", Stats(nothing)},
          {"persisted_data", Stats(nothing)}};
}

// One figure of all subtasks of a vertex that have acknowledged.
template <class Get>
json StatsOver(const CheckpointRecord& record, const std::string& vertex_id, const Get& get) {
  std::vector<int64_t> values;
  for (const auto& [key, subtask] : record.acked) {
    if (key.first == vertex_id) values.push_back(get(subtask));
  }
  return Stats(std::move(values));
}

json RenderSubtask(const CheckpointRecord& record, int32_t index, const SubtaskRecord& subtask) {
  const proto::SnapshotFigures& figures = subtask.figures;
  return {
      {"className", "completed"},
      {"index", index},
      {"status", "completed"},
      {"ack_timestamp", subtask.ack_ms},
      {"end_to_end_duration", std::max<int64_t>(0, subtask.ack_ms - record.trigger_ms)},
      {"checkpointed_size", figures.written_bytes()},
      {"state_size", figures.state_bytes()},
      {"checkpoint", {{"sync", figures.sync_us() / 1000}, {"async", figures.async_us() / 1000}}},
      {"alignment", {{"buffered", 0}, {"processed", 0}, {"persisted", 0}, {"duration", figures.alignment_us() / 1000}}},
      {"start_delay", figures.start_delay_us() / 1000},
      {"unaligned_checkpoint", false},
      {"aborted", false}};
}

json RenderSubtaskSummary(const CheckpointRecord& record, const std::string& id) {
  const auto nothing = [](const SubtaskRecord&) { return int64_t{0}; };
  const json none = StatsOver(record, id, nothing);
  return {{"checkpointed_size", StatsOver(record, id, [](const auto& s) { return s.figures.written_bytes(); })},
          {"state_size", StatsOver(record, id, [](const auto& s) { return s.figures.state_bytes(); })},
          {"end_to_end_duration",
           StatsOver(record, id, [&](const auto& s) { return std::max<int64_t>(0, s.ack_ms - record.trigger_ms); })},
          {"checkpoint_duration",
           {{"sync", StatsOver(record, id, [](const auto& s) { return s.figures.sync_us() / 1000; })},
            {"async", StatsOver(record, id, [](const auto& s) { return s.figures.async_us() / 1000; })}}},
          {"alignment",
           {{"buffered", none},
            {"processed", none},
            {"persisted", none},
            {"duration", StatsOver(record, id, [](const auto& s) { return s.figures.alignment_us() / 1000; })}}},
          {"start_delay", StatsOver(record, id, [](const auto& s) { return s.figures.start_delay_us() / 1000; })}};
}

}  // namespace

json RenderCheckpoints(const JobSnapshot& job) {
  const CheckpointsView& view = *job.checkpoints;
  const CheckpointCounts& counts = view.counts;
  json history = json::array();
  for (const CheckpointRecord& record : view.history) history.push_back(RenderRecord(view.config, record));
  return {{"counts",
           {{"completed", counts.completed},
            {"failed", counts.failed},
            {"in_progress", counts.in_progress},
            {"restored", counts.restored},
            {"total", counts.completed + counts.failed + counts.in_progress}}},
          {"summary", RenderSummary(view)},
          {"latest", RenderLatest(view)},
          {"history", std::move(history)}};
}

json RenderCheckpointConfig(const CheckpointConfig& config) {
  return {{"mode", "exactly_once"},
          // What the dashboard takes for "off".
          {"interval", config.interval_ms > 0 ? config.interval_ms : std::numeric_limits<int64_t>::max()},
          {"timeout", config.timeout_ms},
          {"min_pause", config.min_pause_ms},
          {"max_concurrent", 1},
          {"externalization", {{"enabled", true}, {"delete_on_cancellation", false}}},
          {"state_backend", config.state_backend},
          {"checkpoint_storage", config.storage},
          {"unaligned_checkpoints", false},
          {"tolerable_failed_checkpoints",
           config.tolerable_failures < 0 ? std::numeric_limits<int32_t>::max() : config.tolerable_failures},
          {"aligned_checkpoint_timeout", 0},
          {"checkpoints_after_tasks_finish", true},
          {"state_changelog_enabled", false},
          {"changelog_periodic_materialization_interval", 0},
          {"changelog_storage", ""}};
}

json RenderCheckpoint(const JobSnapshot& job, const CheckpointRecord& record) {
  json rendered = RenderRecord(job.checkpoints->config, record);
  for (const VertexSnapshot& vertex : job.vertices) {
    const Sums sums = SumsOf(record, vertex.vertex.id());
    rendered["tasks"][vertex.vertex.id()] = RenderSums(record, sums, SubtasksOf(record, vertex, sums));
  }
  return rendered;
}

json RenderCheckpointSubtasks(const JobSnapshot&, const CheckpointRecord& record, const VertexSnapshot& vertex) {
  const std::string& id = vertex.vertex.id();
  const Sums sums = SumsOf(record, id);
  const int count = SubtasksOf(record, vertex, sums);
  json rendered = RenderSums(record, sums, count);
  json subtasks = json::array();
  for (int32_t i = 0; i < count; ++i) {
    const auto acked = record.acked.find({id, i});
    if (acked != record.acked.end()) {
      subtasks.push_back(RenderSubtask(record, i, acked->second));
    } else {
      subtasks.push_back({{"className", "pending"}, {"index", i}, {"status", "pending_or_failed"}});
    }
  }
  rendered["subtasks"] = std::move(subtasks);
  rendered["summary"] = RenderSubtaskSummary(record, id);
  return rendered;
}

json RenderFailedOperation(const std::string& failure, const std::string& kind) {
  // Flink's own spelling differs between the two.
  const char* const name = kind == "checkpoints" ? "failureCause" : "failure-cause";
  const std::string stack = std::string(kFailureClass) + ": " + failure;
  return {{"status", {{"id", "COMPLETED"}}},
          {"operation", {{name, {{"class", kFailureClass}, {"stack-trace", stack}, {"serialized-throwable", ""}}}}}};
}

json RenderOperation(const RequestRecord& request, const std::string& kind) {
  if (request.outcome == CheckpointOutcome::kInProgress) {
    return {{"status", {{"id", "IN_PROGRESS"}}}, {"operation", nullptr}};
  }
  if (request.outcome != CheckpointOutcome::kCompleted) return RenderFailedOperation(request.failure, kind);
  json operation =
      kind == "checkpoints" ? json{{"checkpointId", request.checkpoint_id}} : json{{"location", request.location}};
  return {{"status", {{"id", "COMPLETED"}}}, {"operation", std::move(operation)}};
}

namespace {

json RenderRequest(const RequestRecord& request) {
  const CheckpointRequest& asked = request.request;
  const char* phase = "copying";
  if (!request.committed || asked.directory.empty()) phase = "committing";
  if (!request.decided) phase = "taking";
  if (!request.triggered) phase = "waiting";
  if (request.outcome != CheckpointOutcome::kInProgress) phase = "ended";
  return {{"request", asked.number},
          {"kind", asked.kind == proto::Manifest::SAVEPOINT ? "savepoint" : "checkpoint"},
          {"ends_job", asked.ending != proto::TriggerCheckpoint::GOES_ON},
          {"status", StatusOf(request.outcome)},
          {"phase", phase},
          {"id", request.triggered ? json(request.checkpoint_id) : json(nullptr)},
          {"location", request.location},
          {"failure", request.failure},
          {"copied_bytes", request.copied_bytes},
          {"copy_bytes", request.copy_bytes}};
}

json RenderShort(const CheckpointConfig& config, const CheckpointRecord& record) {
  const Sums sums = SumsOf(record, "");
  return {{"id", record.id},
          {"kind", IsSavepoint(record) ? "savepoint" : "checkpoint"},
          {"status", StatusOf(record.outcome)},
          {"trigger_ms", record.trigger_ms},
          {"end_ms", record.end_ms},
          {"duration_ms", DurationOf(record, sums.latest_ack_ms)},
          {"written_bytes", sums.written_bytes},
          {"state_bytes", sums.state_bytes},
          {"subtasks", record.subtasks},
          {"acknowledged", sums.acked},
          {"failure", record.failure},
          {"location", record.manifest_name.empty() ? "" : PathIn(config, record.manifest_name)}};
}

json RenderFigures(const CheckpointRecord& record, int32_t index, const SubtaskRecord& subtask) {
  const proto::SnapshotFigures& figures = subtask.figures;
  return {{"subtask", index},
          {"acknowledged", true},
          {"ack_ms", subtask.ack_ms},
          {"duration_ms", std::max<int64_t>(0, subtask.ack_ms - record.trigger_ms)},
          {"start_delay_us", figures.start_delay_us()},
          {"alignment_us", figures.alignment_us()},
          {"sync_us", figures.sync_us()},
          {"async_us", figures.async_us()},
          {"written_bytes", figures.written_bytes()},
          {"state_bytes", figures.state_bytes()},
          {"waited_for", figures.waited_for()},
          {"waited_us", figures.waited_us()}};
}

template <class Matches>
json ShortOfNewest(const CheckpointsView& view, const Matches& matches) {
  const auto at = std::find_if(view.history.begin(), view.history.end(), matches);
  return at == view.history.end() ? json(nullptr) : RenderShort(view.config, *at);
}

}  // namespace

json RenderCheckpointHistory(const JobSnapshot& job) {
  json checkpoints = json::array();
  for (const CheckpointRecord& record : job.checkpoints->history) {
    checkpoints.push_back(RenderShort(job.checkpoints->config, record));
  }
  return {{"checkpoints", std::move(checkpoints)}};
}

json RenderCheckpointDetails(const JobSnapshot& job, const CheckpointRecord& record) {
  json rendered = RenderShort(job.checkpoints->config, record);
  json vertices = json::array();
  for (const VertexSnapshot& vertex : job.vertices) {
    const std::string& id = vertex.vertex.id();
    json subtasks = json::array();
    const int count = SubtasksOf(record, vertex, SumsOf(record, id));
    for (int32_t i = 0; i < count; ++i) {
      const auto acked = record.acked.find({id, i});
      subtasks.push_back(acked == record.acked.end() ? json{{"subtask", i}, {"acknowledged", false}}
                                                     : RenderFigures(record, i, acked->second));
    }
    vertices.push_back({{"id", id}, {"name", vertex.vertex.name()}, {"subtasks", std::move(subtasks)}});
  }
  rendered["vertices"] = std::move(vertices);
  return rendered;
}

json RenderCheckpointStatus(const JobSnapshot& job) {
  if (job.checkpoints == nullptr) return nullptr;
  const CheckpointsView& view = *job.checkpoints;
  json restored = nullptr;
  if (view.restored) {
    const std::string& storage = view.restored->storage;
    restored = {{"id", view.restored->id},
                {"kind", view.restored->is_savepoint ? "savepoint" : "checkpoint"},
                {"location", storage.empty() ? PathIn(view.config, view.restored->manifest_name) : storage},
                {"time_ms", view.restored_ms}};
  }
  json requests = json::array();
  for (const RequestRecord& request : view.requests) requests.push_back(RenderRequest(request));
  return {
      {"interval_ms", view.config.interval_ms},
      {"storage", view.config.storage},
      {"completed", view.counts.completed},
      {"failed", view.counts.failed},
      {"in_progress", ShortOfNewest(view, [](const auto& r) { return r.outcome == CheckpointOutcome::kInProgress; })},
      {"last", ShortOfNewest(view, [](const auto& r) { return r.outcome == CheckpointOutcome::kCompleted; })},
      {"last_failed", ShortOfNewest(view,
                                    [](const auto& r) {
                                      return r.outcome == CheckpointOutcome::kAborted ||
                                             r.outcome == CheckpointOutcome::kExpired;
                                    })},
      {"restored", std::move(restored)},
      {"requests", std::move(requests)}};
}

}  // namespace penstock::jobmanager
