// Runs a pattern over a keyed stream: brings the events of a key into order, asks the user's conditions, keeps what
// partial matches have taken, and hands matches on. Owner: the task's thread.
//
// By event time an event waits until the watermark has reached its time; what comes behind the watermark is late. By
// processing time an event counts when it comes.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_CEP_FUNCTION_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_CEP_FUNCTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/cep/match.h"
#include "runtime/operators/collector.h"
#include "runtime/operators/keyed_context.h"
#include "runtime/operators/side_output.h"
#include "runtime/state/map_state.h"
#include "runtime/state/value_state.h"

namespace penstock {

inline constexpr char kLateEventsName[] = "late";
inline constexpr char kTimedOutName[] = "timed_out";

namespace cep {

// Why a job cannot go on with a key, or with the state it has found.
[[noreturn]] void ThrowTooMany(const PatternSpec& spec);
[[noreturn]] void ThrowOtherPattern(const PatternSpec& spec);
[[noreturn]] void ThrowNoTimestamp();

template <class T>
struct UserConditions {
  using Condition = std::function<bool(const T&, const Match<T>&)>;
  std::vector<Condition> holds;  // by stage
  std::vector<Condition> until;  // by stage; may be empty
};

// Where partial matches go that have run out of time.
template <class T, class Expired, class ExpiredFn>
struct TimedOutOutput {
  explicit TimedOutOutput(ExpiredFn fn) : fn(std::move(fn)) {}
  void Emit(const Match<T>& match, TimestampMs time) { output.emit(std::invoke(fn, match), time); }
  ExpiredFn fn;
  SideOutput<Expired> output{kTimedOutName};
};
struct NoTimedOutOutput {};

}  // namespace cep

// Fn: fn(const Match<T>&) → Out, or fn(const Match<T>&, Collector<Out>&), or with a KeyedContext<K>& before the
// collector. A match has the time of its last event.
template <class T, class K, class Out, class Fn, class TimedOut = cep::NoTimedOutOutput>
class CepFunction final : cep::KeptEvents<T>, cep::Conditions {
  static_assert(!kIsView<T>, "penstock: a pattern keeps the events it has taken: map views to std::string before it");

 public:
  CepFunction(std::shared_ptr<const cep::Nfa> nfa, std::shared_ptr<const cep::UserConditions<T>> conditions,
              bool event_time, Fn fn, TimedOut timed_out = {})
      : nfa_(std::move(nfa)),
        conditions_(std::move(conditions)),
        event_time_(event_time),
        fn_(std::move(fn)),
        timed_out_(std::move(timed_out)) {}

  void open(Context& context) {
    if constexpr (requires { fn_.open(context); }) fn_.open(context);
  }
  void close() {
    if constexpr (requires { fn_.close(); }) fn_.close();
  }

  void operator()(const T& event, KeyedContext<K>& context, Collector<Out>& out) {
    if (!event_time_) {
      const TimestampMs now = context.processing_time();
      Expire(now, context, out);
      return Advance(event, now, context, out);
    }
    const TimestampMs time = context.timestamp();
    if (time == kNoTimestamp) cep::ThrowNoTimestamp();
    if (time <= context.watermark()) return context.count_late(), late_.emit(event);
    waiting_.mutable_value(time).push_back(event);
    context.register_event_time_timer(time);
  }
  void on_timer(TimestampMs time, KeyedContext<K>& context, Collector<Out>& out) {
    Expire(time, context, out);
    if (!event_time_) return;
    const std::optional<std::vector<T>> events = waiting_.get(time);
    if (!events) return;
    waiting_.remove(time);
    for (const T& event : *events) Advance(event, time, context, out);
  }

 private:
  void Advance(const T& event, TimestampMs time, KeyedContext<K>& context, Collector<Out>& out) {
    at_hand_ = &event;
    cep::Outcome outcome;
    if (matches_.has_value()) {
      nfa_->Advance(State(), time, *this, outcome);
    } else {
      // Most events begin nothing: no state is made for them.
      cep::MatchState begun{.pattern = nfa_->fingerprint()};
      nfa_->Advance(begun, time, *this, outcome);
      if (!begun.partial.empty()) matches_.set(std::move(begun));
    }
    if (outcome.too_many) cep::ThrowTooMany(nfa_->spec());
    at_hand_id_ = outcome.taken.value_or(-1);
    if (outcome.taken && matches_.has_value()) events_.put(*outcome.taken, event);
    if (outcome.taken && nfa_->spec().within_ms > 0) RegisterTimer(time + nfa_->spec().within_ms, context);
    HandOn(outcome, context, out);
    at_hand_ = nullptr;
    at_hand_id_ = -1;
  }
  void Expire(TimestampMs now, KeyedContext<K>& context, Collector<Out>& out) {
    if (nfa_->spec().within_ms == 0 || !matches_.has_value()) return;
    cep::Outcome outcome;
    nfa_->Expire(State(), now, outcome);
    HandOn(outcome, context, out);
  }
  void RegisterTimer(TimestampMs time, KeyedContext<K>& context) {
    event_time_ ? context.register_event_time_timer(time) : context.register_processing_time_timer(time);
  }
  cep::MatchState& State() {
    cep::MatchState& state = matches_.mutable_value();
    if (state.pattern != nfa_->fingerprint()) cep::ThrowOtherPattern(nfa_->spec());
    return state;
  }
  void HandOn(const cep::Outcome& outcome, KeyedContext<K>& context, Collector<Out>& out) {
    for (const cep::Found& found : outcome.matches) {
      const Match<T> match(nfa_->spec(), found.path, *this);
      out.set_timestamp(found.time_ms);
      if constexpr (std::is_invocable_v<Fn&, const Match<T>&, KeyedContext<K>&, Collector<Out>&>) {
        std::invoke(fn_, match, context, out);
      } else if constexpr (std::is_invocable_v<Fn&, const Match<T>&, Collector<Out>&>) {
        std::invoke(fn_, match, out);
      } else {
        out.emit(std::invoke(fn_, match));
      }
    }
    if constexpr (!std::is_same_v<TimedOut, cep::NoTimedOutOutput>) {
      for (const cep::Found& found : outcome.timed_out) {
        timed_out_.Emit(Match<T>(nfa_->spec(), found.path, *this), found.time_ms);
      }
    }
    for (const int64_t id : outcome.released) events_.remove(id);
    if (matches_.has_value() && matches_.value().partial.empty()) matches_.clear();
  }

  T EventOf(int64_t id) const override {
    if (id == at_hand_id_) return *at_hand_;
    std::optional<T> event = events_.get(id);
    if (!event) throw std::logic_error("an event of a match is missing in the state of its key");
    return *std::move(event);
  }
  bool Holds(int stage, const cep::Path& path) override { return Ask(conditions_->holds[stage], path); }
  bool Until(int stage, const cep::Path& path) override { return Ask(conditions_->until[stage], path); }
  bool Ask(const typename cep::UserConditions<T>::Condition& condition, const cep::Path& path) {
    return condition(*at_hand_, Match<T>(nfa_->spec(), path, *this));
  }

  const std::shared_ptr<const cep::Nfa> nfa_;
  const std::shared_ptr<const cep::UserConditions<T>> conditions_;
  const bool event_time_;
  Fn fn_;
  TimedOut timed_out_;
  SideOutput<T> late_{kLateEventsName};
  MapState<TimestampMs, std::vector<T>> waiting_{"waiting"};
  MapState<int64_t, T> events_{"events"};
  ValueState<cep::MatchState> matches_{"matches"};
  const T* at_hand_ = nullptr;
  int64_t at_hand_id_ = -1;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_CEP_FUNCTION_H_
