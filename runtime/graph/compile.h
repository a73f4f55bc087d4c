// Logical graph → job graph: validation, chaining, ids and hash. Pure.
//
// A forward edge between equal parallelisms whose consumer has no other input joins both ends into one chain; a chain
// is a tree with one head. The hash covers topology, uids and types (not parallelism, not arguments): what must agree
// between the plan the JobManager has and the graph a worker builds.
#ifndef PENSTOCK_RUNTIME_GRAPH_COMPILE_H_
#define PENSTOCK_RUNTIME_GRAPH_COMPILE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/graph.pb.h"
#include "runtime/core/version.h"
#include "runtime/graph/logical_graph.h"

namespace penstock {

inline constexpr int kParallelismMax = 32'768;

struct CompileOptions {
  std::string name;
  std::string uid;
  int parallelism = 1;
  int key_groups = 720;
};

struct CompiledVertex {
  std::string id;
  int parallelism = 1;
  std::vector<int> nodes;     // logical node ids; the head first, producers before consumers
  std::vector<int> in_edges;  // indexes into CompiledGraph::edges
  std::vector<int> out_edges;
};
struct CompiledEdge {
  int logical = 0;  // index into LogicalGraph::edges
  int from = 0;     // vertex indexes
  int to = 0;
  Partitioning partitioning = Partitioning::kForward;  // the effective one
};
struct CompiledGraph {
  std::shared_ptr<const LogicalGraph> logical;
  std::vector<CompiledVertex> vertices;  // producers first
  std::vector<CompiledEdge> edges;
  proto::JobGraph graph;
};

// InvalidArgument with every error found, one per line.
absl::StatusOr<CompiledGraph> Compile(std::shared_ptr<const LogicalGraph> logical, const CompileOptions& options);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_GRAPH_COMPILE_H_
