// State of a function that belongs to no key: declared as members (operator_lists.h, broadcast_state.h), in memory,
// handed in as a whole at each barrier, and there again when open() is called after a restore.
//
// A member registers when the function is copied inside a PlainStateScope: once while the graph is built, so that the
// plan lists it, and once per subtask. Values may gain and lose fields as keyed state may; keys must stay as they are.
// Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_PLAIN_STATE_H_
#define PENSTOCK_RUNTIME_OPERATORS_PLAIN_STATE_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/operators/side_output.h"
#include "runtime/operators/user_function.h"
#include "runtime/record/serde.h"
#include "runtime/state/schema.h"
#include "runtime/state/schema_resolver.h"
#include "runtime/task/operator.h"

namespace penstock {

// One of them, without its type. An item is an element's value, with a key before it where there are keys.
struct PlainState {
  virtual ~PlainState() = default;
  virtual std::vector<std::string> Write() const = 0;
  // Takes an item in whose value is encoded in `value`, which may be another encoding than the item's own.
  virtual bool Add(std::string_view key, std::string_view value) = 0;
  virtual size_t MemoryBytes() const = 0;

  std::string name;
  OperatorStateKind kind = OperatorStateKind::kSplit;
  std::string key_type;  // empty: no keys
  std::string value_type;
  Schema key;
  Schema value;

  bool has_keys() const { return key.kind != TypeKind::kVoid; }
};
using PlainStates = std::vector<std::shared_ptr<PlainState>>;

// While one lives, states that are copied on this thread register with it.
class PlainStateScope {
 public:
  explicit PlainStateScope(PlainStates& states) : previous_(current_) { current_ = &states; }
  ~PlainStateScope() { current_ = previous_; }
  PlainStateScope(const PlainStateScope&) = delete;
  PlainStateScope& operator=(const PlainStateScope&) = delete;
  static PlainStates* current() { return current_; }

 private:
  static inline thread_local PlainStates* current_ = nullptr;
  PlainStates* const previous_;
};

// Elsewhere than in functions that are copied into operators, state would be lost without a word.
[[noreturn]] inline void ThrowUnbound(const std::string& name) {
  throw std::logic_error("state '" + name +
                         "' is in no function that keeps state: declare it as a member of one that "
                         "is given to process, map, filter or flat_map");
}

// The plain states a function declares: found by copying it inside a scope.
template <class Fn>
std::vector<StateInfo> PlainStatesOf(const Fn& fn) {
  PlainStates states;
  {
    const PlainStateScope scope(states);
    [[maybe_unused]] const Fn copy(fn);
  }
  std::vector<StateInfo> infos;
  for (const auto& state : states) {
    const char* const kind = state->has_keys()                          ? kBroadcastKind
                             : state->kind == OperatorStateKind::kUnion ? kUnionListKind
                                                                        : kSplitListKind;
    infos.push_back(
        {state->name, kind, state->key_type, state->value_type, 0, state->key.Encode(), state->value.Encode()});
  }
  return infos;
}

// An item with a key: varint length of the key, key, value.
inline bool SplitItem(const PlainState& state, std::string_view item, std::string_view& key, std::string_view& value) {
  if (!state.has_keys()) {
    value = item;
    return true;
  }
  ByteReader in(item);
  uint64_t key_size = 0;
  return in.GetVarint(key_size) && in.GetView(key_size, key) && in.GetView(in.remaining(), value);
}

// Beside each state, alike in all subtasks: the schema of its values, and that of its keys where there are keys.
inline std::string SchemaNameOf(const PlainState& state) { return kSchemaItemPrefix + state.name; }

inline void SnapshotPlainStates(const PlainStates& states, OperatorStateWriter& writer) {
  for (const auto& state : states) {
    writer.Put(state->name, state->kind, state->Write());
    std::vector<std::string> schemas = {state->value.Encode()};
    if (state->has_keys()) schemas.push_back(state->key.Encode());
    writer.Put(SchemaNameOf(*state), OperatorStateKind::kBroadcast, std::move(schemas));
  }
}

inline absl::Status RestorePlainState(const RestoredState& restored, int64_t now_ms, PlainState& state) {
  const std::vector<std::string>& items = restored.Items(state.name);
  if (items.empty()) return absl::OkStatus();
  const std::vector<std::string>& schemas = restored.Items(SchemaNameOf(state));
  if (schemas.size() < (state.has_keys() ? 2 : 1)) {
    return DataLoss("state '{}' was stored without its schema", state.name);
  }
  PENSTOCK_ASSIGN_OR_RETURN(Schema writer, Schema::Decode(schemas[0]));
  const std::string was = writer.ToText();
  if (state.has_keys()) {
    PENSTOCK_ASSIGN_OR_RETURN(const Schema key, Schema::Decode(schemas[1]));
    if (key.Hash() != state.key.Hash()) {
      return InvalidArgument("state '{}' had keys of {} and has keys of {}: the type of a key cannot change",
                             state.name, key.ToText(), state.key.ToText());
    }
  }
  const bool same = writer.Hash() == state.value.Hash();
  auto resolver = SchemaResolver::Make(std::move(writer), state.value, now_ms);
  if (!resolver.ok()) {
    return InvalidArgument("state '{}' was of {} and is of {}: {}", state.name, was, state.value.ToText(),
                           MessageOf(resolver.status()));
  }
  ByteWriter converted;
  for (const std::string& item : items) {
    std::string_view key;
    std::string_view value;
    converted.Clear();
    bool good = SplitItem(state, item, key, value);
    if (good && !same) {
      good = (*resolver)->Convert(value, converted);
      value = converted.view();
    }
    if (!good || !state.Add(key, value)) {
      return DataLoss("an element of state '{}' does not decode as {}", state.name, was);
    }
  }
  return absl::OkStatus();
}

// A user function with its plain states and side outputs: one subtask's copy. What the states hold is charged to the
// task's state memory, as of the last time they were written.
template <class Fn>
class PlainFunction {
 public:
  explicit PlainFunction(const Fn& prototype) : fn_(CopyOf(prototype, states_, sides_)) {}
  PlainFunction(const PlainFunction&) = delete;
  PlainFunction& operator=(const PlainFunction&) = delete;

  Fn& operator*() { return fn_; }
  Fn* operator->() { return &fn_; }

  // Brings the states back, binds the side outputs to `sides` in the order they were declared, and opens the function.
  absl::Status Open(OperatorContext& context, const std::vector<ReceiverBase*>& sides) {
    context_ = &context;
    for (size_t i = 0; i < sides_.size(); ++i) {
      sides_[i]->timestamp = &timestamp_;
      if (i < sides.size()) sides_[i]->Bind(sides[i]);
    }
    if (context.restored() != nullptr) {
      for (const auto& state : states_) {
        PENSTOCK_RETURN_IF_ERROR(RestorePlainState(*context.restored(), context.clock().NowMs(), *state));
      }
    }
    Charge();
    OpenFunction(fn_, context_);
    return absl::OkStatus();
  }
  absl::Status Snapshot(OperatorStateWriter& writer) {
    SnapshotPlainStates(states_, writer);
    Charge();
    return absl::OkStatus();
  }
  void Close() { CloseFunction(fn_); }
  // Of the record at hand, for the side outputs.
  void set_timestamp(TimestampMs timestamp) { timestamp_ = timestamp; }
  size_t side_outputs() const { return sides_.size(); }

 private:
  static Fn CopyOf(const Fn& prototype, PlainStates& states, SideSlots& sides) {
    const PlainStateScope scope(states);
    const SideOutputScope side_scope(sides);
    return Fn(prototype);
  }
  void Charge() {
    if (states_.empty()) return;
    int64_t bytes = 0;
    for (const auto& state : states_) bytes += static_cast<int64_t>(state->MemoryBytes());
    context_->charge_state(bytes - charged_bytes_);
    charged_bytes_ = bytes;
  }

  PlainStates states_;  // these two before the function, which registers with them
  SideSlots sides_;
  Fn fn_;
  OperatorContext* context_ = nullptr;
  int64_t charged_bytes_ = 0;
  TimestampMs timestamp_ = kNoTimestamp;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_PLAIN_STATE_H_
