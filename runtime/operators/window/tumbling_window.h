// Keyed tumbling windows over an aggregate, without lateness: the plain kind.
//
// A record belongs to the window [start, start + size) of its timestamp; a window fires when the watermark reaches its
// last millisecond, and records that come later are late. A fire is resumable: it yields every kFireSliceRows keys, and
// passes its watermark on when it is done (protocols.md D3). In processing time the clock takes the watermark's place;
// what is open when the input ends fires then.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_TUMBLING_WINDOW_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_TUMBLING_WINDOW_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/operators/keyed_function.h"
#include "runtime/operators/unary_operator.h"
#include "runtime/operators/window/assigners.h"
#include "runtime/operators/window/late_output.h"
#include "runtime/operators/window/window_context.h"
#include "runtime/state/window_table.h"

namespace penstock {

inline constexpr char kWindowKind[] = "window";

// Fn: an AggregateFunction (window_functions.h). In: T, or what a CombineOperator (combine.h) makes of it.
template <class In, class T, class K, class KeyOf, class Assigner, class Fn, class Out>
class TumblingWindowOperator final : public UnaryOperator<In, Out> {
  static constexpr bool kCombined = !std::is_same_v<In, T>;
  static constexpr bool kEventTime = Assigner::kDomain == TimeDomain::kEvent;
  using Accumulator = typename Fn::Stored::value_type;

 public:
  TumblingWindowOperator(Assigner window, KeyOf key_of, const Fn& prototype)
      : window_(window), key_of_(std::move(key_of)), fn_(prototype), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    if (absl::Status status = fn_.Register(context); !status.ok()) return status;
    windows_.emplace(TableSpec{.uid = context.operator_uid(),
                               .name = "windows",
                               .kind = kWindowKind,
                               .namespaced = true,
                               .key = SchemaOf<K>(),
                               .value = SchemaOf<Accumulator>()});
    if (absl::Status status = backend_->Register(*windows_); !status.ok()) return status;
    late_.Bind(this->sides_, fn_.side_outputs());
    window_context_ = WindowContext<K>(&context, &backend_->clock());
    return fn_.Open(this->sides_);
  }

  void OnRecord(const In& value, TimestampMs timestamp) override {
    if constexpr (kCombined) {
      value.part.has_value() ? TakePart(*value.part) : Take(*value.raw, timestamp);
    } else {
      Take(value, timestamp);
    }
  }

  void OnWatermark(TimestampMs watermark) override {
    watermark_ = watermark;
    window_context_.set_watermark(watermark);
    watermark_pending_ = true;
    if (kEventTime || watermark == kMaxWatermark) fire_until_ = watermark;
    Continue();
  }
  void OnTick(int64_t) override {
    if (!kEventTime && fire_until_ != kMaxWatermark) fire_until_ = backend_->clock().NowMs();
  }
  bool HasPending() const override { return watermark_pending_ || FireIsDue(); }
  void Continue() override {
    while (FireIsDue()) {
      const TimestampMs end = windows_->first_ns();
      const bool window_done = windows_->TakeFromFirst(
          kFireSliceRows, [&](const K& key, const Accumulator& accumulator) { Fire(key, end, accumulator); });
      if (!backend_->status().ok()) return this->context_->Fail(backend_->status());
      if (!window_done) return;
    }
    if (!std::exchange(watermark_pending_, false)) return;
    this->ForwardWatermark(watermark_);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 private:
  void Take(const T& value, TimestampMs timestamp) {
    if (kEventTime && timestamp == kNoTimestamp) return FailWithoutTimestamp(*this->context_);
    const TimestampMs end = window_.EndOf(kEventTime ? timestamp : backend_->clock().NowMs());
    if (kEventTime && end - 1 <= watermark_) return late_.Emit(*this->context_, value, timestamp);
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      fn_->aggregate.add(windows_->value(windows_->FindOrInsert(end, hasher_(key), key)), value);
    });
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }

  // Late only where its producer was idle while time went on: else it was sent before the watermark that makes it so.
  template <class Part>
  void TakePart(const Part& part) {
    if (part.end - 1 <= watermark_) return this->context_->count_late(part.end - 1, part.records);
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      fn_->aggregate.merge(windows_->value(windows_->FindOrInsert(part.end, hasher_(part.key), part.key)), part.value);
    });
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }
  bool FireIsDue() const { return !windows_->empty() && windows_->first_ns() - 1 <= fire_until_; }
  void Fire(const K& key, TimestampMs end, const Accumulator& accumulator) {
    window_context_.set_key(&key);
    window_context_.set_window({end - window_.size_ms, end});
    collector_.set_timestamp(end - 1);
    fn_.set_timestamp(end - 1);
    CallUser(this->context_, [&] {
      fn_.AtKey(
          key, [&] { return hasher_(key); }, [&] { fn_->Emit(accumulator, window_context_, collector_); });
    });
  }

  const Assigner window_;
  const KeyOf key_of_;
  KeyedFunction<K, Fn> fn_;
  Collector<Out> collector_;
  LateOutput<T> late_;
  WindowContext<K> window_context_;
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  std::optional<WindowTable<K, Accumulator>> windows_;
  TimestampMs watermark_ = kNoTimestamp;
  TimestampMs fire_until_ = kNoTimestamp;
  bool watermark_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_TUMBLING_WINDOW_H_
