#include "jobmanager/job/execution_graph.h"

#include <fmt/format.h>

namespace penstock::jobmanager {
namespace {

template <class Vertices, class Predicate>
bool All(const Vertices& vertices, Predicate predicate) {
  for (const VertexSnapshot& vertex : vertices) {
    for (const SubtaskSnapshot& subtask : vertex.subtasks) {
      if (!predicate(subtask)) return false;
    }
  }
  return true;
}

}  // namespace

bool IsTerminal(proto::TaskState state) {
  return state == proto::FINISHED || state == proto::CANCELED || state == proto::FAILED;
}

bool IsLegalTransition(proto::TaskState from, proto::TaskState to) {
  if (from == to || IsTerminal(from)) return false;
  if (to == proto::CANCELED || to == proto::FAILED) return true;
  if (from == proto::CANCELING) return to == proto::FINISHED;
  return to > from && to <= proto::CANCELING;  // CREATED < SCHEDULED < DEPLOYING < INITIALIZING < RUNNING < FINISHED
}

ExecutionGraph::ExecutionGraph(const proto::JobGraph& graph) {
  for (const proto::Vertex& vertex : graph.vertices()) {
    index_by_id_[vertex.id()] = vertices_.size();
    VertexSnapshot& made = vertices_.emplace_back();
    made.vertex = vertex;
    made.subtasks.resize(static_cast<size_t>(vertex.parallelism()));
    for (int32_t i = 0; i < vertex.parallelism(); ++i) made.subtasks[i].subtask = i;
  }
  BeginAttempt(0, 0);
}

void ExecutionGraph::BeginAttempt(uint32_t attempt, int64_t now_ms) {
  for (VertexSnapshot& vertex : vertices_) {
    for (SubtaskSnapshot& subtask : vertex.subtasks) {
      SubtaskSnapshot fresh;
      fresh.subtask = subtask.subtask;
      fresh.attempt = attempt;
      fresh.endpoint = "(unassigned)";
      fresh.state_entered_ms[proto::CREATED] = now_ms;
      subtask = std::move(fresh);
    }
  }
}

SubtaskSnapshot* ExecutionGraph::FindMutable(const std::string& vertex_id, int32_t subtask) {
  const auto at = index_by_id_.find(vertex_id);
  if (at == index_by_id_.end()) return nullptr;
  std::vector<SubtaskSnapshot>& subtasks = vertices_[at->second].subtasks;
  if (subtask < 0 || static_cast<size_t>(subtask) >= subtasks.size()) return nullptr;
  return &subtasks[static_cast<size_t>(subtask)];
}

const SubtaskSnapshot* ExecutionGraph::Find(const std::string& vertex_id, int32_t subtask) const {
  return const_cast<ExecutionGraph*>(this)->FindMutable(vertex_id, subtask);
}

std::string ExecutionGraph::TaskName(const std::string& vertex_id, int32_t subtask) const {
  const auto at = index_by_id_.find(vertex_id);
  if (at == index_by_id_.end()) return vertex_id;
  const proto::Vertex& vertex = vertices_[at->second].vertex;
  return fmt::format("{} ({}/{})", vertex.name(), subtask + 1, vertex.parallelism());
}

void ExecutionGraph::Assign(const proto::SubtaskRef& ref, const std::string& taskmanager_id) {
  if (SubtaskSnapshot* subtask = FindMutable(ref.vertex_id(), ref.subtask())) subtask->taskmanager_id = taskmanager_id;
}

void ExecutionGraph::SetEndpoint(const std::string& taskmanager_id, const std::string& endpoint) {
  for (VertexSnapshot& vertex : vertices_) {
    for (SubtaskSnapshot& subtask : vertex.subtasks) {
      if (subtask.taskmanager_id == taskmanager_id) subtask.endpoint = endpoint;
    }
  }
}

bool ExecutionGraph::Move(SubtaskSnapshot& subtask, proto::TaskState state, int64_t now_ms) {
  if (!IsLegalTransition(subtask.state, state)) return false;
  subtask.state = state;
  subtask.state_entered_ms[state] = now_ms;
  if (IsTerminal(state)) subtask.end_ms = now_ms;
  return true;
}

bool ExecutionGraph::SetState(const std::string& vertex_id, int32_t subtask, proto::TaskState state, int64_t now_ms) {
  SubtaskSnapshot* found = FindMutable(vertex_id, subtask);
  return found != nullptr && Move(*found, state, now_ms);
}

int ExecutionGraph::SetStateOfAll(const std::string& taskmanager_id, proto::TaskState state, int64_t now_ms) {
  int moved = 0;
  for (VertexSnapshot& vertex : vertices_) {
    for (SubtaskSnapshot& subtask : vertex.subtasks) {
      if (!taskmanager_id.empty() && subtask.taskmanager_id != taskmanager_id) continue;
      if (Move(subtask, state, now_ms)) ++moved;
    }
  }
  return moved;
}

void ExecutionGraph::SetMetrics(const proto::TaskMetrics& metrics) {
  if (SubtaskSnapshot* subtask = FindMutable(metrics.vertex_id(), metrics.subtask())) subtask->metrics = metrics;
}

bool ExecutionGraph::AllHaveRun() const {
  return All(vertices_, [](const SubtaskSnapshot& subtask) {
    return subtask.state == proto::RUNNING || subtask.state == proto::FINISHED;
  });
}

bool ExecutionGraph::AllFinished() const {
  return All(vertices_, [](const SubtaskSnapshot& subtask) { return subtask.state == proto::FINISHED; });
}

bool ExecutionGraph::AllEnded(const std::string& taskmanager_id) const {
  return All(vertices_, [&](const SubtaskSnapshot& subtask) {
    return (!taskmanager_id.empty() && subtask.taskmanager_id != taskmanager_id) || IsTerminal(subtask.state);
  });
}

}  // namespace penstock::jobmanager
