// Window assigners: which windows a record belongs to. Values, made by tumbling(...) and the like.
//
// An assigner has a time domain (kDomain), says whether its windows grow and merge (kMerging), and appends the windows
// of a record of time t to a vector. Check says what is wrong with its sizes, empty when nothing is.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_ASSIGNERS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_ASSIGNERS_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/window/time_window.h"

namespace penstock {

using WindowDuration = std::chrono::milliseconds;

namespace detail {

// The end of the slot of that length, aligned to the epoch plus an offset, that a time lies in.
inline TimestampMs SlotEnd(TimestampMs time, int64_t length_ms, int64_t offset_ms) {
  int64_t into = (time - offset_ms) % length_ms;
  if (into < 0) into += length_ms;
  return time - into + length_ms;
}
inline std::string Ms(int64_t ms) { return std::to_string(ms) + " ms"; }

}  // namespace detail

template <TimeDomain kTime = TimeDomain::kEvent>
struct TumblingWindow {
  static constexpr TimeDomain kDomain = kTime;
  static constexpr bool kMerging = false;
  int64_t size_ms = 0;
  int64_t offset_ms = 0;

  // The same windows in processing time.
  TumblingWindow<TimeDomain::kProcessing> processing_time() const { return {size_ms, offset_ms}; }

  TimestampMs EndOf(TimestampMs time) const { return detail::SlotEnd(time, size_ms, offset_ms); }
  // Of the longest stretch of time that lies in the same windows.
  TimestampMs SliceEndOf(TimestampMs time) const { return EndOf(time); }
  template <class T>
  void Assign(const T&, TimestampMs time, std::vector<TimeWindow>& windows) const {
    const TimestampMs end = EndOf(time);
    windows.push_back({end - size_ms, end});
  }
  std::string Check() const {
    return size_ms > 0 ? "" : "a window's size must be above 0 ms, it is " + detail::Ms(size_ms);
  }
  std::string Describe() const { return "tumbling(" + detail::Ms(size_ms) + ") " + TimeDomainName(kDomain); }
};

template <TimeDomain kTime = TimeDomain::kEvent>
struct SlidingWindow {
  static constexpr TimeDomain kDomain = kTime;
  static constexpr bool kMerging = false;
  int64_t size_ms = 0;
  int64_t slide_ms = 0;
  int64_t offset_ms = 0;

  SlidingWindow<TimeDomain::kProcessing> processing_time() const { return {size_ms, slide_ms, offset_ms}; }

  int64_t slice_ms() const { return std::gcd(size_ms, slide_ms); }
  // Of the longest stretch of time that lies in the same windows.
  TimestampMs SliceEndOf(TimestampMs time) const { return detail::SlotEnd(time, slice_ms(), offset_ms % slice_ms()); }
  // The first window that ends after `time`.
  TimestampMs FirstEndAfter(TimestampMs time) const {
    return detail::SlotEnd(time, slide_ms, (offset_ms + size_ms) % slide_ms);
  }
  template <class T>
  void Assign(const T&, TimestampMs time, std::vector<TimeWindow>& windows) const {
    for (TimestampMs end = FirstEndAfter(time); end - size_ms <= time; end += slide_ms) {
      windows.push_back({end - size_ms, end});
    }
  }
  std::string Check() const {
    if (size_ms <= 0 || slide_ms <= 0) {
      return "a window's size and slide must be above 0 ms, they are " + detail::Ms(size_ms) + " and " +
             detail::Ms(slide_ms);
    }
    if (slide_ms <= size_ms) return "";
    return "a window's slide must not be above its size, or records between two windows would be lost: size " +
           detail::Ms(size_ms) + ", slide " + detail::Ms(slide_ms);
  }
  std::string Describe() const {
    return "sliding(" + detail::Ms(size_ms) + ", " + detail::Ms(slide_ms) + ") " + TimeDomainName(kDomain);
  }
};

// Windows that grow while records come at most a gap apart. A record's own window is [time, time + gap); windows that
// overlap or touch are one.
template <TimeDomain kTime = TimeDomain::kEvent>
struct SessionWindow {
  static constexpr TimeDomain kDomain = kTime;
  static constexpr bool kMerging = true;
  int64_t gap_ms = 0;

  SessionWindow<TimeDomain::kProcessing> processing_time() const { return {gap_ms}; }

  template <class T>
  void Assign(const T&, TimestampMs time, std::vector<TimeWindow>& windows) const {
    windows.push_back({time, time + gap_ms});
  }
  std::string Check() const {
    return gap_ms > 0 ? "" : "a session's gap must be above 0 ms, it is " + detail::Ms(gap_ms);
  }
  std::string Describe() const { return "session(" + detail::Ms(gap_ms) + ") " + TimeDomainName(kDomain); }
};

// Sessions whose gap each record says itself: gap_of(const T&) → duration. A gap below 1 ms counts as 1 ms.
template <class GapOf, TimeDomain kTime = TimeDomain::kEvent>
struct DynamicSessionWindow {
  static constexpr TimeDomain kDomain = kTime;
  static constexpr bool kMerging = true;
  GapOf gap_of;

  DynamicSessionWindow<GapOf, TimeDomain::kProcessing> processing_time() const { return {gap_of}; }

  template <class T>
  void Assign(const T& value, TimestampMs time, std::vector<TimeWindow>& windows) const {
    const WindowDuration gap = std::chrono::duration_cast<WindowDuration>(std::invoke(gap_of, value));
    windows.push_back({time, time + std::max<int64_t>(gap.count(), 1)});
  }
  std::string Check() const { return ""; }
  std::string Describe() const { return std::string("session(by record) ") + TimeDomainName(kDomain); }
};

// One window of all time: it fires by its trigger alone.
struct GlobalWindow {
  static constexpr TimeDomain kDomain = TimeDomain::kProcessing;
  static constexpr bool kMerging = false;
  template <class T>
  void Assign(const T&, TimestampMs, std::vector<TimeWindow>& windows) const {
    windows.push_back(TimeWindow::Global());
  }
  std::string Check() const { return ""; }
  std::string Describe() const { return "global"; }
};

// Windows of so many records; with a slide, of the last so many at every slide-th record.
struct CountWindow {
  int64_t size = 0;
  int64_t slide = 0;  // 0: windows do not overlap

  std::string Check() const {
    if (size > 0 && slide >= 0 && slide <= size) return "";
    return "a count window's size must be above 0 and its slide from 1 to its size, they are " + std::to_string(size) +
           " and " + std::to_string(slide);
  }
};

// Of this length in event time, aligned to the epoch plus an offset; .processing_time() for the other.
inline TumblingWindow<> tumbling(WindowDuration size, WindowDuration offset = {}) {
  return {size.count(), offset.count()};
}
// Of this length, a new one every `slide`.
inline SlidingWindow<> sliding(WindowDuration size, WindowDuration slide, WindowDuration offset = {}) {
  return {size.count(), slide.count(), offset.count()};
}
inline SessionWindow<> session(WindowDuration gap) { return {gap.count()}; }
// gap_of(const T&) → duration.
template <class GapOf>
requires(!std::is_convertible_v<GapOf, WindowDuration>) DynamicSessionWindow<GapOf> session(GapOf gap_of) {
  return {std::move(gap_of)};
}
inline GlobalWindow global() { return {}; }

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_ASSIGNERS_H_
