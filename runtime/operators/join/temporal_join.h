// Temporal join: each element of the first stream with the version of its key in the second stream that was valid at
// its time: the newest whose time is not above the element's.
//
// An element waits until the watermark has reached its time, so that the version is known; of versions older than the
// watermark only the newest is kept. Late elements are counted, and a side output; a late version counts for what still
// waits. Runs as a function of two keyed streams. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_JOIN_TEMPORAL_JOIN_H_
#define PENSTOCK_RUNTIME_OPERATORS_JOIN_TEMPORAL_JOIN_H_

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "runtime/operators/join/interval_join.h"

namespace penstock {

// Fn: fn(const T&, const Version*, Collector<Out>&); null where there was no version yet.
template <class T, class Version, class K, class Out, class Fn>
struct TemporalJoinFunction {
  static_assert(!kIsView<T> && !kIsView<Version>,
                "penstock: a join keeps what it joins: map views to std::string before it");
  explicit TemporalJoinFunction(Fn fn) : fn(std::move(fn)) {}

  Fn fn;
  MapState<TimestampMs, std::vector<T>> waiting{"waiting"};
  MapState<TimestampMs, Version> versions{"versions"};
  SideOutput<T> late_first{kLateFirstName};

  void open(Context& context) {
    if constexpr (requires { fn.open(context); }) fn.open(context);
  }
  void close() {
    if constexpr (requires { fn.close(); }) fn.close();
  }

  void process1(const T& value, KeyedContext<K>& context, Collector<Out>&) {
    const TimestampMs time = TimeOf(context);
    if (time <= context.watermark()) return context.count_late(), late_first.emit(value);
    std::vector<T>& values = waiting.mutable_value(time);
    values.push_back(value);
    if (values.size() == 1) context.register_event_time_timer(time);
  }
  void process2(const Version& version, KeyedContext<K>& context, Collector<Out>&) {
    const TimestampMs time = TimeOf(context);
    versions.put(time, version);
    DropBefore(context.watermark());
  }
  void on_timer(TimestampMs time, KeyedContext<K>&, Collector<Out>& out) {
    const std::optional<TimestampMs> valid = versions.last_key_up_to(time);
    const std::optional<Version> version = valid.has_value() ? versions.get(*valid) : std::nullopt;
    out.set_timestamp(time);
    const std::optional<std::vector<T>> values = waiting.get(time);
    if (values.has_value()) {
      for (const T& value : *values) std::invoke(fn, value, version.has_value() ? &*version : nullptr, out);
    }
    waiting.remove(time);
    DropBefore(time);
  }

 private:
  static TimestampMs TimeOf(const KeyedContext<K>& context) {
    if (context.timestamp() == kNoTimestamp) {
      throw std::logic_error("a record without a timestamp came to a join by time: put .watermarks(...) before key_by");
    }
    return context.timestamp();
  }
  // Versions that another one has replaced by then, and that nothing that waits can ask for.
  void DropBefore(TimestampMs time) {
    const std::optional<TimestampMs> oldest = waiting.first_key();
    if (oldest.has_value()) time = std::min(time, *oldest);
    const std::optional<TimestampMs> valid = versions.last_key_up_to(time);
    if (valid.has_value() && *valid > kNoTimestamp) versions.remove_up_to(*valid - 1);
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_JOIN_TEMPORAL_JOIN_H_
