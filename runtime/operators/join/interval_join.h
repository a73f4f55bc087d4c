// Interval join: pairs of elements of one key whose times are near each other:
// first.time + lower <= second.time <= first.time + upper.
//
// Runs as a function of two keyed streams. Elements wait in a map by time until nothing can meet them any more; a key
// has at most one timer. What comes behind the watermark is late: counted, and a side output. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_JOIN_INTERVAL_JOIN_H_
#define PENSTOCK_RUNTIME_OPERATORS_JOIN_INTERVAL_JOIN_H_

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/operators/collector.h"
#include "runtime/operators/keyed_context.h"
#include "runtime/operators/side_output.h"
#include "runtime/state/map_state.h"
#include "runtime/state/value_state.h"

namespace penstock {

inline constexpr char kLateFirstName[] = "late_first";
inline constexpr char kLateSecondName[] = "late_second";

struct JoinInterval {
  int64_t lower_ms = 0;
  int64_t upper_ms = 0;

  std::string Check() const {
    if (lower_ms <= upper_ms) return "";
    return "an interval's lower bound must not be above its upper one, they are " + std::to_string(lower_ms) +
           " ms and " + std::to_string(upper_ms) + " ms";
  }
};

// Fn: fn(const First&, const Second&, Collector<Out>&), or fn(const First&, const Second&, KeyedContext<K>&,
// Collector<Out>&). A pair has the later of its two times.
template <class First, class Second, class K, class Out, class Fn>
struct IntervalJoinFunction {
  static_assert(!kIsView<First> && !kIsView<Second>,
                "penstock: a join keeps what it joins: map views to std::string before it");
  IntervalJoinFunction(JoinInterval interval, Fn fn) : interval(interval), fn(std::move(fn)) {}

  const JoinInterval interval;
  Fn fn;
  MapState<TimestampMs, std::vector<First>> firsts{"firsts"};
  MapState<TimestampMs, std::vector<Second>> seconds{"seconds"};
  ValueState<TimestampMs> cleanup_at{"cleanup_at"};
  SideOutput<First> late_first{kLateFirstName};
  SideOutput<Second> late_second{kLateSecondName};

  void open(Context& context) {
    if constexpr (requires { fn.open(context); }) fn.open(context);
  }
  void close() {
    if constexpr (requires { fn.close(); }) fn.close();
  }

  void process1(const First& first, KeyedContext<K>& context, Collector<Out>& out) {
    const TimestampMs time = TimeOf(context);
    if (time <= context.watermark()) return context.count_late(), late_first.emit(first);
    const TimestampMs gone_at = time + std::max<int64_t>(interval.upper_ms, 0);
    Keep(firsts, time, first, gone_at, context);
    seconds.for_each_between(time + interval.lower_ms, time + interval.upper_ms,
                             [&](TimestampMs other, const std::vector<Second>& found) {
                               for (const Second& second : found) Join(first, second, time, other, context, out);
                             });
  }
  void process2(const Second& second, KeyedContext<K>& context, Collector<Out>& out) {
    const TimestampMs time = TimeOf(context);
    if (time <= context.watermark()) return context.count_late(), late_second.emit(second);
    const TimestampMs gone_at = time + std::max<int64_t>(-interval.lower_ms, 0);
    Keep(seconds, time, second, gone_at, context);
    firsts.for_each_between(time - interval.upper_ms, time - interval.lower_ms,
                            [&](TimestampMs other, const std::vector<First>& found) {
                              for (const First& first : found) Join(first, second, other, time, context, out);
                            });
  }
  void on_timer(TimestampMs time, KeyedContext<K>& context, Collector<Out>&) {
    firsts.remove_up_to(time - std::max<int64_t>(interval.upper_ms, 0));
    seconds.remove_up_to(time - std::max<int64_t>(-interval.lower_ms, 0));
    cleanup_at.clear();
    const std::optional<TimestampMs> first = firsts.first_key();
    const std::optional<TimestampMs> second = seconds.first_key();
    if (first.has_value()) CleanUpAt(*first + std::max<int64_t>(interval.upper_ms, 0), context);
    if (second.has_value()) CleanUpAt(*second + std::max<int64_t>(-interval.lower_ms, 0), context);
  }

 private:
  static TimestampMs TimeOf(const KeyedContext<K>& context) {
    if (context.timestamp() == kNoTimestamp) {
      throw std::logic_error("a record without a timestamp came to a join by time: put .watermarks(...) before key_by");
    }
    return context.timestamp();
  }
  template <class T>
  void Keep(MapState<TimestampMs, std::vector<T>>& map, TimestampMs time, const T& value, TimestampMs gone_at,
            KeyedContext<K>& context) {
    map.mutable_value(time).push_back(value);
    CleanUpAt(gone_at, context);
  }
  // Nothing meets an element once the watermark has reached that time.
  void CleanUpAt(TimestampMs time, KeyedContext<K>& context) {
    if (cleanup_at.has_value()) {
      if (cleanup_at.value() <= time) return;
      context.delete_event_time_timer(cleanup_at.value());
    }
    cleanup_at.set(time);
    context.register_event_time_timer(time);
  }
  void Join(const First& first, const Second& second, TimestampMs first_time, TimestampMs second_time,
            KeyedContext<K>& context, Collector<Out>& out) {
    out.set_timestamp(std::max(first_time, second_time));
    if constexpr (std::is_invocable_v<Fn&, const First&, const Second&, KeyedContext<K>&, Collector<Out>&>) {
      std::invoke(fn, first, second, context, out);
    } else {
      std::invoke(fn, first, second, out);
    }
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_JOIN_INTERVAL_JOIN_H_
