// The states of a keyed function, and the function with the states of one key at hand. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_FUNCTION_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_FUNCTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/operators/plain_state.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/map_state.h"
#include "runtime/state/value_state.h"

namespace penstock {

// The states a function declares, those by key and those without: found by copying it inside a scope.
template <class Fn>
std::vector<StateInfo> StatesOf(const Fn& fn, const std::string& key_type, const Schema& key) {
  const auto frame = std::make_shared<StateFrame>();
  {
    const StateScope scope(frame);
    [[maybe_unused]] const Fn copy(fn);
  }
  std::vector<StateInfo> states;
  for (const RowLayout::Cell& cell : frame->layout.cells()) {
    states.push_back({cell.name, cell.kind, key_type, cell.value_type, cell.ttl.duration.count(), key.Encode(),
                      cell.schema.Encode()});
  }
  for (const MapDeclaration& map : frame->maps) {
    states.push_back({map.name, "map", key_type, map.value_type, map.ttl.duration.count(),
                      Schema::Struct({{"key", key}, {"map_key", map.key_schema}}).Encode(), map.value_schema.Encode()});
  }
  for (StateInfo& plain : PlainStatesOf(fn)) states.push_back(std::move(plain));
  return states;
}

// The rows of a keyed function, for who looks at it from outside.
template <class K>
class KeyedRows {
 public:
  virtual ~KeyedRows() = default;
  virtual const RowLayout& layout() const = 0;
  virtual const StateRow* RowOf(const K& key) = 0;  // nullptr: none
};

// NotFound: the key has no value; InvalidArgument: no state of that name, or of another type.
template <class V, class K>
absl::StatusOr<V> ReadState(KeyedRows<K>& rows, const K& key, const std::string& name) {
  for (const RowLayout::Cell& cell : rows.layout().cells()) {
    if (cell.name != name) continue;
    if (cell.value_type != Serde<V>::TypeName()) {
      return absl::InvalidArgumentError("state '" + name + "' is of type " + cell.value_type + ", not " +
                                        Serde<V>::TypeName());
    }
    const StateRow* row = rows.RowOf(key);
    const auto* slot =
        row == nullptr ? nullptr : reinterpret_cast<const std::optional<V>*>(row->memory() + cell.offset);
    if (slot == nullptr || !slot->has_value()) return absl::NotFoundError("state '" + name + "' has no value here");
    return **slot;
  }
  return absl::InvalidArgumentError("no state '" + name + "' is declared");
}

// A function with its rows and maps, plain states and side outputs: one subtask's copy. Register, then Open, then
// calls.
template <class K, class Fn>
class KeyedFunction {
 public:
  explicit KeyedFunction(const Fn& prototype)
      : frame_(std::make_shared<StateFrame>()), fn_(Bound(prototype, frame_)), has_keyed_states_(HasStates(*frame_)) {}

  // Its tables. The operator may register more, before Open.
  absl::Status Register(OperatorContext& context) {
    context_ = &context;
    backend_ = &context.keyed_backend();
    has_ttl_ = frame_->expires();
    frame_->write_key = [](const void* key, ByteWriter& out) { Serde<K>::Write(*static_cast<const K*>(key), out); };
    const std::string& uid = context.operator_uid();
    rows_.emplace(TableSpec{.uid = uid,
                            .name = "rows",
                            .kind = "row",
                            .expires = frame_->layout.expires(),
                            .key = SchemaOf<K>(),
                            .value = frame_->layout.RowSchema()},
                  RowCodec(frame_->layout));
    if (absl::Status status = backend_->Register(*rows_); !status.ok()) return status;
    const SkipKey skip_key = [](ByteReader& in) {
      K forgotten{};
      return Serde<K>::Read(in, forgotten);
    };
    for (MapDeclaration& map : frame_->maps) {
      // Beside the rows, whose states have their names within the row.
      map.table =
          map.make({.uid = uid, .name = "map " + map.name, .kind = "map", .key = SchemaOf<K>(), .value = {}}, skip_key);
      if (absl::Status status = backend_->Register(*map.table); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status Open(const std::vector<ReceiverBase*>& sides) { return fn_.Open(*context_, sides); }
  absl::Status Snapshot(OperatorStateWriter& state) { return fn_.Snapshot(state); }
  void Close() { fn_.Close(); }

  Fn& operator*() { return *fn_; }
  Fn* operator->() { return &*fn_; }
  void set_timestamp(TimestampMs timestamp) { fn_.set_timestamp(timestamp); }  // of the record or timer at hand
  size_t side_outputs() const { return fn_.side_outputs(); }

  // call() with the states of that key at hand.
  template <class Call>
  void WithKey(const K& key, uint64_t hash, Call&& call) {
    backend_->MakeRoom();
    AtKey(
        key, [&] { return hash; }, call);
  }
  // Likewise where entries of the operator's other tables are in use, which making room could evict. hash() is asked
  // for only where there are states.
  template <class Hash, class Call>
  void AtKey(const K& key, Hash&& hash, Call&& call) {
    if (has_keyed_states_) {
      WithStates(key, hash(), call);
    } else if (backend_->status().ok()) {
      call();
    }
    if (!backend_->status().ok()) context_->Fail(backend_->status());
  }
  // call(key), with its states at hand, for each key that has any.
  template <class Call>
  void ForEachKey(Call&& call) {
    if (frame_->row != nullptr) throw std::logic_error("for_each_key was called where a key is at hand already");
    const KeyGroupRange range = backend_->range();
    for (uint32_t group = range.begin; group < range.end && backend_->status().ok(); ++group) {
      std::set<std::string> keys;
      CollectKeys(group, keys);
      for (const std::string& bytes : keys) {
        K key{};
        ByteReader in(bytes);
        if (!Serde<K>::Read(in, key)) {
          return context_->Fail(absl::DataLossError("a key of operator " + rows_->spec().Label() + " does not decode"));
        }
        WithKey(key, hasher_(key), [&] { call(std::as_const(key)); });
      }
    }
    if (!backend_->status().ok()) context_->Fail(backend_->status());
  }

  const RowLayout& layout() const { return frame_->layout; }
  const StateRow* RowOf(const K& key) {
    const uint32_t slot = rows_->Find(hasher_(key), key);
    return slot == rows_->kNone ? nullptr : &rows_->value(slot);
  }

 private:
  template <class Call>
  void WithStates(const K& key, uint64_t hash, Call& call) {
    const uint32_t slot = rows_->FindOrInsert(hash, key);
    StateFrame& frame = *frame_;
    frame.row = rows_->value(slot).memory();
    frame.changed = false;
    frame.hash = hash;
    frame.key = &key;
    if (has_ttl_) frame.now_ms = backend_->clock().NowMs();
    for (MapDeclaration& map : frame.maps) map.slot.reset();
    if (backend_->status().ok()) call();
    frame.row = nullptr;
    for (MapDeclaration& map : frame.maps) {
      if (map.slot) map.leave(*map.table, *map.slot);
    }
    // A key without values takes no room.
    if (rows_->value(slot).empty()) {
      rows_->Erase(slot);
    } else if (frame.changed) {
      rows_->MarkDirty(slot);
    }
  }
  void CollectKeys(uint32_t group, std::set<std::string>& keys) {
    rows_->CollectKeys(group, keys);
    for (MapDeclaration& map : frame_->maps) map.table->CollectKeys(group, keys);
  }
  static PlainFunction<Fn> Bound(const Fn& prototype, const std::shared_ptr<StateFrame>& frame) {
    const StateScope scope(frame);
    return PlainFunction<Fn>(prototype);
  }
  static bool HasStates(const StateFrame& frame) { return !frame.layout.cells().empty() || !frame.maps.empty(); }

  const std::shared_ptr<StateFrame> frame_;
  PlainFunction<Fn> fn_;
  const bool has_keyed_states_;
  KeyHasher<K> hasher_;
  OperatorContext* context_ = nullptr;
  KeyedBackend* backend_ = nullptr;
  bool has_ttl_ = false;
  std::optional<KeyedTable<K, StateRow, RowCodec>> rows_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_FUNCTION_H_
