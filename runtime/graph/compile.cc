#include "runtime/graph/compile.h"

#include <map>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/core/ids.h"
#include "runtime/core/status.h"

namespace penstock {

const char* PartitioningName(Partitioning partitioning) {
  switch (partitioning) {
    case Partitioning::kForward:
      return "forward";
    case Partitioning::kHash:
      return "hash";
    case Partitioning::kRebalance:
      return "rebalance";
    case Partitioning::kBroadcast:
      return "broadcast";
    case Partitioning::kCustom:
      return "custom";
  }
  return "?";
}

namespace {

class Compiler {
 public:
  Compiler(std::shared_ptr<const LogicalGraph> logical, const CompileOptions& options)
      : logical_(*logical), options_(options) {
    result_.logical = std::move(logical);
  }

  absl::StatusOr<CompiledGraph> Run() {
    Validate();
    if (!errors_.empty()) {
      std::string all = fmt::format("the job graph has {} error{}:", errors_.size(), errors_.size() == 1 ? "" : "s");
      for (const std::string& error : errors_) all += "\n  - " + error;
      return absl::InvalidArgumentError(all);
    }
    MakeChains();
    MakeEdges();
    FillGraph();
    return std::move(result_);
  }

 private:
  int ParallelismOf(const LogicalNode& node) const {
    if (node.parallelism_of >= 0) return ParallelismOf(logical_.nodes[node.parallelism_of]);
    return node.parallelism > 0 ? node.parallelism : options_.parallelism;
  }

  template <class... Args>
  void Error(fmt::format_string<Args...> format, Args&&... args) {
    errors_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void Validate() {
    errors_ = logical_.errors;
    if (options_.uid.empty()) Error("the job has no name: write PENSTOCK_JOB(\"name\", ...)");
    bool any_sink = false;
    std::set<std::string> uids;
    for (const LogicalNode& node : logical_.nodes) {
      any_sink |= node.is_sink;
      ValidateNode(node, uids);
    }
    ValidateDelivery();
    if (logical_.nodes.empty()) {
      Error("the job has no operators: begin with env.source(...)");
    } else if (!any_sink) {
      Error("the job has no sink: nothing would come out of it; end a stream with .sink(...)");
    }
  }

  void ValidateNode(const LogicalNode& node, std::set<std::string>& uids) {
    const int parallelism = ParallelismOf(node);
    if (parallelism < 1 || parallelism > kParallelismMax) {
      Error("operator '{}': parallelism {} is not between 1 and {}", node.name, parallelism, kParallelismMax);
    }
    if (node.parallelism_max > 0 && parallelism > node.parallelism_max) {
      Error("operator '{}': parallelism {} is above its maximum of {}", node.name, parallelism, node.parallelism_max);
    }
    if (node.has_keyed_state() && parallelism > options_.key_groups) {
      Error("operator '{}': parallelism {} is above the number of key groups, {}: raise pipeline.max-parallelism",
            node.name, parallelism, options_.key_groups);
    }
    if (!node.states.empty() && node.uid.empty()) {
      Error("operator '{}' keeps state but has no uid: give it one, so that its state is found again", node.name);
    }
    if (!node.uid.empty() && !uids.insert(node.uid).second) {
      Error("uid '{}' is used twice: state could not be told apart", node.uid);
    }
    std::set<std::string> states;
    for (const StateInfo& state : node.states) {
      if (!states.insert(state.name).second) Error("operator '{}' declares state '{}' twice", node.name, state.name);
      if (!state.by_key() && state.name.starts_with(kSchemaItemPrefix)) {
        Error("operator '{}': no state's name may begin with '{}', as '{}' does", node.name, kSchemaItemPrefix,
              state.name);
      }
    }
  }

  // What a source has read and cannot read again is lost with a failure, so no sink behind it writes exactly once.
  void ValidateDelivery() {
    for (const LogicalNode& source : logical_.nodes) {
      if (!source.is_source || source.delivery != kAtMostOnce) continue;
      std::vector<bool> behind(logical_.nodes.size(), false);
      behind[source.id] = true;
      for (bool more = true; more;) {
        more = false;
        for (const LogicalEdge& edge : logical_.edges) {
          if (!behind[edge.from] || behind[edge.to]) continue;
          behind[edge.to] = more = true;
        }
      }
      for (const LogicalNode& sink : logical_.nodes) {
        if (!behind[sink.id] || sink.delivery != "exactly_once") continue;
        Error(
            "sink '{}' is to write exactly once, but source '{}' cannot read again what it has read before a failure: "
            "use Delivery::at_least_once",
            sink.name, source.name);
      }
    }
  }

  Partitioning EffectivePartitioning(const LogicalEdge& edge) const {
    if (edge.partitioning != Partitioning::kForward) return edge.partitioning;
    return ParallelismOf(logical_.nodes[edge.from]) == ParallelismOf(logical_.nodes[edge.to])
               ? Partitioning::kForward
               : Partitioning::kRebalance;
  }

  bool Chains(const LogicalEdge& edge) const {
    return EffectivePartitioning(edge) == Partitioning::kForward && inputs_of_[edge.to] == 1;
  }

  void MakeChains() {
    inputs_of_.assign(logical_.nodes.size(), 0);
    vertex_of_.assign(logical_.nodes.size(), -1);
    for (const LogicalEdge& edge : logical_.edges) ++inputs_of_[edge.to];
    for (const LogicalNode& node : logical_.nodes) {
      int vertex = -1;
      for (const LogicalEdge& edge : logical_.edges) {
        if (edge.to == node.id && Chains(edge)) vertex = vertex_of_[edge.from];
      }
      if (vertex < 0) {
        vertex = static_cast<int>(result_.vertices.size());
        result_.vertices.emplace_back();
        result_.vertices[vertex].parallelism = ParallelismOf(node);
        const std::string identity = node.uid.empty() ? fmt::format("{}:{}", node.id, node.name) : node.uid;
        const XXH128_hash_t id = XXH3_128bits(identity.data(), identity.size());
        result_.vertices[vertex].id = FormatHex128(id.high64, id.low64);
      }
      result_.vertices[vertex].nodes.push_back(node.id);
      vertex_of_[node.id] = vertex;
    }
  }

  void MakeEdges() {
    for (size_t i = 0; i < logical_.edges.size(); ++i) {
      const LogicalEdge& edge = logical_.edges[i];
      if (Chains(edge)) continue;
      const int index = static_cast<int>(result_.edges.size());
      const CompiledEdge compiled{static_cast<int>(i), vertex_of_[edge.from], vertex_of_[edge.to],
                                  EffectivePartitioning(edge)};
      result_.vertices[compiled.from].out_edges.push_back(index);
      result_.vertices[compiled.to].in_edges.push_back(index);
      result_.edges.push_back(compiled);
    }
  }

  void FillGraph() {
    proto::JobGraph& graph = result_.graph;
    graph.set_graph_version(kGraphVersion);
    graph.set_control_version(kControlVersion);
    graph.set_engine_version(std::string(kEngineVersion));
    graph.set_machine(std::string(kMachine));
    graph.set_name(options_.name);
    graph.set_uid(options_.uid);
    graph.set_parallelism(options_.parallelism);
    graph.set_key_groups(options_.key_groups);
    for (const CompiledVertex& vertex : result_.vertices) FillVertex(vertex, *graph.add_vertices());
    for (size_t i = 0; i < result_.edges.size(); ++i) {
      const CompiledEdge& edge = result_.edges[i];
      proto::Edge& out = *graph.add_edges();
      out.set_id(fmt::format("e{}", i));
      out.set_from(result_.vertices[edge.from].id);
      out.set_to(result_.vertices[edge.to].id);
      out.set_to_input(logical_.edges[edge.logical].to_input);
      out.set_partitioning(PartitioningName(edge.partitioning));
      out.set_type(logical_.edges[edge.logical].type);
    }
    graph.set_hash(TopologyHash());
  }

  void FillVertex(const CompiledVertex& vertex, proto::Vertex& out) {
    out.set_id(vertex.id);
    out.set_parallelism(vertex.parallelism);
    out.set_max_parallelism(options_.key_groups);
    std::string name;
    for (const int id : vertex.nodes) {
      const LogicalNode& node = logical_.nodes[id];
      name += (name.empty() ? "" : " -> ") + node.name;
      if (node.is_source) out.set_is_source(true);
      if (node.is_sink) out.set_is_sink(true);
      proto::Operator& op = *out.add_operators();
      op.set_name(node.name);
      op.set_uid(node.uid);
      op.set_kind(node.kind);
      op.set_description(node.description);
      op.set_output_type(node.output_type);
      op.set_delivery(node.delivery);
      for (const StateInfo& state : node.states) {
        proto::StateDeclaration& declared = *op.add_states();
        declared.set_name(state.name);
        declared.set_kind(state.kind);
        declared.set_key_type(state.key_type);
        declared.set_value_type(state.value_type);
        declared.set_ttl_ms(state.ttl_ms);
        declared.set_key_schema(state.key_schema);
        declared.set_value_schema(state.value_schema);
      }
    }
    out.set_name(name);
  }

  // Independent of parallelism: from the logical graph, not from the chains.
  std::string TopologyHash() const {
    std::string text = options_.uid;
    for (const LogicalNode& node : logical_.nodes) {
      text += fmt::format("\nnode {} {} {} {} {}", node.id, node.kind, node.name, node.uid, node.output_type);
      for (const StateInfo& state : node.states) {
        text += fmt::format(" state {} {} {} {}", state.name, state.kind, state.key_type, state.value_type);
      }
    }
    for (const LogicalEdge& edge : logical_.edges) {
      text += fmt::format("\nedge {}.{} {}.{} {} {}", edge.from, edge.from_output, edge.to, edge.to_input,
                          PartitioningName(edge.partitioning), edge.type);
    }
    return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
  }

  const LogicalGraph& logical_;
  const CompileOptions& options_;
  CompiledGraph result_;
  std::vector<std::string> errors_;
  std::vector<int> inputs_of_;  // by node
  std::vector<int> vertex_of_;  // by node
};

}  // namespace

absl::StatusOr<CompiledGraph> Compile(std::shared_ptr<const LogicalGraph> logical, const CompileOptions& options) {
  return Compiler(std::move(logical), options).Run();
}

}  // namespace penstock
