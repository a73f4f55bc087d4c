#include "runtime/checkpoint/state_changes.h"

#include <map>
#include <optional>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/state/schema.h"
#include "runtime/state/schema_resolver.h"

namespace penstock {
namespace {

// One table of keyed state as the program declares it.
struct Table {
  std::string kind;
  std::string label;  // the states in it
  std::string types;  // as declared, where there are no schemas
  bool has_schemas = true;
  Schema key;
  Schema value;

  std::string ToText() const {
    if (!has_schemas) return types;
    return key.kind == TypeKind::kVoid ? value.ToText() : key.ToText() + " -> " + value.ToText();
  }
};

struct OperatorStates {
  std::map<std::string, Table> tables;  // by name; "" is the row
  bool keeps_own = false;               // positions of a source, transactions of a sink
};

using States = std::map<std::string, OperatorStates>;  // by uid

bool HasTable(const std::string& kind) {
  return kind == "map" || kind == "window" || kind == "split list" || kind == "union list" || kind == "broadcast";
}

absl::Status AddState(const proto::StateDeclaration& declared, OperatorStates& to) {
  const bool own_table = HasTable(declared.kind());
  Table& table = to.tables[own_table ? declared.name() : ""];
  table.kind = own_table ? declared.kind() : "row";
  table.label += (table.label.empty() ? "" : ", ") + declared.name();
  table.types += fmt::format("{}{}: {} -> {}", table.types.empty() ? "" : ", ", declared.name(), declared.key_type(),
                             declared.value_type());
  if (declared.key_schema().empty() || declared.value_schema().empty()) {
    table.has_schemas = false;
    return absl::OkStatus();
  }
  PENSTOCK_ASSIGN_OR_RETURN(table.key, Schema::Decode(declared.key_schema()));
  PENSTOCK_ASSIGN_OR_RETURN(Schema value, Schema::Decode(declared.value_schema()));
  if (own_table) {
    table.value = std::move(value);
    return absl::OkStatus();
  }
  table.value.kind = TypeKind::kStruct;
  table.value.children.push_back(std::move(value));
  table.value.fields.push_back({.name = declared.name(), .earlier_names = {}, .default_bytes = {}});
  return absl::OkStatus();
}

absl::StatusOr<States> StatesOf(const proto::JobGraph& graph) {
  States states;
  for (const proto::Vertex& vertex : graph.vertices()) {
    for (const proto::Operator& op : vertex.operators()) {
      const bool keeps_own = op.kind() == "source" || op.delivery() == "exactly_once";
      if (op.uid().empty() || (op.states().empty() && !keeps_own)) continue;
      OperatorStates& of = states[op.uid()];
      of.keeps_own = keeps_own;
      for (const proto::StateDeclaration& declared : op.states()) {
        PENSTOCK_RETURN_IF_ERROR(AddState(declared, of));
      }
    }
  }
  return states;
}

constexpr char kGiveUp[] = "keep the operator under this uid, or give its state up with --allow-non-restored-state";

StateChange Compare(const std::string& uid, const Table* was, const Table* is) {
  StateChange change{.uid = uid, .state = is != nullptr ? is->label : was->label};
  if (was != nullptr) change.was = was->ToText();
  if (is != nullptr) change.is = is->ToText();
  if (was == nullptr) {
    change.verdict = StateVerdict::kNew;
    change.reason = "begins empty";
    return change;
  }
  if (is == nullptr) {
    change.verdict = StateVerdict::kMissing;
    change.reason = "the program has no such state";
    change.fix = kGiveUp;
    return change;
  }
  const auto forbid = [&](std::string reason, std::string fix) {
    change.verdict = StateVerdict::kIncompatible;
    change.reason = std::move(reason);
    change.fix = std::move(fix);
    return change;
  };
  if (was->kind != is->kind) {
    return forbid(fmt::format("it was kept as a {} and is a {}", was->kind, is->kind),
                  "give the new state another name");
  }
  if (!was->has_schemas || !is->has_schemas) {  // of an engine that did not write them: a worker compares
    if (was->types != is->types) change.reason = "whether it can be read is found out by the workers";
    return change;
  }
  if (was->key.Hash() != is->key.Hash()) {
    return forbid(fmt::format("its keys were {} and are {}: the type of a key cannot change", was->key.ToText(),
                              is->key.ToText()),
                  "give the operator another uid, and the old state up with --allow-non-restored-state");
  }
  SchemaComparison compared = CompareSchemas(was->value, is->value);
  if (compared.match == SchemaMatch::kIncompatible) {
    return forbid(std::move(compared.reason), "give the changed state another name, or the operator another uid");
  }
  if (compared.match == SchemaMatch::kCompatible) change.verdict = StateVerdict::kCompatible;
  change.reason = std::move(compared.reason);
  return change;
}

// All of an operator's tables, and what it keeps itself.
void CompareOperator(const std::string& uid, const OperatorStates* was, const OperatorStates* is,
                     std::vector<StateChange>& changes) {
  const bool kept = was != nullptr && was->keeps_own;
  const bool keeps = is != nullptr && is->keeps_own;
  if (kept && !keeps) {
    changes.push_back({.uid = uid,
                       .state = "",
                       .verdict = StateVerdict::kMissing,
                       .was = "positions or transactions",
                       .is = "",
                       .reason = "the program has no source or sink of this uid",
                       .fix = kGiveUp});
  } else if (kept || keeps) {
    changes.push_back({.uid = uid,
                       .state = "",
                       .verdict = kept ? StateVerdict::kMatched : StateVerdict::kNew,
                       .was = kept ? "positions or transactions" : "",
                       .is = "positions or transactions",
                       .reason = kept ? "" : "begins at its start positions",
                       .fix = ""});
  }
  std::map<std::string, std::pair<const Table*, const Table*>> tables;
  if (was != nullptr) {
    for (const auto& [name, table] : was->tables) tables[name].first = &table;
  }
  if (is != nullptr) {
    for (const auto& [name, table] : is->tables) tables[name].second = &table;
  }
  for (const auto& [name, pair] : tables) changes.push_back(Compare(uid, pair.first, pair.second));
}

}  // namespace

const char* StateVerdictName(StateVerdict verdict) {
  switch (verdict) {
    case StateVerdict::kMatched:
      return "matched";
    case StateVerdict::kCompatible:
      return "compatible";
    case StateVerdict::kNew:
      return "new";
    case StateVerdict::kMissing:
      return "missing";
    case StateVerdict::kIncompatible:
      return "incompatible";
  }
  return "unknown";
}

absl::StatusOr<std::vector<StateChange>> CompareStates(const proto::JobGraph& was, const proto::JobGraph& is) {
  PENSTOCK_ASSIGN_OR_RETURN(const States before, StatesOf(was));
  PENSTOCK_ASSIGN_OR_RETURN(const States now, StatesOf(is));
  std::map<std::string, std::pair<const OperatorStates*, const OperatorStates*>> uids;
  for (const auto& [uid, states] : before) uids[uid].first = &states;
  for (const auto& [uid, states] : now) uids[uid].second = &states;
  std::vector<StateChange> changes;
  for (const auto& [uid, pair] : uids) CompareOperator(uid, pair.first, pair.second, changes);
  return changes;
}

absl::Status CheckStates(const proto::JobGraph& was, const proto::JobGraph& is, bool allow_non_restored) {
  if (was.key_groups() > 0 && is.key_groups() > 0 && was.key_groups() != is.key_groups()) {
    return FailedPrecondition(
        "the state was cut into {} key groups, the job has {} now: pipeline.max-parallelism may not change once there "
        "is state",
        was.key_groups(), is.key_groups());
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StateChange> changes, CompareStates(was, is));
  std::string against;
  for (const StateChange& change : changes) {
    const bool missing = change.verdict == StateVerdict::kMissing && !allow_non_restored;
    if (!missing && change.verdict != StateVerdict::kIncompatible) continue;
    const std::string state = change.state.empty() ? "" : " state '" + change.state + "'";
    against += fmt::format("\noperator '{}'{}: {} (was {}, is {}); {}", change.uid, state, change.reason, change.was,
                           change.is.empty() ? "nothing" : change.is, change.fix);
  }
  if (against.empty()) return absl::OkStatus();
  return FailedPrecondition("the job cannot begin from this state:{}", against);
}

}  // namespace penstock
