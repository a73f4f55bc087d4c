// What runs a keyed function: its states (keyed_function.h), its timers, and time.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_

#include <functional>
#include <optional>
#include <utility>

#include "runtime/operators/keyed_context.h"
#include "runtime/operators/keyed_function.h"
#include "runtime/state/timer_table.h"

namespace penstock {

// How many timers wait, for who looks at a keyed function from outside.
class TimerCounts {
 public:
  virtual ~TimerCounts() = default;
  virtual int64_t event_time_timers() const = 0;
  virtual int64_t processing_time_timers() const = 0;
};

// What operators of keyed process functions have in common. Base: UnaryOperator or BinaryOperator.
template <class Base, class K, class Out, class Fn>
class KeyedOperator : public Base, public KeyedRows<K>, public TimerCounts {
 public:
  explicit KeyedOperator(const Fn& prototype) : fn_(prototype), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    if (absl::Status status = fn_.Register(context); !status.ok()) return status;
    if constexpr (HasOnTimer<Fn, K, Out>) {
      timers_.emplace(context.operator_uid(), SchemaOf<K>());
      for (TimerTable* table : {&timers_->event, &timers_->processing}) {
        if (absl::Status status = backend_->Register(*table); !status.ok()) return status;
      }
    }
    keyed_context_.emplace(&context);
    keyed_context_->set_backend(backend_, timers_ ? &*timers_ : nullptr);
    return fn_.Open(this->sides_);
  }
  void OnWatermark(TimestampMs watermark) override {
    keyed_context_->set_watermark(watermark);
    if (!timers_) return this->ForwardWatermark(watermark);
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
    this->ForwardWatermark(keyed_context_->watermark());
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

  int64_t event_time_timers() const override { return timers_ ? timers_->event.entries() : 0; }
  int64_t processing_time_timers() const override { return timers_ ? timers_->processing.entries() : 0; }
  const RowLayout& layout() const override { return fn_.layout(); }
  const StateRow* RowOf(const K& key) override { return fn_.RowOf(key); }

 protected:
  // Calls user code with the states of a record's key at hand.
  template <class In, class KeyOf, class Call>
  void CallWithKeyOf(const In& value, const KeyOf& key_of, TimestampMs timestamp, Call&& call) {
    SetTime(timestamp);
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of, value);
      WithKey(key, call);
    });
  }
  // call(key), with its states at hand, for each key that has any.
  template <class Call>
  void ForEachKey(Call&& call) {
    fn_.ForEachKey([&](const K& key) {
      keyed_context_->set_key(key, hasher_(key));
      call(key);
    });
  }
  // The earliest event-time timer, though it is not due; false: there is none.
  bool FireEarliest() requires HasOnTimer<Fn, K, Out> { return FireNext(timers_->event, kMaxWatermark); }
  // Of the record or timer at hand.
  void SetTime(TimestampMs timestamp) {
    keyed_context_->set_record(timestamp);
    collector_.set_timestamp(timestamp);
    fn_.set_timestamp(timestamp);
  }

 private:
  template <class Call>
  void WithKey(const K& key, Call&& call) {
    const uint64_t hash = hasher_(key);
    keyed_context_->set_key(key, hash);
    fn_.WithKey(key, hash, call);
  }

  // One slice; true when nothing more is due.
  bool FireDue(TimerTable& timers, TimestampMs now) requires HasOnTimer<Fn, K, Out> {
    for (int i = 0; i < kFireSliceRows; ++i) {
      if (!FireNext(timers, now)) return true;
    }
    return !timers.HasDue(now);
  }
  // The earliest that is due; false: there is none.
  bool FireNext(TimerTable& timers, TimestampMs now) requires HasOnTimer<Fn, K, Out> {
    const std::optional<TimerTable::Timer> timer = timers.TakeDue(now);
    if (!timer) return false;
    K key{};
    ByteReader in(timer->key);
    if (!Serde<K>::Read(in, key)) {
      this->context_->Fail(absl::DataLossError("the key of a timer does not decode"));
      return false;
    }
    SetTime(timer->time_ms);
    CallUser(this->context_,
             [&] { WithKey(key, [&] { fn_->on_timer(timer->time_ms, *keyed_context_, collector_); }); });
    return true;
  }

 protected:
  KeyedFunction<K, Fn> fn_;
  std::optional<KeyedContext<K>> keyed_context_;
  Collector<Out> collector_;

 private:
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  std::optional<KeyedTimers> timers_;
  bool watermark_pending_ = false;
  bool processing_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_OPERATOR_H_
