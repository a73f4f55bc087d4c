// Assigns timestamps and makes watermarks, per source split when the chain begins with a source.
//
// Watermarks from further up are replaced by its own, but for the last one (kMaxWatermark), which says that all is
// seen.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WATERMARKS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WATERMARKS_H_

#include <optional>
#include <utility>

#include "runtime/operators/unary_operator.h"
#include "runtime/time/split_clock.h"
#include "runtime/time/watermark_strategy.h"

namespace penstock {

template <class T, class TimeOf>
class WatermarkOperator final : public UnaryOperator<T, T> {
 public:
  explicit WatermarkOperator(WatermarkStrategy<T, TimeOf> strategy) : strategy_(std::move(strategy)) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    clock_.emplace(context.splits(), strategy_.disorder_ms, strategy_.idle_after_ms);
    return absl::OkStatus();
  }
  void OnRecord(const T& value, TimestampMs) override {
    const TimestampMs time = CallUser(this->context_, [&] { return strategy_.TimeOfRecord(value); });
    if (strategy_.emits) clock_->OnRecord(time);
    this->out_->OnRecord(value, time);
  }
  void OnTick(int64_t now_ms) override {
    if (!strategy_.emits) return;
    const WatermarkTracker::Change change = clock_->OnPoll(now_ms);
    if (change.idle_changed && !change.idle) this->out_->OnIdle(false);
    if (change.advanced) this->out_->OnWatermark(change.watermark);
    if (change.idle_changed && change.idle) this->out_->OnIdle(true);
  }
  void OnWatermark(TimestampMs watermark) override {
    if (watermark == kMaxWatermark) this->out_->OnWatermark(watermark);
  }
  void OnIdle(bool) override {}

 private:
  const WatermarkStrategy<T, TimeOf> strategy_;
  std::optional<SplitClock> clock_;
};

// A stream that says nothing about time: idle to whoever comes after it, whatever was said further up, but for the end
// of time.
template <class T>
class TimelessOperator final : public UnaryOperator<T, T> {
 public:
  void OnRecord(const T& value, TimestampMs timestamp) override {
    Tell();
    this->out_->OnRecord(value, timestamp);
  }
  void OnTick(int64_t) override { Tell(); }
  void OnWatermark(TimestampMs watermark) override {
    if (watermark != kMaxWatermark) return;
    told_ = true;
    this->out_->OnIdle(false);
    this->out_->OnWatermark(watermark);
  }
  void OnIdle(bool) override {}

 private:
  void Tell() {
    if (!std::exchange(told_, true)) this->out_->OnIdle(true);
  }

  bool told_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WATERMARKS_H_
