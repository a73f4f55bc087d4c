// Sliding windows over an aggregate that merges: a record changes one slice, whatever size and slide are, and a fire
// costs a key one merge (slice_queue.h).
//
// Slices are as long as the greatest common divisor of size and slide. A key's slices are a row; `fires` has, by window
// end, the keys whose window fires then, so that a fire is a scan (protocols.md C9). No lateness: other sliding windows
// go through window_operator.h. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICED_WINDOW_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICED_WINDOW_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/operators/keyed_function.h"
#include "runtime/operators/unary_operator.h"
#include "runtime/operators/window/assigners.h"
#include "runtime/operators/window/late_output.h"
#include "runtime/operators/window/slice_queue.h"
#include "runtime/operators/window/window_context.h"
#include "runtime/state/window_table.h"

namespace penstock {

inline constexpr char kSlicesKind[] = "slices of a key";

// Fn: an AggregateFunction (window_functions.h). In: T, or what a CombineOperator (combine.h) makes of it.
template <class In, class T, class K, class KeyOf, class Assigner, class Fn, class Out>
class SlicedWindowOperator final : public UnaryOperator<In, Out> {
  static constexpr bool kCombined = !std::is_same_v<In, T>;
  static constexpr bool kEventTime = Assigner::kDomain == TimeDomain::kEvent;
  using Accumulator = typename Fn::Stored::value_type;
  using Queue = SliceQueue<Accumulator>;

 public:
  SlicedWindowOperator(Assigner window, KeyOf key_of, const Fn& prototype)
      : window_(window), key_of_(std::move(key_of)), fn_(prototype), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    if (absl::Status status = fn_.Register(context); !status.ok()) return status;
    const std::string& uid = context.operator_uid();
    slices_.emplace(
        TableSpec{.uid = uid, .name = "slices", .kind = kSlicesKind, .key = SchemaOf<K>(), .value = SchemaOf<Queue>()});
    fires_.emplace(TableSpec{.uid = uid,
                             .name = "fires",
                             .kind = "fires",
                             .namespaced = true,
                             .key = SchemaOf<K>(),
                             .value = SchemaOf<uint8_t>()});
    if (absl::Status status = backend_->Register(*slices_); !status.ok()) return status;
    if (absl::Status status = backend_->Register(*fires_); !status.ok()) return status;
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
      backend_->MakeRoom();
      const TimestampMs end = fires_->first_ns();
      const bool done = fires_->TakeFromFirst(kFireSliceRows, [&](const K& key, uint8_t) { Fire(key, end); });
      if (!backend_->status().ok()) return this->context_->Fail(backend_->status());
      if (!done) return;
    }
    if (!std::exchange(watermark_pending_, false)) return;
    this->ForwardWatermark(watermark_);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 private:
  void Take(const T& value, TimestampMs timestamp) {
    if (kEventTime && timestamp == kNoTimestamp) return FailWithoutTimestamp(*this->context_);
    const TimestampMs time = kEventTime ? timestamp : backend_->clock().NowMs();
    const std::optional<TimestampMs> fires_at = FiresAt(time);
    if (!fires_at) return late_.Emit(*this->context_, value, timestamp);
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      AddTo(key, window_.SliceEndOf(time), *fires_at,
            [&](Accumulator& accumulator) { fn_->aggregate.add(accumulator, value); });
    });
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }
  // Late only where its producer was idle while time went on: else it was sent before the watermark that makes it so.
  template <class Part>
  void TakePart(const Part& part) {
    const std::optional<TimestampMs> fires_at = FiresAt(part.end - 1);
    if (!fires_at) return this->context_->count_late(part.end - 1, part.records);
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      AddTo(part.key, part.end, *fires_at,
            [&](Accumulator& accumulator) { fn_->aggregate.merge(accumulator, part.value); });
    });
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }
  // When a window that takes a record of this time fires first; none: all have fired.
  std::optional<TimestampMs> FiresAt(TimestampMs time) const {
    const TimestampMs first = window_.FirstEndAfter(time);
    if (!kEventTime || first - 1 > watermark_) return first;
    // The slice may belong to later windows that have not fired.
    if (watermark_ == kMaxWatermark) return std::nullopt;
    const TimestampMs next = window_.FirstEndAfter(watermark_ + 1);
    if (next - window_.size_ms > time) return std::nullopt;
    return next;
  }
  template <class Key, class Add>
  void AddTo(const Key& key, TimestampMs slice_end, TimestampMs fires_at, Add&& add) {
    const uint64_t hash = hasher_(key);
    const uint32_t slot = slices_->FindOrInsert(hash, key);
    Queue& queue = slices_->value(slot);
    queue.AddTo(slice_end, add);
    if (fires_at < queue.fires_at) {
      queue.fires_at = fires_at;
      fires_->FindOrInsert(fires_at, hash, key);
    }
    slices_->MarkDirty(slot);
  }
  bool FireIsDue() const { return !fires_->empty() && fires_->first_ns() - 1 <= fire_until_; }

  // The window of a key that ends at `end`.
  void Fire(const K& key, TimestampMs end) {
    const uint64_t hash = hasher_(key);
    const uint32_t slot = slices_->Find(hash, key);
    // A record that came out of order has moved the key's fire to an earlier window: this one is told again by that.
    if (slot == slices_->kNone || slices_->value(slot).fires_at != end) return;
    Queue& queue = slices_->value(slot);
    const auto& aggregate = fn_->aggregate;
    queue.CloseUpTo(end, aggregate);
    queue.DropUpTo(end - window_.size_ms, aggregate);
    const std::optional<Accumulator> total = queue.Total(aggregate);
    // What the next window begins with.
    queue.DropUpTo(end + window_.slide_ms - window_.size_ms, aggregate);
    queue.fires_at = NextFire(queue, end);
    if (queue.fires_at != kMaxWatermark) fires_->FindOrInsert(queue.fires_at, hash, key);
    if (queue.empty()) {
      slices_->Erase(slot);
    } else {
      slices_->MarkDirty(slot);
    }
    if (total.has_value()) Emit(key, hash, end, *total);
  }
  TimestampMs NextFire(const Queue& queue, TimestampMs end) const {
    if (!queue.front.empty() || !queue.back.empty()) return end + window_.slide_ms;
    return queue.open.empty() ? kMaxWatermark : window_.FirstEndAfter(queue.open.front().end - 1);
  }
  void Emit(const K& key, uint64_t hash, TimestampMs end, const Accumulator& total) {
    window_context_.set_key(&key);
    window_context_.set_window({end - window_.size_ms, end});
    collector_.set_timestamp(end - 1);
    fn_.set_timestamp(end - 1);
    CallUser(this->context_, [&] {
      fn_.AtKey(
          key, [&] { return hash; }, [&] { fn_->Emit(total, window_context_, collector_); });
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
  std::optional<KeyedTable<K, Queue>> slices_;
  std::optional<WindowTable<K, uint8_t>> fires_;
  TimestampMs watermark_ = kNoTimestamp;
  TimestampMs fire_until_ = kNoTimestamp;
  bool watermark_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICED_WINDOW_H_
