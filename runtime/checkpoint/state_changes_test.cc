#include "runtime/checkpoint/state_changes.h"

#include <catch2/catch.hpp>

#include "runtime/core/status.h"
#include "runtime/state/schema.h"

namespace penstock {
namespace {

struct Old {
  int32_t id = 0;
  std::string note;
};
struct Wider {
  int64_t id = 0;
  std::string note;
  double price = 0;
};

class Graph {
 public:
  Graph() { graph_.set_key_groups(720); }
  Graph& Operator(const std::string& uid, const std::string& kind = "process") {
    op_ = graph_.add_vertices()->add_operators();
    op_->set_uid(uid);
    op_->set_kind(kind);
    return *this;
  }
  template <class K, class V>
  Graph& State(const std::string& name, const std::string& kind = "value") {
    proto::StateDeclaration& state = *op_->add_states();
    state.set_name(name);
    state.set_kind(kind);
    state.set_key_type(Serde<K>::TypeName());
    state.set_value_type(Serde<V>::TypeName());
    state.set_key_schema(SchemaOf<K>().Encode());
    state.set_value_schema(SchemaOf<V>().Encode());
    return *this;
  }
  proto::JobGraph graph_;
  proto::Operator* op_ = nullptr;
};

StateChange Only(const Graph& was, const Graph& is) {
  const auto changes = CompareStates(was.graph_, is.graph_);
  REQUIRE(changes.ok());
  REQUIRE(changes->size() == 1);
  return changes->front();
}

}  // namespace

TEST_CASE("state that did not change is matched, whatever else did", "[state_changes]") {
  Graph was;
  was.Operator("in", "source").Operator("a").State<int64_t, Old>("orders").Operator("", "map");
  Graph is;
  is.Operator("a").State<int64_t, Old>("orders").Operator("in", "source");
  const auto changes = CompareStates(was.graph_, is.graph_);
  REQUIRE(changes.ok());
  REQUIRE(changes->size() == 2);
  for (const StateChange& change : *changes) CHECK(change.verdict == StateVerdict::kMatched);
  CHECK(CheckStates(was.graph_, is.graph_, false).ok());
}

TEST_CASE("fields may come, widen and go; states may, too", "[state_changes]") {
  Graph was;
  was.Operator("a").State<int64_t, Old>("orders").State<int64_t, bool>("seen");
  Graph is;
  is.Operator("a").State<int64_t, Wider>("orders").State<int64_t, std::string>("name");
  const StateChange change = Only(was, is);
  CHECK(change.verdict == StateVerdict::kCompatible);
  CHECK(change.reason ==
        "'orders.id' widens from int32 to int64; 'orders.price' is new; 'name' is new; 'seen' is gone");
  CHECK(CheckStates(was.graph_, is.graph_, false).ok());
}

TEST_CASE("what cannot be read is refused with both schemas and a way out", "[state_changes]") {
  Graph was;
  was.Operator("a").State<int64_t, int64_t>("count");
  Graph is;
  is.Operator("a").State<int64_t, std::string>("count");
  const StateChange change = Only(was, is);
  CHECK(change.verdict == StateVerdict::kIncompatible);
  CHECK(change.was == "int64 -> {count:int64}");
  CHECK(change.is == "int64 -> {count:string}");
  const absl::Status refused = CheckStates(was.graph_, is.graph_, true);
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(MessageOf(refused) ==
        "the job cannot begin from this state:\noperator 'a' state 'count': 'count' was int64 and is string (was int64 "
        "-> "
        "{count:int64}, is int64 -> {count:string}); give the changed state another name, or the operator another uid");

  Graph keyed;
  keyed.Operator("a").State<std::string, int64_t>("count");
  CHECK(Only(was, keyed).reason == "its keys were int64 and are string: the type of a key cannot change");
  Graph window;
  window.Operator("a").State<int64_t, int64_t>("count", "window");
  Graph map;
  map.Operator("a").State<int64_t, int64_t>("count", "map");
  CHECK(Only(window, map).reason == "it was kept as a window and is a map");
}

TEST_CASE("state that nothing in the program takes is refused unless it is given up", "[state_changes]") {
  Graph was;
  was.Operator("in", "source")
      .Operator("old")
      .State<int64_t, int64_t>("count")
      .Operator("b")
      .State<int64_t, bool>("m", "map");
  Graph is;
  is.Operator("elsewhere", "source").Operator("renamed").State<int64_t, int64_t>("count").Operator("b");
  const absl::Status refused = CheckStates(was.graph_, is.graph_, false);
  for (const char* part :
       {"operator 'in': ", "operator 'old' state 'count'", "operator 'b' state 'm'", "--allow-non-restored-state"}) {
    CHECK(MessageOf(refused).find(part) != std::string::npos);
  }
  CHECK(CheckStates(was.graph_, is.graph_, true).ok());
  const auto changes = CompareStates(was.graph_, is.graph_);
  CHECK(changes->size() == 5);
}

TEST_CASE("key groups may not change, and bytes that are no schema are an error", "[state_changes]") {
  Graph was;
  was.Operator("a").State<int64_t, int64_t>("count");
  Graph is = was;
  is.graph_.set_key_groups(128);
  CHECK(MessageOf(CheckStates(was.graph_, is.graph_, true)).find("pipeline.max-parallelism") != std::string::npos);
  is = was;
  is.graph_.mutable_vertices(0)->mutable_operators(0)->mutable_states(0)->set_value_schema("junk");
  CHECK(absl::IsDataLoss(CheckStates(was.graph_, is.graph_, true)));
  // Of a graph without schemas nothing is said: the workers look.
  is.graph_.mutable_vertices(0)->mutable_operators(0)->mutable_states(0)->clear_value_schema();
  CHECK(CheckStates(was.graph_, is.graph_, false).ok());
}

}  // namespace penstock
