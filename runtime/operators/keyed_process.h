// process on a keyed stream: a function with ValueState members, one row of them per key.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/operators/process.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/map_state.h"
#include "runtime/state/timer_table.h"
#include "runtime/state/value_state.h"

namespace penstock {

// The timers of a keyed function, both kinds.
struct KeyedTimers {
  KeyedTimers(const std::string& uid, const Schema& key)
      : event(Spec(uid, "event-time timers", key)), processing(Spec(uid, "processing-time timers", key)) {}
  static TableSpec Spec(const std::string& uid, std::string name, const Schema& key) {
    return {.uid = uid, .name = std::move(name), .kind = "timers", .namespaced = true, .key = key, .value = {}};
  }
  TimerTable event;
  TimerTable processing;
};

// Valid during the call it was given to. Timers are per key and time: registering one twice is one timer. The function
// that registers them has `void on_timer(TimestampMs time, KeyedContext<K>&, Collector<Out>&)`.
template <class K>
class KeyedContext : public ProcessContext {
 public:
  explicit KeyedContext(OperatorContext* context = nullptr) : ProcessContext(context) {}
  const K& key() const { return *key_; }
  // Milliseconds since the epoch, of the clock that processing-time timers go by.
  TimestampMs processing_time() const { return backend_->clock().NowMs(); }

  // Fires once the watermark has reached the time.
  void register_event_time_timer(TimestampMs time) { Timers().event.Add(time, key_group_, KeyBytes()); }
  void delete_event_time_timer(TimestampMs time) { Timers().event.Remove(time, key_group_, KeyBytes()); }
  // Fires once the wall clock has reached the time.
  void register_processing_time_timer(TimestampMs time) { Timers().processing.Add(time, key_group_, KeyBytes()); }
  void delete_processing_time_timer(TimestampMs time) { Timers().processing.Remove(time, key_group_, KeyBytes()); }

  void set_backend(KeyedBackend* backend, KeyedTimers* timers) {
    backend_ = backend;
    timers_ = timers;
  }
  void set_key(const K& key, uint64_t hash) {
    key_ = &key;
    key_group_ = KeyGroupOf(hash, backend_->key_groups()).value;
  }

 private:
  KeyedTimers& Timers() {
    if (timers_ == nullptr) throw std::logic_error("a timer was registered by a function that has no on_timer");
    return *timers_;
  }
  std::string_view KeyBytes() {
    key_bytes_.Clear();
    Serde<K>::Write(*key_, key_bytes_);
    return key_bytes_.view();
  }

  KeyedBackend* backend_ = nullptr;
  KeyedTimers* timers_ = nullptr;
  const K* key_ = nullptr;
  uint32_t key_group_ = 0;
  ByteWriter key_bytes_;
};

template <class Fn, class K, class Out>
concept HasOnTimer = requires(Fn& fn, KeyedContext<K>& context, Collector<Out>& out) {
  fn.on_timer(TimestampMs{}, context, out);
};

// The states a function declares: found by copying it inside a scope.
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

template <class In, class K, class KeyOf, class Out, class Fn>
class KeyedProcessOperator final : public UnaryOperator<In, Out>, public KeyedRows<K>, public TimerCounts {
 public:
  KeyedProcessOperator(KeyOf key_of, const Fn& prototype)
      : key_of_(std::move(key_of)), frame_(std::make_shared<StateFrame>()), collector_(nullptr) {
    const StateScope scope(frame_);
    fn_.emplace(prototype);
  }

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    has_ttl_ = frame_->expires();
    frame_->write_key = [](const void* key, ByteWriter& out) { Serde<K>::Write(*static_cast<const K*>(key), out); };
    if (absl::Status status = RegisterTables(context.operator_uid()); !status.ok()) return status;
    keyed_context_.emplace(&context);
    keyed_context_->set_backend(backend_, timers_ ? &*timers_ : nullptr);
    OpenFunction(*fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    keyed_context_->set_record(timestamp);
    collector_.set_timestamp(timestamp);
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      WithKey(key, [&] { std::invoke(*fn_, value, *keyed_context_, collector_); });
    });
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
  void Close() override { CloseFunction(*fn_); }

  int64_t event_time_timers() const override { return timers_ ? timers_->event.entries() : 0; }
  int64_t processing_time_timers() const override { return timers_ ? timers_->processing.entries() : 0; }
  const RowLayout& layout() const override { return frame_->layout; }
  const StateRow* RowOf(const K& key) override {
    const uint32_t slot = rows_->Find(hasher_(key), key);
    return slot == rows_->kNone ? nullptr : &rows_->value(slot);
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

  KeyOf key_of_;
  const std::shared_ptr<StateFrame> frame_;
  std::optional<Fn> fn_;
  std::optional<KeyedContext<K>> keyed_context_;
  Collector<Out> collector_;
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  bool has_ttl_ = false;
  std::optional<KeyedTable<K, StateRow, RowCodec>> rows_;
  std::optional<KeyedTimers> timers_;
  bool watermark_pending_ = false;
  bool processing_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
