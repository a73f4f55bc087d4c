// Complex event processing: patterns of events of one key (docs/cep.md).
//
//   const auto guessing = Pattern<Login>::begin("failed", [](const Login& l) { return !l.ok; }).times(3).consecutive()
//                             .next("in", &Login::ok)
//                             .within(1min);
//   logins.key_by(&Login::user).match(guessing).select<Alert>("guessed", [](const Match<Login>& m) { ... })
#ifndef PENSTOCK_CEP_H_
#define PENSTOCK_CEP_H_

#include <penstock/stream.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/cep/cep_function.h"

namespace penstock {

// What a match makes void (no overlapping alerts): see docs/cep.md.
struct AfterMatch {
  static AfterMatch no_skip() { return {cep::Skip::kNone, ""}; }
  static AfterMatch skip_to_next() { return {cep::Skip::kToNext, ""}; }
  static AfterMatch skip_past_last_event() { return {cep::Skip::kPastLast, ""}; }
  static AfterMatch skip_to_first(std::string stage) { return {cep::Skip::kToFirst, std::move(stage)}; }
  static AfterMatch skip_to_last(std::string stage) { return {cep::Skip::kToLast, std::move(stage)}; }

  cep::Skip skip = cep::Skip::kNone;
  std::string stage;
};

// A value type. Conditions: bool(const T&), a member pointer, or bool(const T&, const Match<T>&), which sees what the
// partial match has taken so far. They are copied into the job and must depend on nothing else. What makes no sense is
// said when the job's graph is built.
template <class T>
class Pattern {
 public:
  template <class Fn>
  static Pattern begin(std::string stage, Fn condition) {
    Pattern pattern;
    pattern.Add(std::move(stage), cep::Contiguity::kAny, false, std::move(condition));
    return pattern;
  }

  // ---- the next stage ----
  // Its event comes right behind the one before it.
  template <class Fn>
  Pattern& next(std::string stage, Fn condition) {
    return Add(std::move(stage), cep::Contiguity::kStrict, false, std::move(condition));
  }
  // Events that the stage would not take may lie between.
  template <class Fn>
  Pattern& followed_by(std::string stage, Fn condition) {
    return Add(std::move(stage), cep::Contiguity::kRelaxed, false, std::move(condition));
  }
  // Any events may: one match for each that it could take.
  template <class Fn>
  Pattern& followed_by_any(std::string stage, Fn condition) {
    return Add(std::move(stage), cep::Contiguity::kAny, false, std::move(condition));
  }
  // The event right behind is not such a one.
  template <class Fn>
  Pattern& not_next(std::string stage, Fn condition) {
    return Add(std::move(stage), cep::Contiguity::kStrict, true, std::move(condition));
  }
  // No such event comes until the next stage takes one, that event included; at the end of a pattern: until its time is
  // over.
  template <class Fn>
  Pattern& not_followed_by(std::string stage, Fn condition) {
    return Add(std::move(stage), cep::Contiguity::kRelaxed, true, std::move(condition));
  }

  // ---- how often the stage occurs that was named last ----
  Pattern& times(int count) { return times(count, count); }
  Pattern& times(int from, int to) {
    Last().times_min = from;
    Last().times_max = to;
    return *this;
  }
  Pattern& times_or_more(int count) { return times(count, cep::kUnbounded); }
  Pattern& one_or_more() { return times_or_more(1); }
  Pattern& optional() {
    Last().optional = true;
    return *this;
  }
  // Takes all it can: what it could take goes to no later stage.
  Pattern& greedy() {
    Last().greedy = true;
    return *this;
  }
  // Between the stage's own events: nothing; anything; unless said, what it would not take.
  Pattern& consecutive() {
    Last().inner = cep::Contiguity::kStrict;
    return *this;
  }
  Pattern& allow_combinations() {
    Last().inner = cep::Contiguity::kAny;
    return *this;
  }
  // It takes no event for which this holds, and none behind it.
  template <class Fn>
  Pattern& until(Fn condition) {
    Last().has_until = true;
    conditions_.until.back() = Condition(std::move(condition));
    return *this;
  }

  // ---- the whole pattern ----
  // The last event comes less than that behind the first one.
  Pattern& within(std::chrono::milliseconds time) {
    spec_.within_ms = time.count() > 0 ? time.count() : -1;
    return *this;
  }
  Pattern& after_match(AfterMatch after) {
    spec_.skip = after.skip;
    spec_.skip_to = std::move(after.stage);
    return *this;
  }
  // More for one key fail the job.
  Pattern& limit_partial_matches(int64_t limit) {
    spec_.partial_matches_max = limit;
    return *this;
  }

  const cep::PatternSpec& spec() const { return spec_; }
  const cep::UserConditions<T>& conditions() const { return conditions_; }

 private:
  using Test = typename cep::UserConditions<T>::Condition;

  template <class Fn>
  static constexpr bool kSimple = std::is_invocable_r_v<bool, Fn&, const T&>;

  template <class Fn>
  static Test Condition(Fn condition) {
    if constexpr (kSimple<Fn>) {
      return [condition = std::move(condition)](const T& event, const Match<T>&) -> bool {
        return std::invoke(condition, event);
      };
    } else {
      static_assert(std::is_invocable_r_v<bool, Fn&, const T&, const Match<T>&>,
                    "penstock: a condition takes (const T&), or (const T&, const Match<T>&), and returns bool");
      return condition;
    }
  }
  template <class Fn>
  Pattern& Add(std::string name, cep::Contiguity entry, bool negated, Fn condition) {
    spec_.stages.push_back({.name = std::move(name), .entry = entry, .negated = negated, .simple = kSimple<Fn>});
    conditions_.holds.push_back(Condition(std::move(condition)));
    conditions_.until.emplace_back();
    return *this;
  }
  cep::Stage& Last() { return spec_.stages.back(); }

  cep::PatternSpec spec_;
  cep::UserConditions<T> conditions_;
};

// A keyed stream and a pattern. By event time unless said otherwise. Late events are the side output "late" of what
// select returns.
template <class K, class T, class KeyOf>
class PatternStream {
 public:
  PatternStream(KeyedStream<K, T, KeyOf> stream, Pattern<T> pattern)
      : stream_(std::move(stream)), pattern_(std::move(pattern)) {}

  PatternStream in_processing_time() const {
    PatternStream other = *this;
    other.event_time_ = false;
    return other;
  }

  // For each match: fn(const Match<T>&) → Out, or fn(const Match<T>&, Collector<Out>&), with a KeyedContext<K>& before
  // the collector if wanted.
  template <class Out, class Fn>
  DataStream<Out> select(std::string uid, Fn fn) const {
    return Run<Out>(std::move(uid), std::move(fn), cep::NoTimedOutOutput());
  }
  // And for each partial match that has run out of time: timed_out(const Match<T>&) → TimedOut, the side output
  // "timed_out".
  template <class Out, class TimedOut, class Fn, class TimedOutFn>
  DataStream<Out> select(std::string uid, Fn fn, TimedOutFn timed_out) const {
    return Run<Out>(std::move(uid), std::move(fn), cep::TimedOutOutput<T, TimedOut, TimedOutFn>(std::move(timed_out)));
  }

 private:
  template <class Out, class Fn, class TimedOut>
  DataStream<Out> Run(std::string uid, Fn fn, TimedOut timed_out) const {
    cep::PatternSpec spec = pattern_.spec();
    if (const std::string errors = spec.Check(); !errors.empty()) {
      stream_.environment().AddError("pattern '" + uid + "': " + errors);
      spec = {.stages = {{.name = "none"}}};  // the job is refused
    }
    DataStream<Out> matches = stream_.template process<Out>(
        std::move(uid),
        CepFunction<T, K, Out, Fn, TimedOut>(std::make_shared<const cep::Nfa>(spec),
                                             std::make_shared<const cep::UserConditions<T>>(pattern_.conditions()),
                                             event_time_, std::move(fn), std::move(timed_out)));
    stream_.environment().graph().nodes[matches.upstreams().front().node].description = spec.Describe();
    return matches;
  }

  KeyedStream<K, T, KeyOf> stream_;
  Pattern<T> pattern_;
  bool event_time_ = true;
};

template <class K, class T, class KeyOf>
PatternStream<K, T, KeyOf> KeyedStream<K, T, KeyOf>::match(Pattern<T> pattern) const {
  return PatternStream<K, T, KeyOf>(*this, std::move(pattern));
}

}  // namespace penstock

#endif  // PENSTOCK_CEP_H_
