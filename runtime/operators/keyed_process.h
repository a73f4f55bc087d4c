// process on a keyed stream: a function with ValueState members, one row of them per key.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/operators/process.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/value_state.h"

namespace penstock {

template <class K>
class KeyedContext : public ProcessContext {
 public:
  explicit KeyedContext(OperatorContext* context = nullptr) : ProcessContext(context) {}
  const K& key() const { return *key_; }
  void set_key(const K& key) { key_ = &key; }

 private:
  const K* key_ = nullptr;
};

// The states a function declares: found by copying it inside a scope.
template <class Fn>
std::vector<StateInfo> StatesOf(const Fn& fn, const std::string& key_type) {
  const auto frame = std::make_shared<StateFrame>();
  {
    const StateScope scope(frame);
    const Fn copy(fn);
  }
  std::vector<StateInfo> states;
  for (const RowLayout::Cell& cell : frame->layout.cells()) {
    states.push_back({cell.name, cell.kind, key_type, cell.value_type, cell.ttl.duration.count()});
  }
  return states;
}

// The rows of a keyed function, for who looks at them from outside.
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
class KeyedProcessOperator final : public UnaryOperator<In, Out>, public KeyedRows<K> {
 public:
  KeyedProcessOperator(KeyOf key_of, const Fn& prototype)
      : key_of_(std::move(key_of)), frame_(std::make_shared<StateFrame>()), collector_(nullptr) {
    const StateScope scope(frame_);
    fn_.emplace(prototype);
  }

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    keyed_context_ = KeyedContext<K>(&context);
    collector_.set_receiver(this->out_);
    backend_ = &context.keyed_backend();
    has_ttl_ = frame_->layout.expires();
    rows_.emplace(TableSpec{.uid = context.operator_uid(),
                            .name = "rows",
                            .kind = "row",
                            .expires = has_ttl_,
                            .key = SchemaOf<K>(),
                            .value = frame_->layout.RowSchema()},
                  RowCodec(frame_->layout));
    if (absl::Status status = backend_->Register(*rows_); !status.ok()) return status;
    OpenFunction(*fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    keyed_context_.set_record(timestamp);
    collector_.set_timestamp(timestamp);
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      const uint32_t slot = EnterRow(key);
      if (!backend_->status().ok()) return this->context_->Fail(backend_->status());
      std::invoke(*fn_, value, keyed_context_, collector_);
      LeaveRow(slot);
    });
  }
  void OnWatermark(TimestampMs watermark) override {
    keyed_context_.set_watermark(watermark);
    this->out_->OnWatermark(watermark);
  }
  void Close() override { CloseFunction(*fn_); }

  const RowLayout& layout() const override { return frame_->layout; }
  const StateRow* RowOf(const K& key) override {
    const uint32_t slot = rows_->Find(hasher_(key), key);
    return slot == rows_->kNone ? nullptr : &rows_->value(slot);
  }

 private:
  uint32_t EnterRow(const K& key) {
    const uint32_t slot = rows_->FindOrInsert(hasher_(key), key);
    frame_->row = rows_->value(slot).memory();
    frame_->changed = false;
    if (has_ttl_) frame_->now_ms = backend_->clock().NowMs();
    keyed_context_.set_key(key);
    return slot;
  }
  void LeaveRow(uint32_t slot) {
    frame_->row = nullptr;
    // A key without values takes no room.
    if (rows_->value(slot).empty()) {
      rows_->Erase(slot);
    } else if (frame_->changed) {
      rows_->MarkDirty(slot);
    }
  }

  KeyOf key_of_;
  const std::shared_ptr<StateFrame> frame_;
  std::optional<Fn> fn_;
  KeyedContext<K> keyed_context_;
  Collector<Out> collector_;
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  bool has_ttl_ = false;
  std::optional<KeyedTable<K, StateRow, RowCodec>> rows_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
