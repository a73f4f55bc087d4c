// A window of time, and what comes out of one. Values.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_TIME_WINDOW_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_TIME_WINDOW_H_

#include <compare>
#include <string>
#include <utility>

#include "runtime/record/time.h"

namespace penstock {

// [start, end), in epoch milliseconds of event or processing time.
struct TimeWindow {
  TimestampMs start = 0;
  TimestampMs end = 0;

  // Of all time: the window of global() and of count windows. It has no end.
  static TimeWindow Global() { return {kNoTimestamp, kMaxWatermark}; }
  bool global() const { return end == kMaxWatermark; }
  TimestampMs last() const { return end - 1; }  // its last millisecond
  auto operator<=>(const TimeWindow&) const = default;
};

// What event time and processing time have in common: where a window goes by.
enum class TimeDomain { kEvent, kProcessing };
inline const char* TimeDomainName(TimeDomain domain) {
  return domain == TimeDomain::kEvent ? "event time" : "processing time";
}

// The key of a stream that has none: all records are in one place.
struct NoKey {
  bool operator==(const NoKey&) const = default;
  std::strong_ordering operator<=>(const NoKey&) const = default;
  uint8_t unused = 0;
};
struct ToNoKey {
  template <class T>
  NoKey operator()(const T&) const {
    return {};
  }
};

// What comes out of a keyed window. start and end of a global window are the ends of time.
template <class K, class V>
struct WindowResult {
  K key;
  TimestampMs start = 0;
  TimestampMs end = 0;  // excluded
  V value;
};
// What comes out of a window over the whole stream.
template <class V>
struct WindowResult<NoKey, V> {
  TimestampMs start = 0;
  TimestampMs end = 0;  // excluded
  V value;
};

template <class K, class V>
WindowResult<K, V> MakeWindowResult(const K& key, const TimeWindow& window, V value) {
  if constexpr (std::is_same_v<K, NoKey>) {
    return {window.start, window.end, std::move(value)};
  } else {
    return {key, window.start, window.end, std::move(value)};
  }
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_TIME_WINDOW_H_
