// The states of all subtasks of the current attempt of a job. Pure.
//
// Owner: the job. Reports that would move a subtask backwards are refused, so a message that was sent twice after a
// reconnect does no harm.
#ifndef PENSTOCK_JOBMANAGER_JOB_EXECUTION_GRAPH_H_
#define PENSTOCK_JOBMANAGER_JOB_EXECUTION_GRAPH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

bool IsTerminal(proto::TaskState state);
// FINISHED, CANCELED and FAILED are final; before them states only grow.
bool IsLegalTransition(proto::TaskState from, proto::TaskState to);

class ExecutionGraph {
 public:
  explicit ExecutionGraph(const proto::JobGraph& graph);

  // All subtasks are CREATED again under a new attempt; figures begin at zero.
  void BeginAttempt(uint32_t attempt, int64_t now_ms);
  // Puts the subtask on a worker.
  void Assign(const proto::SubtaskRef& ref, const std::string& taskmanager_id);
  void SetEndpoint(const std::string& taskmanager_id, const std::string& endpoint);
  // False when the subtask is unknown or the move is illegal; nothing changes then.
  bool SetState(const std::string& vertex_id, int32_t subtask, proto::TaskState state, int64_t now_ms);
  // Moves every subtask of a worker (of all workers: empty id) that may make the move. Returns how many did.
  int SetStateOfAll(const std::string& taskmanager_id, proto::TaskState state, int64_t now_ms);
  void SetMetrics(const proto::TaskMetrics& metrics);

  // Every subtask has reached RUNNING (and may have finished since).
  bool AllHaveRun() const;
  bool AllFinished() const;
  // No subtask of the worker (of any: empty id) is in a state that can still change.
  bool AllEnded(const std::string& taskmanager_id) const;

  // nullptr when unknown.
  const SubtaskSnapshot* Find(const std::string& vertex_id, int32_t subtask) const;
  // "Map -> Sink (3/8)"; the id itself when unknown.
  std::string TaskName(const std::string& vertex_id, int32_t subtask) const;
  const std::vector<VertexSnapshot>& vertices() const { return vertices_; }

 private:
  SubtaskSnapshot* FindMutable(const std::string& vertex_id, int32_t subtask);
  bool Move(SubtaskSnapshot& subtask, proto::TaskState state, int64_t now_ms);

  std::vector<VertexSnapshot> vertices_;
  std::map<std::string, size_t> index_by_id_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_EXECUTION_GRAPH_H_
