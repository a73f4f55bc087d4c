// Assigns timestamps and makes watermarks, per source split when the chain begins with a source.
//
// Watermarks from further up are replaced by its own, but for the last one (kMaxWatermark), which says that all is
// seen.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WATERMARKS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WATERMARKS_H_

#include <deque>
#include <optional>
#include <utility>

#include "runtime/operators/unary_operator.h"
#include "runtime/time/split_clock.h"
#include "runtime/time/time_merge.h"
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
    TellTime(clock_->OnPoll(now_ms), *this->out_);
  }
  void OnWatermark(TimestampMs watermark) override {
    if (watermark == kMaxWatermark) this->out_->OnWatermark(watermark);
  }
  void OnIdle(bool) override {}

 private:
  const WatermarkStrategy<T, TimeOf> strategy_;
  std::optional<SplitClock> clock_;
};

// Watermarks by generators of the author's, a copy for each split.
template <class T, class Generator, class TimeOf>
class GeneratedWatermarkOperator final : public UnaryOperator<T, T> {
 public:
  explicit GeneratedWatermarkOperator(GeneratedWatermarks<T, Generator, TimeOf> strategy)
      : strategy_(std::move(strategy)) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    clock_.emplace(context.splits(), 0, strategy_.idle_after_ms);
    return absl::OkStatus();
  }
  void OnRecord(const T& value, TimestampMs) override {
    WatermarkOutput output;
    const TimestampMs time = CallUser(this->context_, [&] {
      const TimestampMs of_record = strategy_.TimeOfRecord(value);
      GeneratorOf(this->context_->splits().current()).on_event(value, of_record, output);
      return of_record;
    });
    clock_->OnActivity();
    this->out_->OnRecord(value, time);
    if (const auto watermark = output.Take()) {
      clock_->OnGenerated(*watermark);
      TellTime(clock_->OnPunctuation(), *this->out_);
    }
  }
  void OnTick(int64_t now_ms) override {
    if constexpr (requires(Generator & generator, WatermarkOutput & output) { generator.on_periodic(output); }) {
      SplitTable& splits = this->context_->splits();
      const int current = splits.current();
      for (int split = 0; split < static_cast<int>(generators_.size()); ++split) {
        WatermarkOutput output;
        CallUser(this->context_, [&] { generators_[split].on_periodic(output); });
        const auto watermark = output.Take();
        if (!watermark) continue;
        splits.SetCurrent(split);
        clock_->OnGenerated(*watermark);
      }
      splits.SetCurrent(current);
    }
    TellTime(clock_->OnPoll(now_ms), *this->out_);
  }
  void OnWatermark(TimestampMs watermark) override {
    if (watermark == kMaxWatermark) this->out_->OnWatermark(watermark);
  }
  void OnIdle(bool) override {}

 private:
  Generator& GeneratorOf(int split) {
    while (static_cast<int>(generators_.size()) <= split) generators_.push_back(strategy_.generator);
    return generators_[split];
  }

  const GeneratedWatermarks<T, Generator, TimeOf> strategy_;
  std::optional<SplitClock> clock_;
  std::deque<Generator> generators_;  // by split
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
