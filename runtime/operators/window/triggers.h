// Triggers: when a window fires. Values; a trigger keeps what it knows about one window in its State.
//
//   struct EveryThird {
//     struct State { int64_t records = 0; bool operator==(const State&) const = default; };   // optional
//     template <class T>
//     TriggerAction on_element(const T&, const TimeWindow&, State&, TriggerContext&);
//     TriggerAction on_event_time(TimestampMs, const TimeWindow&, State&, TriggerContext&);        // optional
//     TriggerAction on_processing_time(TimestampMs, const TimeWindow&, State&, TriggerContext&);   // optional
//     void on_merge(State& into, const State& from);                                               // for sessions
//     static constexpr bool kFiresAtEnd = true;                                                    // optional
//   };
//
// kFiresAtEnd: the window fires, too, when its own time reaches its end, and for each record that comes after it
// (allowed lateness). State is kept in checkpoints. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_TRIGGERS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_TRIGGERS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/operators/window/assigners.h"

namespace penstock {

enum class TriggerAction { kContinue, kFire, kPurge, kFireAndPurge };
inline constexpr bool Fires(TriggerAction action) {
  return action == TriggerAction::kFire || action == TriggerAction::kFireAndPurge;
}
inline constexpr bool Purges(TriggerAction action) {
  return action == TriggerAction::kPurge || action == TriggerAction::kFireAndPurge;
}

// What a trigger sees of time, and its timers for the window at hand. Valid during the call it was given to.
class TriggerContext {
 public:
  TimestampMs timestamp() const { return timestamp_; }  // of the record at hand, or of the timer
  TimestampMs watermark() const { return watermark_; }
  TimestampMs processing_time() const { return clock_->NowMs(); }
  void register_event_time_timer(TimestampMs time) { Insert(*event_timers_, time); }
  void delete_event_time_timer(TimestampMs time) { std::erase(*event_timers_, time); }
  void register_processing_time_timer(TimestampMs time) { Insert(*processing_timers_, time); }
  void delete_processing_time_timer(TimestampMs time) { std::erase(*processing_timers_, time); }

  explicit TriggerContext(const Clock* clock = nullptr) : clock_(clock) {}
  void set_time(TimestampMs timestamp, TimestampMs watermark) {
    timestamp_ = timestamp;
    watermark_ = watermark;
  }
  void set_timers(std::vector<TimestampMs>* event_timers, std::vector<TimestampMs>* processing_timers) {
    event_timers_ = event_timers;
    processing_timers_ = processing_timers;
  }
  // Timers are in order, each once.
  static void Insert(std::vector<TimestampMs>& timers, TimestampMs time) {
    const auto at = std::lower_bound(timers.begin(), timers.end(), time);
    if (at == timers.end() || *at != time) timers.insert(at, time);
  }

 private:
  TimestampMs timestamp_ = kNoTimestamp;
  TimestampMs watermark_ = kNoTimestamp;
  const Clock* clock_;
  std::vector<TimestampMs>* event_timers_ = nullptr;
  std::vector<TimestampMs>* processing_timers_ = nullptr;
};

// The State of a trigger that has none.
struct NoTriggerState {
  bool operator==(const NoTriggerState&) const = default;
  uint8_t unused = 0;
};

namespace detail {

template <class Trigger>
struct TriggerStateOf {
  using Type = NoTriggerState;
};
template <class Trigger>
requires requires { typename Trigger::State; }
struct TriggerStateOf<Trigger> {
  using Type = typename Trigger::State;
};
template <class Trigger>
using TriggerState = typename TriggerStateOf<Trigger>::Type;

template <class Trigger>
constexpr bool TriggerFiresAtEnd() {
  if constexpr (requires { Trigger::kFiresAtEnd; }) return Trigger::kFiresAtEnd;
  return false;
}
// Sessions merge: a trigger that keeps something of a window must say what becomes of it.
template <class Trigger>
constexpr bool TriggerMerges() {
  using State = TriggerState<Trigger>;
  return std::is_same_v<State, NoTriggerState> || requires(Trigger & trigger, State & into, const State& from) {
    trigger.on_merge(into, from);
  };
}
inline TriggerAction WithPurge(TriggerAction action) { return Fires(action) ? TriggerAction::kFireAndPurge : action; }

}  // namespace detail

// At the window's end, by the time the window goes by: what windows have when nothing is said.
struct EndTrigger {
  static constexpr bool kFiresAtEnd = true;
  template <class T>
  TriggerAction on_element(const T&, const TimeWindow&, NoTriggerState&, TriggerContext&) {
    return TriggerAction::kContinue;
  }
};

// Never: for global windows that are given no trigger.
struct NeverTrigger {
  template <class T>
  TriggerAction on_element(const T&, const TimeWindow&, NoTriggerState&, TriggerContext&) {
    return TriggerAction::kContinue;
  }
};

// At each count-th record.
struct CountTrigger {
  struct State {
    int64_t records = 0;
    bool operator==(const State&) const = default;
  };
  int64_t count = 1;
  std::string Check() const {
    return count > 0 ? "" : "a count trigger needs a count above 0, it has " + std::to_string(count);
  }
  template <class T>
  TriggerAction on_element(const T&, const TimeWindow&, State& state, TriggerContext&) {
    if (++state.records < count) return TriggerAction::kContinue;
    state.records = 0;
    return TriggerAction::kFire;
  }
  void on_merge(State& into, const State& from) { into.records += from.records; }
};

// Every `interval` of event or processing time (at its multiples) while the window has records, and at its end.
template <TimeDomain kDomain>
struct ContinuousTrigger {
  static constexpr bool kFiresAtEnd = true;
  struct State {
    TimestampMs next = 0;  // 0: none is set
    bool operator==(const State&) const = default;
  };
  int64_t interval_ms = 1;

  std::string Check() const {
    return interval_ms > 0 ? ""
                           : "a continuous trigger needs an interval above 0 ms, it has " + detail::Ms(interval_ms);
  }
  template <class T>
  TriggerAction on_element(const T&, const TimeWindow& window, State& state, TriggerContext& context) {
    if (state.next == 0) Set(Now(context), window, state, context);
    return TriggerAction::kContinue;
  }
  TriggerAction on_event_time(TimestampMs time, const TimeWindow& window, State& state, TriggerContext& context) {
    return kDomain == TimeDomain::kEvent ? OnTime(time, window, state, context) : TriggerAction::kContinue;
  }
  TriggerAction on_processing_time(TimestampMs time, const TimeWindow& window, State& state, TriggerContext& context) {
    return kDomain == TimeDomain::kProcessing ? OnTime(time, window, state, context) : TriggerAction::kContinue;
  }
  void on_merge(State& into, const State& from) {
    if (into.next == 0 || (from.next != 0 && from.next < into.next)) into.next = from.next;
  }

 private:
  static TimestampMs Now(const TriggerContext& context) {
    return kDomain == TimeDomain::kEvent ? context.timestamp() : context.processing_time();
  }
  TriggerAction OnTime(TimestampMs time, const TimeWindow& window, State& state, TriggerContext& context) {
    if (time != state.next) return TriggerAction::kContinue;
    Set(time, window, state, context);
    return TriggerAction::kFire;
  }
  void Set(TimestampMs now, const TimeWindow& window, State& state, TriggerContext& context) {
    state.next = detail::SlotEnd(now, interval_ms, 0);
    if constexpr (kDomain == TimeDomain::kEvent) {
      if (state.next < window.last()) context.register_event_time_timer(state.next);
    } else {
      context.register_processing_time_timer(state.next);
    }
  }
};

// When a record differs by more than `threshold` from the one at which the window last fired (or from its first).
// delta(const T& old, const T& now) → double.
template <class T, class Delta>
struct DeltaTrigger {
  struct State {
    std::optional<T> last;
  };
  double threshold = 0;
  Delta delta;
  TriggerAction on_element(const T& value, const TimeWindow&, State& state, TriggerContext&) {
    if (!state.last.has_value()) {
      state.last = value;
      return TriggerAction::kContinue;
    }
    if (std::invoke(delta, *state.last, value) <= threshold) return TriggerAction::kContinue;
    state.last = value;
    return TriggerAction::kFire;
  }
};

// As another trigger says, and the window's contents go when it fires.
template <class Trigger>
struct PurgingTrigger {
  static constexpr bool kFiresAtEnd = detail::TriggerFiresAtEnd<Trigger>();
  static constexpr bool kPurgesAtEnd = true;
  using State = detail::TriggerState<Trigger>;
  Trigger trigger;

  std::string Check() const {
    if constexpr (requires { trigger.Check(); }) return trigger.Check();
    return "";
  }
  template <class T>
  TriggerAction on_element(const T& value, const TimeWindow& window, State& state, TriggerContext& context) {
    return detail::WithPurge(trigger.on_element(value, window, state, context));
  }
  TriggerAction on_event_time(TimestampMs time, const TimeWindow& window, State& state,
                              TriggerContext& context) requires requires {
    trigger.on_event_time(time, window, state, context);
  }
  { return detail::WithPurge(trigger.on_event_time(time, window, state, context)); }
  TriggerAction on_processing_time(TimestampMs time, const TimeWindow& window, State& state,
                                   TriggerContext& context) requires requires {
    trigger.on_processing_time(time, window, state, context);
  }
  { return detail::WithPurge(trigger.on_processing_time(time, window, state, context)); }
  void on_merge(State& into, const State& from) requires(!std::is_same_v<State, NoTriggerState>) {
    trigger.on_merge(into, from);
  }
};

inline CountTrigger every_records(int64_t count) { return {count}; }
inline ContinuousTrigger<TimeDomain::kEvent> every_event_time(WindowDuration interval) { return {interval.count()}; }
inline ContinuousTrigger<TimeDomain::kProcessing> every_processing_time(WindowDuration interval) {
  return {interval.count()};
}
template <class T, class Delta>
DeltaTrigger<T, Delta> when_delta_above(double threshold, Delta delta) {
  return {threshold, std::move(delta)};
}
template <class Trigger>
PurgingTrigger<Trigger> purging(Trigger trigger) {
  return {std::move(trigger)};
}
inline EndTrigger at_end() { return {}; }

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_TRIGGERS_H_
