// How event time is read off records and how watermarks follow from it.
//
//   bounded_disorder<Event>(5s, &Event::time)     the watermark trails the largest time seen by the bound
//   monotonous<Event>(&Event::time)               times never go back within a split
//   no_watermarks<Event>(&Event::time)            timestamps only
// .idle_after(30s): a split that is caught up and silent for so long does not hold time back (default 30 s; never()
// turns it off). The time is a member pointer or a callable, in epoch milliseconds.
#ifndef PENSTOCK_RUNTIME_TIME_WATERMARK_STRATEGY_H_
#define PENSTOCK_RUNTIME_TIME_WATERMARK_STRATEGY_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "runtime/record/time.h"

namespace penstock {

inline constexpr int64_t kDefaultIdleAfterMs = 30'000;
inline constexpr int64_t kNeverIdle = -1;

template <class T, class TimeOf>
struct WatermarkStrategy {
  TimeOf time_of;
  int64_t disorder_ms = 0;
  bool emits = true;
  int64_t idle_after_ms = kDefaultIdleAfterMs;

  WatermarkStrategy idle_after(std::chrono::milliseconds silence) const {
    WatermarkStrategy copy = *this;
    copy.idle_after_ms = silence.count();
    return copy;
  }
  WatermarkStrategy never_idle() const {
    WatermarkStrategy copy = *this;
    copy.idle_after_ms = kNeverIdle;
    return copy;
  }
  TimestampMs TimeOfRecord(const T& value) const { return static_cast<TimestampMs>(std::invoke(time_of, value)); }
};

template <class T, class TimeOf>
WatermarkStrategy<T, TimeOf> bounded_disorder(std::chrono::milliseconds bound, TimeOf time_of) {
  return {std::move(time_of), bound.count(), true};
}
template <class T, class TimeOf>
WatermarkStrategy<T, TimeOf> monotonous(TimeOf time_of) {
  return {std::move(time_of), 0, true};
}
template <class T, class TimeOf>
WatermarkStrategy<T, TimeOf> no_watermarks(TimeOf time_of) {
  return {std::move(time_of), 0, false};
}

// Where a generator says its watermarks. Valid during the call it was given to.
class WatermarkOutput {
 public:
  // No record with a time <= watermark follows in this split. One that goes back is dropped.
  void emit(TimestampMs watermark) {
    if (!watermark_.has_value() || watermark > *watermark_) watermark_ = watermark;
  }
  std::optional<TimestampMs> Take() { return std::exchange(watermark_, std::nullopt); }

 private:
  std::optional<TimestampMs> watermark_;
};

// Watermarks by a generator of the author's, one per split:
//
//   struct ByMarker {
//     void on_event(const Event& event, TimestampMs time, WatermarkOutput& out);  // at once: punctuated
//     void on_periodic(WatermarkOutput& out);                                     // between polls; optional
//   };
//   stream.watermarks(generated_by<Event>(ByMarker{}, &Event::time).idle_after(30s))
template <class T, class Generator, class TimeOf>
struct GeneratedWatermarks {
  Generator generator;
  TimeOf time_of;
  int64_t idle_after_ms = kDefaultIdleAfterMs;

  GeneratedWatermarks idle_after(std::chrono::milliseconds silence) const {
    GeneratedWatermarks copy = *this;
    copy.idle_after_ms = silence.count();
    return copy;
  }
  GeneratedWatermarks never_idle() const {
    GeneratedWatermarks copy = *this;
    copy.idle_after_ms = kNeverIdle;
    return copy;
  }
  TimestampMs TimeOfRecord(const T& value) const { return static_cast<TimestampMs>(std::invoke(time_of, value)); }
};
template <class T, class Generator, class TimeOf>
GeneratedWatermarks<T, Generator, TimeOf> generated_by(Generator generator, TimeOf time_of) {
  return {std::move(generator), std::move(time_of)};
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TIME_WATERMARK_STRATEGY_H_
