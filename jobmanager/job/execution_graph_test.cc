#include "jobmanager/job/execution_graph.h"

#include <catch2/catch.hpp>

namespace penstock::jobmanager {
namespace {

proto::JobGraph TwoVertices() {
  proto::JobGraph graph;
  proto::Vertex* source = graph.add_vertices();
  source->set_id("s");
  source->set_name("Source");
  source->set_parallelism(2);
  proto::Vertex* sink = graph.add_vertices();
  sink->set_id("k");
  sink->set_name("Sink");
  sink->set_parallelism(1);
  return graph;
}

proto::SubtaskRef Ref(const std::string& vertex, int32_t subtask) {
  proto::SubtaskRef ref;
  ref.set_vertex_id(vertex);
  ref.set_subtask(subtask);
  return ref;
}

TEST_CASE("Subtask states only move forward", "[job]") {
  ExecutionGraph graph(TwoVertices());
  CHECK(graph.SetState("s", 0, proto::RUNNING, 5));
  CHECK_FALSE(graph.SetState("s", 0, proto::DEPLOYING, 6));
  CHECK_FALSE(graph.SetState("s", 0, proto::RUNNING, 6));
  CHECK(graph.SetState("s", 0, proto::CANCELING, 7));
  CHECK_FALSE(graph.SetState("s", 0, proto::RUNNING, 8));
  CHECK(graph.SetState("s", 0, proto::CANCELED, 9));
  CHECK_FALSE(graph.SetState("s", 0, proto::FAILED, 10));
  CHECK(graph.Find("s", 0)->end_ms == 9);
  CHECK(graph.Find("s", 0)->state_entered_ms.at(proto::RUNNING) == 5);
  CHECK_FALSE(graph.SetState("s", 2, proto::RUNNING, 1));
  CHECK_FALSE(graph.SetState("unknown", 0, proto::RUNNING, 1));
}

TEST_CASE("A job runs when every subtask has run, and has finished when all have", "[job]") {
  ExecutionGraph graph(TwoVertices());
  graph.SetState("s", 0, proto::RUNNING, 1);
  graph.SetState("s", 1, proto::RUNNING, 1);
  CHECK_FALSE(graph.AllHaveRun());
  graph.SetState("s", 1, proto::FINISHED, 2);  // finishes before the last one runs
  graph.SetState("k", 0, proto::RUNNING, 3);
  CHECK(graph.AllHaveRun());
  CHECK_FALSE(graph.AllFinished());
  graph.SetStateOfAll("", proto::FINISHED, 4);
  CHECK(graph.AllFinished());
}

TEST_CASE("Subtasks of one worker end without those of another", "[job]") {
  ExecutionGraph graph(TwoVertices());
  graph.Assign(Ref("s", 0), "a");
  graph.Assign(Ref("k", 0), "a");
  graph.Assign(Ref("s", 1), "b");
  CHECK(graph.SetStateOfAll("a", proto::CANCELED, 1) == 2);
  CHECK(graph.AllEnded("a"));
  CHECK_FALSE(graph.AllEnded("b"));
  CHECK_FALSE(graph.AllEnded(""));
  graph.SetEndpoint("b", "h:1");
  CHECK(graph.Find("s", 1)->endpoint == "h:1");
  CHECK(graph.Find("s", 0)->endpoint == "(unassigned)");
}

TEST_CASE("A new attempt begins with fresh subtasks", "[job]") {
  ExecutionGraph graph(TwoVertices());
  graph.Assign(Ref("s", 0), "a");
  graph.SetState("s", 0, proto::FAILED, 1);
  graph.BeginAttempt(2, 10);
  CHECK(graph.Find("s", 0)->state == proto::CREATED);
  CHECK(graph.Find("s", 0)->attempt == 2);
  CHECK(graph.Find("s", 0)->taskmanager_id.empty());
  CHECK(graph.Find("s", 0)->end_ms == -1);
  CHECK(graph.TaskName("s", 1) == "Source (2/2)");
}

}  // namespace
}  // namespace penstock::jobmanager
