#include "jobmanager/rest/render_job.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "jobmanager/rest/job_view.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;

constexpr JobState kJobStates[] = {JobState::kInitializing, JobState::kCreated,  JobState::kRunning,
                                   JobState::kFailing,      JobState::kFailed,   JobState::kCancelling,
                                   JobState::kCanceled,     JobState::kFinished, JobState::kRestarting};

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

json RenderCounts(const std::map<proto::TaskState, int>& counts) {
  json rendered = json::object();
  for (const auto& [state, count] : counts) rendered[proto::TaskState_Name(state)] = count;
  return rendered;
}

json RenderIoMetrics(const proto::TaskMetrics& metrics) {
  return {{"read-bytes", metrics.bytes_in()},
          {"read-bytes-complete", true},
          {"write-bytes", metrics.bytes_out()},
          {"write-bytes-complete", true},
          {"read-records", metrics.records_in()},
          {"read-records-complete", true},
          {"write-records", metrics.records_out()},
          {"write-records-complete", true},
          {"accumulated-backpressured-time", metrics.backpressured_ms()},
          {"accumulated-idle-time", metrics.idle_ms()},
          {"accumulated-busy-time", metrics.busy_ms()}};
}

// Lower-case states and their total, over all subtasks.
json RenderTaskCounts(const JobSnapshot& job) {
  json rendered = {{"total", 0}};
  for (const proto::TaskState state : kTaskStates) rendered[Lower(proto::TaskState_Name(state))] = 0;
  int total = 0;
  for (const VertexSnapshot& vertex : job.vertices) {
    for (const SubtaskSnapshot& subtask : vertex.subtasks) {
      json& count = rendered[Lower(proto::TaskState_Name(subtask.state))];
      count = count.get<int>() + 1;
      ++total;
    }
  }
  rendered["total"] = total;
  return rendered;
}

json RenderInputs(const JobSnapshot& job, const std::string& vertex_id) {
  json inputs = json::array();
  for (const proto::Edge& edge : job.graph.edges()) {
    if (edge.to() != vertex_id) continue;
    inputs.push_back({{"num", edge.to_input()},
                      {"id", edge.from()},
                      {"ship_strategy", Upper(edge.partitioning())},
                      {"exchange", "pipelined_bounded"},
                      {"local_strategy", ""},
                      {"caching", ""}});
  }
  return inputs;
}

json RenderVertexSummary(const JobSnapshot& job, const VertexSnapshot& vertex, int64_t now_ms) {
  const Interval interval = IntervalOf(vertex, now_ms);
  return {{"id", vertex.vertex.id()},
          {"slotSharingGroupId", job.id},  // one group: the vertices of a job share its slots
          {"name", vertex.vertex.name()},
          {"maxParallelism", vertex.vertex.max_parallelism()},
          {"parallelism", vertex.vertex.parallelism()},
          {"status", proto::TaskState_Name(StateOf(vertex))},
          {"start-time", interval.start_ms},
          {"end-time", interval.end_ms},
          {"duration", interval.duration_ms},
          {"tasks", RenderCounts(CountSubtasks(vertex))},
          {"metrics", RenderIoMetrics(TotalsOf(vertex))}};
}

json RenderStatusDuration(const SubtaskSnapshot& subtask, int64_t now_ms) {
  // The states a task passes on its way; each lasts until the next one that was entered.
  constexpr proto::TaskState kWay[] = {proto::CREATED, proto::SCHEDULED, proto::DEPLOYING, proto::INITIALIZING,
                                       proto::RUNNING};
  json durations = json::object();
  int64_t until_ms = subtask.end_ms >= 0 ? subtask.end_ms : now_ms;
  for (size_t i = std::size(kWay); i-- > 0;) {
    const auto entered = subtask.state_entered_ms.find(kWay[i]);
    const bool passed = entered != subtask.state_entered_ms.end();
    durations[proto::TaskState_Name(kWay[i])] = passed ? std::max<int64_t>(0, until_ms - entered->second) : -1;
    if (passed) until_ms = entered->second;
  }
  return durations;
}

json RenderSubtask(const SubtaskSnapshot& subtask, int64_t now_ms) {
  const Interval interval = IntervalOf(subtask, now_ms);
  return {{"subtask", subtask.subtask},
          {"status", proto::TaskState_Name(subtask.state)},
          {"attempt", subtask.attempt},
          {"endpoint", subtask.endpoint},
          {"host", subtask.endpoint.substr(0, subtask.endpoint.rfind(':'))},
          {"start-time", interval.start_ms},
          {"start_time", interval.start_ms},
          {"end-time", interval.end_ms},
          {"duration", interval.duration_ms},
          {"taskmanager-id", subtask.taskmanager_id},
          {"metrics", RenderIoMetrics(subtask.metrics)},
          {"status-duration", RenderStatusDuration(subtask, now_ms)},
          {"other-concurrent-attempts", json::array()}};
}

json Summarise(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto quantile = [&values](double q) -> int64_t {
    if (values.empty()) return 0;
    return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
  };
  int64_t sum = 0;
  for (const int64_t value : values) sum += value;
  return {{"min", quantile(0)},
          {"max", quantile(1)},
          {"avg", values.empty() ? 0 : sum / static_cast<int64_t>(values.size())},
          {"sum", sum},
          {"median", quantile(0.5)},
          {"p25", quantile(0.25)},
          {"p75", quantile(0.75)},
          {"p95", quantile(0.95)}};
}

// `one` over all subtasks, number by number.
json Aggregate(const json& subtasks, const char* member) {
  std::map<std::string, std::vector<int64_t>> values;
  for (const json& subtask : subtasks) {
    for (const auto& [name, value] : subtask.at(member).items()) {
      if (value.is_number()) values[name].push_back(value.get<int64_t>());
    }
  }
  json aggregated = json::object();
  for (auto& [name, numbers] : values) aggregated[name] = Summarise(std::move(numbers));
  return aggregated;
}

}  // namespace

json RenderJobIds(const ClusterSnapshot& snapshot) {
  json jobs = json::array();
  for (const auto& job : snapshot.jobs) jobs.push_back({{"id", job->id}, {"status", JobStateName(job->state)}});
  return {{"jobs", std::move(jobs)}};
}

json RenderJobsOverview(const ClusterSnapshot& snapshot, int64_t now_ms) {
  json jobs = json::array();
  for (const auto& job : snapshot.jobs) {
    jobs.push_back({{"jid", job->id},
                    {"name", job->name},
                    {"state", JobStateName(job->state)},
                    {"start-time", job->start_ms},
                    {"end-time", job->end_ms},
                    {"duration", DurationOf(*job, now_ms)},
                    {"last-modification", job->last_modified_ms},
                    {"tasks", RenderTaskCounts(*job)},
                    {"pending-operators", 0}});
  }
  return {{"jobs", std::move(jobs)}};
}

json RenderPlan(const JobSnapshot& job) {
  json nodes = json::array();
  for (const proto::Vertex& vertex : job.graph.vertices()) {
    nodes.push_back({{"id", vertex.id()},
                     {"parallelism", vertex.parallelism()},
                     {"operator", ""},
                     {"operator_strategy", ""},
                     {"description", vertex.name()},
                     {"inputs", RenderInputs(job, vertex.id())},
                     {"optimizer_properties", json::object()}});
  }
  return {{"jid", job.id}, {"name", job.name}, {"type", "STREAMING"}, {"nodes", std::move(nodes)}};
}

json RenderJob(const JobSnapshot& job, int64_t now_ms) {
  json timestamps = json::object();
  for (const JobState state : kJobStates) {
    const auto entered = job.state_entered_ms.find(static_cast<int>(state));
    timestamps[JobStateName(state)] = entered == job.state_entered_ms.end() ? 0 : entered->second;
  }
  std::map<proto::TaskState, int> vertices_by_state;
  for (const proto::TaskState state : kTaskStates) vertices_by_state[state] = 0;
  json vertices = json::array();
  for (const VertexSnapshot& vertex : job.vertices) {
    ++vertices_by_state[StateOf(vertex)];
    vertices.push_back(RenderVertexSummary(job, vertex, now_ms));
  }
  return {{"jid", job.id},
          {"name", job.name},
          {"isStoppable", job.state == JobState::kRunning && job.checkpoints != nullptr},
          {"state", JobStateName(job.state)},
          {"job-type", "STREAMING"},
          {"start-time", job.start_ms},
          {"end-time", job.end_ms},
          {"duration", DurationOf(job, now_ms)},
          {"maxParallelism", job.graph.key_groups()},
          {"now", now_ms},
          {"timestamps", std::move(timestamps)},
          {"vertices", std::move(vertices)},
          {"status-counts", RenderCounts(vertices_by_state)},
          {"plan", RenderPlan(job)},
          {"stream-graph", {{"nodes", json::array()}}},
          {"pending-operators", 0}};
}

json RenderJobConfig(const JobSnapshot& job, const std::string& restart_strategy) {
  json user_config = json::object();
  for (size_t i = 0; i < job.arguments.size(); ++i) user_config["argument." + std::to_string(i)] = job.arguments[i];
  return {{"jid", job.id},
          {"name", job.name},
          {"execution-config",
           {{"restart-strategy", restart_strategy},
            {"job-parallelism", job.parallelism},
            {"object-reuse-mode", false},
            {"user-config", std::move(user_config)}}}};
}

json RenderExceptions(const JobSnapshot& job, int entries_max) {
  json entries = json::array();
  for (const FailureSnapshot& entry : job.failures) {
    if (static_cast<int>(entries.size()) >= entries_max) break;
    const proto::Failure& failure = entry.failure;
    std::string stacktrace = failure.exception_type() + ": " + failure.message();
    if (!entry.operator_name.empty()) stacktrace += "\n\tin operator " + entry.operator_name;
    if (!failure.stack().empty()) stacktrace += "\n" + failure.stack();
    entries.push_back({{"exceptionName", failure.exception_type()},
                       {"stacktrace", std::move(stacktrace)},
                       {"timestamp", entry.time_ms},
                       {"failureLabels", {{"domain", proto::Failure::Domain_Name(failure.domain())}}},
                       {"taskName", entry.task_name.empty() ? json(nullptr) : json(entry.task_name)},
                       {"endpoint", entry.endpoint},
                       {"taskManagerId", entry.taskmanager_id},
                       {"concurrentExceptions", json::array()}});
  }
  const bool truncated = entries.size() < job.failures.size();
  return {{"exceptionHistory", {{"entries", std::move(entries)}, {"truncated", truncated}}}};
}

json RenderVertex(const VertexSnapshot& vertex, int64_t now_ms) {
  json subtasks = json::array();
  for (const SubtaskSnapshot& subtask : vertex.subtasks) subtasks.push_back(RenderSubtask(subtask, now_ms));
  json aggregated = {{"metrics", Aggregate(subtasks, "metrics")},
                     {"status-duration", Aggregate(subtasks, "status-duration")}};
  return {{"id", vertex.vertex.id()},
          {"name", vertex.vertex.name()},
          {"parallelism", vertex.vertex.parallelism()},
          {"maxParallelism", vertex.vertex.max_parallelism()},
          {"now", now_ms},
          {"subtasks", std::move(subtasks)},
          {"aggregated", std::move(aggregated)}};
}

}  // namespace penstock::jobmanager
