// The states of a keyed function, and what runs a function with the states of one key at hand.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_

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
#include "runtime/operators/keyed_context.h"
#include "runtime/operators/plain_state.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/map_state.h"
#include "runtime/state/timer_table.h"
#include "runtime/state/value_state.h"

namespace penstock {

// The states a function declares, those by key and those without: found by copying it inside a scope.
template <class Fn>
std::vector<StateInfo> StatesOf(const Fn& fn, const std::string& key_type, const Schema& key) {
  const auto frame = std::make_shared<StateFrame>();
  {
    const StateScope scope(frame);
    const Fn copy(fn);
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

// How many timers wait, for who looks at a keyed function from outside.
class TimerCounts {
 public:
  virtual ~TimerCounts() = default;
  virtual int64_t event_time_timers() const = 0;
  virtual int64_t processing_time_timers() const = 0;
};

// The rows of a keyed function, likewise.
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

// What operators of keyed process functions have in common: rows of state, maps, timers, and the function with the
// states of one key at hand. Base: UnaryOperator or BinaryOperator.
template <class Base, class K, class Out, class Fn>
class KeyedOperator : public Base, public KeyedRows<K>, public TimerCounts {
 public:
  explicit KeyedOperator(const Fn& prototype)
      : frame_(std::make_shared<StateFrame>()), fn_(Bound(prototype, frame_)), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    has_ttl_ = frame_->expires();
    frame_->write_key = [](const void* key, ByteWriter& out) { Serde<K>::Write(*static_cast<const K*>(key), out); };
    if (absl::Status status = RegisterTables(context.operator_uid()); !status.ok()) return status;
    keyed_context_.emplace(&context);
    keyed_context_->set_backend(backend_, timers_ ? &*timers_ : nullptr);
    return fn_.Open(context);
  }
  void OnWatermark(TimestampMs watermark) override {
    keyed_context_->set_watermark(watermark);
    if (!timers_) return this->out_->OnWatermark(watermark);
    watermark_pending_ = true;
    Continue();
  }
  void OnTick(int64_t) override {
    if (timers_ && timers_->processing.HasDue(backend_->clock().NowMs())) processing_pending_ = true;
  }
  bool HasPending() const override { return watermark_pending_ || processing_pending_; }
  // Timers in slices; the watermark goes on when the last one it makes due has fired.
  void Continue() override {
    if constexpr (HasOnTimer<Fn, K, Out>) {
      if (processing_pending_) {
        processing_pending_ = !FireDue(timers_->processing, backend_->clock().NowMs());
        return;
      }
      if (!FireDue(timers_->event, keyed_context_->watermark())) return;
    }
    watermark_pending_ = false;
    this->out_->OnWatermark(keyed_context_->watermark());
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

  int64_t event_time_timers() const override { return timers_ ? timers_->event.entries() : 0; }
  int64_t processing_time_timers() const override { return timers_ ? timers_->processing.entries() : 0; }
  const RowLayout& layout() const override { return frame_->layout; }
  const StateRow* RowOf(const K& key) override {
    const uint32_t slot = rows_->Find(hasher_(key), key);
    return slot == rows_->kNone ? nullptr : &rows_->value(slot);
  }

 protected:
  // Calls user code with the states of a record's key at hand.
  template <class In, class KeyOf, class Call>
  void CallWithKeyOf(const In& value, const KeyOf& key_of, TimestampMs timestamp, Call&& call) {
    keyed_context_->set_record(timestamp);
    collector_.set_timestamp(timestamp);
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of, value);
      WithKey(key, call);
    });
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
          return this->context_->Fail(
              absl::DataLossError("a key of operator " + rows_->spec().Label() + " does not decode"));
        }
        WithKey(key, [&] { call(std::as_const(key)); });
      }
    }
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }

 private:
  absl::Status RegisterTables(const std::string& uid) {
    TableSpec spec{.uid = uid,
                   .name = "rows",
                   .kind = "row",
                   .expires = frame_->layout.expires(),
                   .key = SchemaOf<K>(),
                   .value = frame_->layout.RowSchema()};
    rows_.emplace(std::move(spec), RowCodec(frame_->layout));
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
    if constexpr (HasOnTimer<Fn, K, Out>) {
      timers_.emplace(uid, SchemaOf<K>());
      for (TimerTable* table : {&timers_->event, &timers_->processing}) {
        if (absl::Status status = backend_->Register(*table); !status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  void CollectKeys(uint32_t group, std::set<std::string>& keys) {
    rows_->CollectKeys(group, keys);
    for (MapDeclaration& map : frame_->maps) map.table->CollectKeys(group, keys);
  }

  static PlainFunction<Fn> Bound(const Fn& prototype, const std::shared_ptr<StateFrame>& frame) {
    const StateScope scope(frame);
    return PlainFunction<Fn>(prototype);
  }

  // Calls fn with the states of the key at hand.
  template <class Call>
  void WithKey(const K& key, Call&& call) {
    backend_->MakeRoom();
    const uint64_t hash = hasher_(key);
    const uint32_t slot = rows_->FindOrInsert(hash, key);
    StateFrame& frame = *frame_;
    frame.row = rows_->value(slot).memory();
    frame.changed = false;
    frame.hash = hash;
    frame.key = &key;
    if (has_ttl_) frame.now_ms = backend_->clock().NowMs();
    for (MapDeclaration& map : frame.maps) map.slot.reset();
    keyed_context_->set_key(key, hash);
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
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }

  // One slice; true when nothing more is due.
  bool FireDue(TimerTable& timers, TimestampMs now) requires HasOnTimer<Fn, K, Out> {
    for (int i = 0; i < kFireSliceRows; ++i) {
      const std::optional<TimerTable::Timer> timer = timers.TakeDue(now);
      if (!timer) return true;
      K key{};
      ByteReader in(timer->key);
      if (!Serde<K>::Read(in, key)) {
        this->context_->Fail(absl::DataLossError("the key of a timer does not decode"));
        return true;
      }
      keyed_context_->set_record(timer->time_ms);
      collector_.set_timestamp(timer->time_ms);
      CallUser(this->context_,
               [&] { WithKey(key, [&] { fn_->on_timer(timer->time_ms, *keyed_context_, collector_); }); });
    }
    return !timers.HasDue(now);
  }

  const std::shared_ptr<StateFrame> frame_;

 protected:
  PlainFunction<Fn> fn_;
  std::optional<KeyedContext<K>> keyed_context_;
  Collector<Out> collector_;

 private:
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  bool has_ttl_ = false;
  std::optional<KeyedTable<K, StateRow, RowCodec>> rows_;
  std::optional<KeyedTimers> timers_;
  bool watermark_pending_ = false;
  bool processing_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_
