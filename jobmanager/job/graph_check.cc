#include "jobmanager/job/graph_check.h"

#include <set>
#include <string>
#include <vector>

#include "runtime/core/ids.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {
namespace {

void CheckVertices(const proto::JobGraph& graph, std::set<std::string>* ids, std::vector<std::string>* errors) {
  for (const proto::Vertex& vertex : graph.vertices()) {
    if (!VertexId::Parse(vertex.id()).ok())
      errors->push_back(fmt::format("vertex id '{}' is not 32 hex digits", vertex.id()));
    if (!ids->insert(vertex.id()).second) errors->push_back(fmt::format("vertex id {} occurs twice", vertex.id()));
    if (vertex.parallelism() < 1 || vertex.parallelism() > kParallelismMax) {
      errors->push_back(fmt::format("parallelism of '{}' is {}: it must be from 1 to {}", vertex.name(),
                                    vertex.parallelism(), kParallelismMax));
    }
    if (vertex.max_parallelism() > 0 && vertex.parallelism() > vertex.max_parallelism()) {
      errors->push_back(fmt::format("parallelism {} of '{}' is above its maximum of {}", vertex.parallelism(),
                                    vertex.name(), vertex.max_parallelism()));
    }
  }
}

}  // namespace

absl::Status CheckGraph(const proto::JobGraph& graph) {
  if (graph.control_version() != kControlVersion) {
    return FailedPrecondition(
        "the job program speaks control version {}, this cluster {}: build the job with the cluster's version",
        graph.control_version(), kControlVersion);
  }
  if (graph.graph_version() != kGraphVersion) {
    return FailedPrecondition("the job graph has version {}, this cluster reads {}", graph.graph_version(),
                              kGraphVersion);
  }
  if (graph.machine() != kMachine) {
    return FailedPrecondition("the job program is for a {} machine, this cluster is {}: build it there",
                              graph.machine(), kMachine);
  }
  std::vector<std::string> errors;
  if (graph.name().empty()) errors.push_back("the job has no name");
  if (graph.vertices().empty()) errors.push_back("the job has no vertices: add a source and a sink");
  std::set<std::string> ids;
  if (graph.vertices_size() > kVerticesMax) {
    errors.push_back(fmt::format("the job has {} vertices: the limit is {}", graph.vertices_size(), kVerticesMax));
  } else {
    CheckVertices(graph, &ids, &errors);
  }
  for (const proto::Edge& edge : graph.edges()) {
    for (const std::string& end : {edge.from(), edge.to()}) {
      if (!ids.contains(end)) errors.push_back(fmt::format("edge {} names the unknown vertex '{}'", edge.id(), end));
    }
  }
  if (errors.empty()) return absl::OkStatus();
  return InvalidArgument("{}", fmt::join(errors, "\n"));
}

bool HasExactlyOnceSink(const proto::JobGraph& graph) {
  for (const proto::Vertex& vertex : graph.vertices()) {
    for (const proto::Operator& op : vertex.operators()) {
      if (op.delivery() == "exactly_once") return true;
    }
  }
  return false;
}

}  // namespace penstock::jobmanager
