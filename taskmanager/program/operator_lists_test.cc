// Lists of a function without keys: kept over restores, dealt out by kind at another parallelism, read by names.
#include "runtime/operators/operator_lists.h"

#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/checkpoint/state_changes.h"
#include "runtime/graph/compile.h"
#include "taskmanager/worker/restore.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::testing {
namespace {

// Passes on what came before, two records late.
struct Delay {
  SplitListState<int64_t> waiting{"waiting"};
  UnionListState<int64_t> seen{"seen"};
  void operator()(const int64_t& value, ProcessContext&, Collector<std::string>& out) {
    waiting.add(value);
    seen.set({seen.empty() ? 1 : seen.values().front() + 1});
    if (waiting.values().size() < 3) return;
    out.emit(std::to_string(waiting.values().front()) + " of " + std::to_string(seen.values().front()));
    waiting.mutable_values().erase(waiting.mutable_values().begin());
  }
};

TEST_CASE("lists without keys are there again after every restore", "[operator_lists]") {
  for (const bool restores : {false, true}) {
    Harness<int64_t> harness({.subtask = 1, .parallelism = 2, .restore_after_each_step = restores});
    auto out = harness.output(harness.input().process<std::string>(Delay{}).uid("delay"));
    for (int64_t i = 0; i < 5; ++i) harness.push(i);
    CHECK(out.values() == std::vector<std::string>{"0 of 3", "1 of 4", "2 of 5"});
    CHECK(harness.failure().ok());
  }
}

TEST_CASE("a function with lists needs a uid", "[operator_lists]") {
  Harness<int64_t> harness;
  harness.output(harness.input().process<std::string>(Delay{}));
  CHECK(harness.open().message().find("has no uid") != std::string::npos);
}

TEST_CASE("a list in a function that cannot keep it says so", "[operator_lists]") {
  const Delay unbound;
  CHECK_THROWS_WITH(unbound.waiting.values(), Catch::Contains("state 'waiting' is in no function"));
}

struct Before {
  std::string id;
  int32_t gone = 0;
};
struct After {
  std::string id;
  int64_t added = 7;
};

template <class T>
struct Keeper {
  SplitListState<T> items{"items"};
};

template <class T>
struct Bound {
  Bound() {
    const PlainStateScope scope(lists);
    fn.emplace(prototype);
  }
  Keeper<T> prototype;
  PlainStates lists;
  std::optional<Keeper<T>> fn;
};

RestoredState HandedIn(const PlainStates& lists) {
  OperatorStateWriter writer;
  SnapshotPlainStates(lists, writer);
  RestoredState restored;
  for (const auto& [name, state] : writer.states()) restored.Add(name, state.items);
  return restored;
}

TEST_CASE("elements may gain and lose fields; what cannot be read is refused with both schemas", "[operator_lists]") {
  Bound<Before> before;
  before.fn->items.add({"a", 1});
  const RestoredState stored = HandedIn(before.lists);

  Bound<After> after;
  REQUIRE(RestorePlainState(stored, 0, *after.lists[0]).ok());
  REQUIRE(after.fn->items.values().size() == 1);
  CHECK(after.fn->items.values()[0].id == "a");
  CHECK(after.fn->items.values()[0].added == 7);

  Bound<std::vector<int64_t>> other;
  const std::string refused(RestorePlainState(stored, 0, *other.lists[0]).message());
  CHECK(refused.find("{id:string,gone:int32} and is of vector<int64>") != std::string::npos);

  RestoredState torn;
  torn.Add("items", std::vector<std::string>{"\x05"});
  torn.Add("schema of items", stored.Items("schema of items"));
  Bound<Before> reader;
  CHECK(absl::IsDataLoss(RestorePlainState(torn, 0, *reader.lists[0])));
}

struct Both {
  SplitListState<int64_t> split{"split"};
  UnionListState<int64_t> all{"all"};
};

struct Subtask {
  Subtask() {
    const PlainStateScope scope(lists);
    fn.emplace(Both{});
  }
  PlainStates lists;
  std::optional<Both> fn;
};

// As a worker does it: what all subtasks hand in stands in a manifest, and each new subtask takes its part.
std::vector<Subtask> Rescale(const std::vector<Subtask>& from, int parallelism) {
  proto::Manifest manifest;
  proto::Vertex& vertex = *manifest.mutable_graph()->add_vertices();
  vertex.set_id("v");
  vertex.add_operators()->set_uid("both");
  TaskInfo info;
  info.vertex_id = "v";
  info.parallelism = static_cast<int>(from.size());
  for (info.subtask = 0; info.subtask < info.parallelism; ++info.subtask) {
    OperatorStateWriter writer;
    SnapshotPlainStates(from[info.subtask].lists, writer);
    TaskSnapshot snapshot;
    snapshot.operators["both"] = writer.states();
    proto::SubtaskSnapshot& out = *manifest.add_subtasks();
    out.set_vertex_id("v");
    out.set_subtask(info.subtask);
    out.set_handle(
        worker::HandleOf(info, snapshot, [](const StateFile&) { return std::string(); }).SerializeAsString());
  }
  const auto source = worker::RestoreSource::From(manifest, nullptr);
  REQUIRE(source.ok());
  std::vector<Subtask> to(parallelism);
  info.parallelism = parallelism;
  for (info.subtask = 0; info.subtask < parallelism; ++info.subtask) {
    const auto restore = source->For(info, {"both"});
    REQUIRE(restore.ok());
    for (const auto& list : to[info.subtask].lists) {
      REQUIRE(RestorePlainState((*restore)->operators.at("both"), 0, *list).ok());
    }
  }
  return to;
}

TEST_CASE("lists are dealt out by kind over 2, 3 and 1 subtasks", "[operator_lists]") {
  using Values = std::vector<int64_t>;
  std::vector<Subtask> two(2);
  two[0].fn->split.set({1, 2, 3});
  two[1].fn->split.set({4});
  two[0].fn->all.set({10});
  two[1].fn->all.set({20});

  std::vector<Subtask> three = Rescale(two, 3);
  CHECK(three[0].fn->split.values() == Values{1, 4});
  CHECK(three[1].fn->split.values() == Values{2});
  CHECK(three[2].fn->split.values() == Values{3});
  for (Subtask& subtask : three) {
    CHECK(subtask.fn->all.values() == Values{10, 20});
    subtask.fn->all.set({subtask.fn->split.values().front()});
  }

  const std::vector<Subtask> one = Rescale(three, 1);
  CHECK(one[0].fn->split.values() == Values{1, 4, 2, 3});
  CHECK(one[0].fn->all.values() == Values{1, 2, 3});
}

proto::JobGraph GraphOf(std::vector<StateInfo> states) {
  proto::JobGraph graph;
  proto::Operator& op = *graph.add_vertices()->add_operators();
  op.set_uid("keeper");
  for (const StateInfo& state : states) {
    proto::StateDeclaration& declared = *op.add_states();
    declared.set_name(state.name);
    declared.set_kind(state.kind);
    declared.set_value_type(state.value_type);
    declared.set_key_schema(state.key_schema);
    declared.set_value_schema(state.value_schema);
  }
  return graph;
}

TEST_CASE("lists are compared before a job begins from state", "[operator_lists]") {
  const proto::JobGraph was = GraphOf(PlainStatesOf(Keeper<Before>{}));
  CHECK(CheckStates(was, GraphOf(PlainStatesOf(Keeper<After>{})), false).ok());
  const auto refused = CheckStates(was, GraphOf(PlainStatesOf(Keeper<std::vector<int64_t>>{})), false);
  CHECK(refused.message().find("(was {id:string,gone:int32}, is vector<int64>)") != std::string::npos);
  CHECK_FALSE(CheckStates(was, GraphOf({}), false).ok());
}

}  // namespace
}  // namespace penstock::testing
