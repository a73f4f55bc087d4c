// What a job program tells of the state behind a manifest.
#include "taskmanager/program/state_mode.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/storage/storage.h"
#include "runtime/operators/broadcast_state.h"
#include "runtime/operators/operator_lists.h"
#include "taskmanager/worker/task_handle.h"
#include "tests/support/temp_dir.h"

namespace penstock::program {
namespace {

struct Keeper {
  SplitListState<std::string> waiting{"waiting"};
  UnionListState<int64_t> counts{"counts"};
  BroadcastState<std::string, int64_t> rules{"rules"};
};

TEST_CASE("lists and broadcast states are listed beside the tables", "[state]") {
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_kind(proto::Manifest::SAVEPOINT);
  manifest.set_checkpoint_id(3);
  proto::Vertex& vertex = *manifest.mutable_graph()->add_vertices();
  vertex.set_id("v");
  proto::Operator& op = *vertex.add_operators();
  op.set_uid("keeper");
  for (const StateInfo& state : PlainStatesOf(Keeper())) {
    proto::StateDeclaration& declared = *op.add_states();
    declared.set_name(state.name);
    declared.set_kind(state.kind);
    declared.set_key_schema(state.key_schema);
    declared.set_value_schema(state.value_schema);
  }
  for (int subtask = 0; subtask < 2; ++subtask) {
    const Keeper prototype;
    PlainStates states;
    const PlainStateScope scope(states);
    Keeper bound(prototype);
    BroadcastContext context;
    bound.waiting.set({"four", "five!"});
    bound.counts.add(7);
    bound.rules.mutable_values(context) = {{"a", 1}, {"bc", 2}, {"", 3}};
    OperatorStateWriter writer;
    SnapshotPlainStates(states, writer);
    TaskSnapshot snapshot;
    snapshot.operators["keeper"] = writer.states();
    proto::SubtaskSnapshot& out = *manifest.add_subtasks();
    out.set_vertex_id("v");
    out.set_subtask(subtask);
    out.set_handle(worker::HandleOf({}, snapshot, [](const StateFile&) { return ""; }).SerializeAsString());
  }
  const testing::TempDir directory;
  REQUIRE(OpenStorage(directory.path(), {}).value()->Write("manifest", EncodeManifest(manifest)).ok());
  const auto described =
      DescribeState(nlohmann::json{{"storage", directory.path()}, {"manifest", "manifest"}}.dump(), directory.path());
  INFO(described.status());
  REQUIRE(described.ok());
  const nlohmann::json tables = nlohmann::json::parse(*described)["tables"];
  INFO(tables.dump(2));
  REQUIRE(tables.size() == 3);
  const nlohmann::json& counts = tables[0];
  CHECK(counts["kind"] == "union list");
  CHECK(counts["keys"] == 2);
  CHECK(counts["value_bytes"] == 16);
  const nlohmann::json& rules = tables[1];  // counted once: all subtasks have it
  CHECK(rules["table"] == "rules");
  CHECK(rules["key"] == "string");
  CHECK(rules["value"] == "int64");
  CHECK(rules["keys"] == 3);
  CHECK(rules["key_bytes"] == 3 + 3);  // the strings and their lengths
  CHECK(rules["value_bytes"] == 24);
  const nlohmann::json& waiting = tables[2];
  CHECK(waiting["kind"] == "split list");
  CHECK(waiting["key"] == "");
  CHECK(waiting["keys"] == 4);
  CHECK(waiting["value_bytes"] == 2 * (5 + 6));
}

}  // namespace
}  // namespace penstock::program
