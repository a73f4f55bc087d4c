#include "runtime/graph/compile.h"

#include <catch2/catch.hpp>

namespace penstock {
namespace {

// A little language for graphs: nodes get ids in order.
struct GraphBuilder {
  std::shared_ptr<LogicalGraph> graph = std::make_shared<LogicalGraph>();

  int Node(const std::string& name, int parallelism = 0) {
    LogicalNode node;
    node.id = static_cast<int>(graph->nodes.size());
    node.name = name;
    node.kind = name;
    node.parallelism = parallelism;
    node.is_source = name.starts_with("source");
    node.is_sink = name.starts_with("sink");
    graph->nodes.push_back(node);
    return node.id;
  }
  GraphBuilder& Edge(int from, int to, Partitioning partitioning = Partitioning::kForward) {
    graph->edges.push_back({.from = from, .to = to, .partitioning = partitioning, .type = "int64"});
    return *this;
  }
  absl::StatusOr<CompiledGraph> Compile(int parallelism = 2) {
    return penstock::Compile(graph, {.name = "job", .uid = "job", .parallelism = parallelism});
  }
};

TEST_CASE("Compile chains forward edges of equal parallelism and single inputs", "[graph]") {
  GraphBuilder b;
  const int source = b.Node("source"), map = b.Node("map"), window = b.Node("window"), sink = b.Node("sink");
  b.Edge(source, map).Edge(map, window, Partitioning::kHash).Edge(window, sink);
  const auto compiled = b.Compile();
  REQUIRE(compiled.ok());
  REQUIRE(compiled->graph.vertices_size() == 2);
  CHECK(compiled->graph.vertices(0).name() == "source -> map");
  CHECK(compiled->graph.vertices(0).is_source());
  CHECK(compiled->graph.vertices(1).name() == "window -> sink");
  REQUIRE(compiled->graph.edges_size() == 1);
  CHECK(compiled->graph.edges(0).partitioning() == "hash");
  CHECK(compiled->graph.edges(0).from() == compiled->graph.vertices(0).id());
}

TEST_CASE("Compile breaks chains at another parallelism and at several inputs", "[graph]") {
  GraphBuilder b;
  const int left = b.Node("source l"), right = b.Node("source r"), map = b.Node("map"), sink = b.Node("sink", 1);
  b.Edge(left, map).Edge(right, map).Edge(map, sink);
  const auto compiled = b.Compile();
  REQUIRE(compiled.ok());
  CHECK(compiled->vertices.size() == 4);
  CHECK(compiled->graph.edges(0).partitioning() == "forward");
  CHECK(compiled->graph.edges(2).partitioning() == "rebalance");
}

TEST_CASE("Compile lets one output feed several chained operators", "[graph]") {
  GraphBuilder b;
  const int source = b.Node("source"), a = b.Node("sink a"), c = b.Node("sink c");
  b.Edge(source, a).Edge(source, c);
  const auto compiled = b.Compile();
  REQUIRE(compiled.ok());
  CHECK(compiled->vertices.size() == 1);
}

TEST_CASE("Compile tells all errors at once", "[graph]") {
  GraphBuilder b;
  const int source = b.Node("source", -1), window = b.Node("window", 100'000);
  b.Edge(source, window, Partitioning::kHash);
  b.graph->nodes[window].states = {{"windows", "window", "string", "int64"}};
  b.graph->errors = {"source 'events': no topic"};
  b.graph->nodes[source].parallelism = 40'000;
  const auto compiled = b.Compile();
  REQUIRE_FALSE(compiled.ok());
  const std::string message(compiled.status().message());
  INFO(message);
  CHECK(message.find("6 errors") != std::string::npos);
  CHECK(message.find("no topic") != std::string::npos);
  CHECK(message.find("no uid") != std::string::npos);
  CHECK(message.find("no sink") != std::string::npos);
  CHECK(message.find("40000") != std::string::npos);
  CHECK(message.find("key groups") != std::string::npos);
}

TEST_CASE("Compile refuses exactly-once sinks behind a source that cannot read again", "[graph]") {
  GraphBuilder b;
  const int lossy = b.Node("source lossy"), good = b.Node("source good"), map = b.Node("map"), join = b.Node("join");
  const int once = b.Node("sink once"), other = b.Node("sink other"), least = b.Node("sink least");
  b.Edge(lossy, map).Edge(map, join).Edge(good, join).Edge(join, once).Edge(good, other).Edge(join, least);
  b.graph->nodes[lossy].delivery = kAtMostOnce;
  b.graph->nodes[once].delivery = b.graph->nodes[other].delivery = "exactly_once";
  b.graph->nodes[least].delivery = "at_least_once";
  const std::string message(b.Compile().status().message());
  CHECK_THAT(message,
             Catch::Contains("has 1 error:") && Catch::Contains("'sink once'") && Catch::Contains("'source lossy'"));
  b.graph->nodes[once].delivery = "at_least_once";
  CHECK(b.Compile().ok());
}

TEST_CASE("The hash covers topology, uids and types, not parallelism", "[graph]") {
  const auto hash = [](const std::string& uid, int parallelism, const std::string& type) {
    GraphBuilder b;
    const int source = b.Node("source"), sink = b.Node("sink");
    b.Edge(source, sink);
    b.graph->nodes[sink].uid = uid;
    b.graph->edges[0].type = type;
    return b.Compile(parallelism)->graph.hash();
  };
  CHECK(hash("a", 1, "int64") == hash("a", 8, "int64"));
  CHECK(hash("a", 1, "int64") != hash("b", 1, "int64"));
  CHECK(hash("a", 1, "int64") != hash("a", 1, "string"));
}

}  // namespace
}  // namespace penstock
