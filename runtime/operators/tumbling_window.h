// Keyed tumbling event-time windows over an aggregate.
//
// A record belongs to the window [start, start + size) of its timestamp; a window fires when the watermark reaches its
// last millisecond, and records that come later are counted as late and dropped (no grace). A fire is resumable: it
// yields every kFireSliceRows keys, and passes its watermark on when it is done (protocols.md D3).
#ifndef PENSTOCK_RUNTIME_OPERATORS_TUMBLING_WINDOW_H_
#define PENSTOCK_RUNTIME_OPERATORS_TUMBLING_WINDOW_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "runtime/operators/unary_operator.h"
#include "runtime/state/window_table.h"

namespace penstock {

struct TumblingWindow {
  int64_t size_ms = 0;
  int64_t offset_ms = 0;

  TimestampMs EndOf(TimestampMs time) const {
    int64_t into = (time - offset_ms) % size_ms;
    if (into < 0) into += size_ms;
    return time - into + size_ms;
  }
};

// A window of this length in event time, aligned to the epoch plus an offset.
inline TumblingWindow tumbling(std::chrono::milliseconds size, std::chrono::milliseconds offset = {}) {
  return {size.count(), offset.count()};
}

// What comes out of a window.
template <class K, class V>
struct WindowResult {
  K key;
  TimestampMs start = 0;
  TimestampMs end = 0;  // excluded
  V value;
};

template <class In, class K, class KeyOf, class Aggregate, class Value>
class TumblingWindowOperator final : public UnaryOperator<In, WindowResult<K, Value>> {
 public:
  using Accumulator = typename Aggregate::Accumulator;

  TumblingWindowOperator(TumblingWindow window, KeyOf key_of, Aggregate aggregate)
      : window_(window), key_of_(std::move(key_of)), aggregate_(std::move(aggregate)) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    windows_.emplace(TableSpec{.uid = context.operator_uid(),
                               .name = "windows",
                               .kind = "window",
                               .namespaced = true,
                               .key = SchemaOf<K>(),
                               .value = SchemaOf<Accumulator>()});
    if (absl::Status status = backend_->Register(*windows_); !status.ok()) return status;
    OpenFunction(aggregate_, this->context_);
    return absl::OkStatus();
  }

  void OnRecord(const In& value, TimestampMs timestamp) override {
    if (timestamp == kNoTimestamp) {
      this->context_->NoteFailingOperator();
      this->context_->Fail(absl::FailedPreconditionError(
          "a record without a timestamp came to an event-time window: put .watermarks(...) before .key_by"));
      return;
    }
    const TimestampMs end = window_.EndOf(timestamp);
    if (end - 1 <= watermark_) {
      this->context_->count_late(timestamp);
      return;
    }
    backend_->MakeRoom();
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      aggregate_.add(windows_->value(windows_->FindOrInsert(end, hasher_(key), key)), value);
    });
    if (!backend_->status().ok()) this->context_->Fail(backend_->status());
  }

  void OnWatermark(TimestampMs watermark) override {
    watermark_ = watermark;
    pending_ = true;
    Continue();
  }

  bool HasPending() const override { return pending_; }

  void Continue() override {
    while (!windows_->empty() && windows_->first_ns() - 1 <= watermark_) {
      const TimestampMs end = windows_->first_ns();
      const bool window_done =
          windows_->TakeFromFirst(kFireSliceRows, [&](const K& key, const Accumulator& accumulator) {
            const WindowResult<K, Value> result{
                key, end - window_.size_ms, end,
                CallUser(this->context_, [&]() -> Value { return aggregate_.result(accumulator); })};
            this->out_->OnRecord(result, end - 1);
          });
      if (!backend_->status().ok()) return this->context_->Fail(backend_->status());
      if (!window_done) return;
    }
    pending_ = false;
    this->out_->OnWatermark(watermark_);
  }

  void Close() override { CloseFunction(aggregate_); }

 private:
  const TumblingWindow window_;
  KeyOf key_of_;
  Aggregate aggregate_;
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  std::optional<WindowTable<K, Accumulator>> windows_;
  TimestampMs watermark_ = kNoTimestamp;
  bool pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_TUMBLING_WINDOW_H_
