// Broadcast state as it is handed in: read by names, its copies dealt round at another parallelism, compared before a
// job begins from it.
#include "runtime/operators/broadcast_state.h"

#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/checkpoint/state_changes.h"
#include "taskmanager/worker/restore.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::testing {
namespace {

struct Before {
  std::string id;
  int32_t gone = 0;
};
struct After {
  std::string id;
  int64_t added = 7;
};

template <class K, class V>
struct Keeper {
  BroadcastState<K, V> rules{"rules"};
};

// A subtask's copy of the function.
template <class K, class V>
struct Bound {
  Bound() {
    const PlainStateScope scope(states);
    fn.emplace(Keeper<K, V>{});
  }
  std::map<K, V>& values() { return fn->rules.mutable_values(context); }
  BroadcastContext context;
  PlainStates states;
  std::optional<Keeper<K, V>> fn;
};

RestoredState HandedIn(const PlainStates& states) {
  OperatorStateWriter writer;
  SnapshotPlainStates(states, writer);
  RestoredState restored;
  for (const auto& [name, state] : writer.states()) restored.Add(name, state.items);
  return restored;
}

TEST_CASE("entries may gain and lose fields, keys stay as they are", "[broadcast_state]") {
  Bound<std::string, Before> before;
  before.values() = {{"x", {"a", 1}}, {"", {"b", 2}}};
  const RestoredState stored = HandedIn(before.states);

  Bound<std::string, After> after;
  REQUIRE(RestorePlainState(stored, 0, *after.states[0]).ok());
  REQUIRE(after.values().size() == 2);
  CHECK(after.values().at("x").id == "a");
  CHECK(after.values().at("").added == 7);

  Bound<std::string, std::vector<int64_t>> other_value;
  const std::string refused(RestorePlainState(stored, 0, *other_value.states[0]).message());
  CHECK(refused.find("{id:string,gone:int32} and is of vector<int64>") != std::string::npos);

  Bound<int64_t, Before> other_key;
  const std::string refused_key(RestorePlainState(stored, 0, *other_key.states[0]).message());
  CHECK(refused_key.find("had keys of string and has keys of int64") != std::string::npos);
}

TEST_CASE("what is torn is refused, and what was never stored begins empty", "[broadcast_state]") {
  Bound<std::string, Before> before;
  before.values() = {{"x", {"a", 1}}};
  const RestoredState stored = HandedIn(before.states);
  const std::string item = stored.Items("rules").front();
  for (size_t size = 0; size < item.size(); ++size) {
    RestoredState torn;
    torn.Add("rules", std::vector<std::string>{item.substr(0, size)});
    torn.Add("schema of rules", stored.Items("schema of rules"));
    Bound<std::string, Before> reader;
    CHECK(absl::IsDataLoss(RestorePlainState(torn, 0, *reader.states[0])));
  }
  RestoredState without_schema;
  without_schema.Add("rules", stored.Items("rules"));
  Bound<std::string, Before> reader;
  CHECK(absl::IsDataLoss(RestorePlainState(without_schema, 0, *reader.states[0])));
  Bound<std::string, Before> fresh;
  CHECK(RestorePlainState(RestoredState(), 0, *fresh.states[0]).ok());
  CHECK(fresh.values().empty());
}

using Copies = std::vector<std::map<std::string, int64_t>>;

// As a worker does it: what all subtasks hand in stands in a manifest, and each new subtask takes a copy.
Copies Rescale(const Copies& from, int parallelism) {
  proto::Manifest manifest;
  proto::Vertex& vertex = *manifest.mutable_graph()->add_vertices();
  vertex.set_id("v");
  vertex.add_operators()->set_uid("keeper");
  TaskInfo info;
  info.vertex_id = "v";
  info.parallelism = static_cast<int>(from.size());
  for (info.subtask = 0; info.subtask < info.parallelism; ++info.subtask) {
    Bound<std::string, int64_t> subtask;
    subtask.values() = from[info.subtask];
    OperatorStateWriter writer;
    SnapshotPlainStates(subtask.states, writer);
    TaskSnapshot snapshot;
    snapshot.operators["keeper"] = writer.states();
    proto::SubtaskSnapshot& out = *manifest.add_subtasks();
    out.set_vertex_id("v");
    out.set_subtask(info.subtask);
    out.set_handle(
        worker::HandleOf(info, snapshot, [](const StateFile&) { return std::string(); }).SerializeAsString());
  }
  const auto source = worker::RestoreSource::From(manifest, nullptr);
  REQUIRE(source.ok());
  Copies to;
  info.parallelism = parallelism;
  for (info.subtask = 0; info.subtask < parallelism; ++info.subtask) {
    const auto restore = source->For(info, {"keeper"});
    REQUIRE(restore.ok());
    Bound<std::string, int64_t> subtask;
    REQUIRE(RestorePlainState((*restore)->operators.at("keeper"), 0, *subtask.states[0]).ok());
    to.push_back(subtask.values());
  }
  return to;
}

TEST_CASE("each subtask begins with its own copy, more of them with copies dealt round", "[broadcast_state]") {
  // Copies are alike; these are not, to see who takes which.
  const Copies two = {{{"of", 0}, {"more", 5}}, {{"of", 1}}};
  CHECK(Rescale(two, 2) == two);
  CHECK(Rescale(two, 5) == Copies{two[0], two[1], two[0], two[1], two[0]});
  CHECK(Rescale(two, 1) == Copies{two[0]});
}

proto::JobGraph GraphOf(const std::vector<StateInfo>& states) {
  proto::JobGraph graph;
  proto::Operator& op = *graph.add_vertices()->add_operators();
  op.set_uid("keeper");
  for (const StateInfo& state : states) {
    proto::StateDeclaration& declared = *op.add_states();
    declared.set_name(state.name);
    declared.set_kind(state.kind);
    declared.set_key_type(state.key_type);
    declared.set_value_type(state.value_type);
    declared.set_key_schema(state.key_schema);
    declared.set_value_schema(state.value_schema);
  }
  return graph;
}

TEST_CASE("broadcast state is compared before a job begins from it", "[broadcast_state]") {
  const std::vector<StateInfo> states = PlainStatesOf(Keeper<std::string, Before>{});
  REQUIRE(states.size() == 1);
  CHECK(states[0].kind == "broadcast");
  CHECK(states[0].key_type == "string");
  CHECK_FALSE(states[0].by_key());
  const proto::JobGraph was = GraphOf(states);
  CHECK(CheckStates(was, GraphOf(PlainStatesOf(Keeper<std::string, After>{})), false).ok());
  const auto value = CheckStates(was, GraphOf(PlainStatesOf(Keeper<std::string, std::vector<int64_t>>{})), false);
  CHECK(value.message().find("(was string -> {id:string,gone:int32}, is string -> vector<int64>)") !=
        std::string::npos);
  const auto key = CheckStates(was, GraphOf(PlainStatesOf(Keeper<int64_t, Before>{})), false);
  CHECK(key.message().find("the type of a key cannot change") != std::string::npos);
  CHECK_FALSE(CheckStates(was, GraphOf({}), false).ok());
}

}  // namespace
}  // namespace penstock::testing
