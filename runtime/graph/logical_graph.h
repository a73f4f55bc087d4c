// The graph as the job author's program built it: one node per operator, in order of creation (producers first).
// Value type, owned by the Environment; factories are opaque to this folder (see runtime/task/factories.h).
#ifndef PENSTOCK_RUNTIME_GRAPH_LOGICAL_GRAPH_H_
#define PENSTOCK_RUNTIME_GRAPH_LOGICAL_GRAPH_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace penstock {

struct OperatorFactory;
struct OutputFactory;
struct EdgeFactory;
class SinkAdmin;
struct LogicalGraph;

enum class Partitioning { kForward, kHash, kRebalance, kBroadcast, kCustom };
const char* PartitioningName(Partitioning partitioning);

// Kinds of state that belongs to no key.
inline constexpr char kSplitListKind[] = "split list";
inline constexpr char kUnionListKind[] = "union list";
inline constexpr char kBroadcastKind[] = "broadcast";
// What an operator keeps of such a state's schema has the state's name behind this.
inline constexpr char kSchemaItemPrefix[] = "schema of ";

struct StateInfo {
  std::string name;
  std::string kind;
  std::string key_type;
  std::string value_type;
  int64_t ttl_ms = 0;        // 0: for ever
  std::string key_schema;    // Schema::Encode
  std::string value_schema;  // without the time stamp of a TTL

  bool by_key() const { return kind != kSplitListKind && kind != kUnionListKind && kind != kBroadcastKind; }
};

// A further output of an operator, read by its name.
struct SideOutputInfo {
  std::string name;
  std::string type;
  std::function<void(LogicalGraph&)> on_read;  // when the job reads it; none: nothing to be done
};

// Of a source that cannot read again what it has read before a failure.
inline constexpr char kAtMostOnce[] = "at_most_once";

struct LogicalNode {
  int id = 0;
  std::string name;
  std::string uid;   // empty: none given
  std::string kind;  // source, map, ...
  std::string description;
  int parallelism = 0;      // 0: the job's default
  int parallelism_max = 0;  // 0: no limit of its own
  int parallelism_of = -1;  // the node whose parallelism this one has, whatever that is set to; -1: its own
  std::string output_type;
  std::vector<StateInfo> states;
  bool has_timers = false;                      // of its keys
  std::string delivery;                         // sinks; of sources kAtMostOnce or nothing
  std::shared_ptr<const SinkAdmin> sink_admin;  // sinks with transactions; opaque here
  // Asked once, where the job is submitted: what its functions have to compare with other systems.
  std::vector<std::function<absl::Status()>> submit_checks;
  bool is_source = false;
  bool is_sink = false;
  std::shared_ptr<const OperatorFactory> factory;
  std::vector<std::shared_ptr<const OutputFactory>> outputs;  // by output index
  std::vector<SideOutputInfo> side_outputs;                   // of outputs 1, 2, ...

  bool has_keyed_state() const {
    return has_timers ||
           std::any_of(states.begin(), states.end(), [](const StateInfo& state) { return state.by_key(); });
  }
};

struct LogicalEdge {
  int from = 0;
  int from_output = 0;
  int to = 0;
  int to_input = 0;
  // kForward becomes rebalance between different parallelisms.
  Partitioning partitioning = Partitioning::kForward;
  std::string type;
  std::shared_ptr<const EdgeFactory> factory;            // of the partitioning above
  std::shared_ptr<const EdgeFactory> rebalance_factory;  // for a forward edge that cannot be one
};

struct LogicalGraph {
  std::vector<LogicalNode> nodes;
  std::vector<LogicalEdge> edges;
  std::vector<std::string> errors;  // found while building: a bad source configuration, a missing argument
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_GRAPH_LOGICAL_GRAPH_H_
