// Joins of two streams, and what picks elements of one: dedupe and top (docs/joins.md). Included by stream.h.
//
//   orders.key_by(&Order::id).interval_join(payments.key_by(&Payment::order)).between(-5min, 10min)
//       .apply<Paid>("paid", [](const Order&, const Payment&, Collector<Paid>&) { ... })
#ifndef PENSTOCK_JOINS_H_
#define PENSTOCK_JOINS_H_

#include <penstock/connected_streams.h>
#include <penstock/windows.h>

#include <chrono>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/operators/join/interval_join.h"
#include "runtime/operators/join/temporal_join.h"
#include "runtime/operators/join/window_join.h"
#include "runtime/operators/ranking.h"

namespace penstock {

// Pairs of one key with first.time + lower <= second.time <= first.time + upper. Late elements are the side outputs
// "late_first" and "late_second" of the result.
template <class K, class First, class KeyOfFirst, class Second, class KeyOfSecond>
class IntervalJoinedStreams {
 public:
  IntervalJoinedStreams(KeyedStream<K, First, KeyOfFirst> first, KeyedStream<K, Second, KeyOfSecond> second,
                        JoinInterval interval)
      : first_(std::move(first)), second_(std::move(second)), interval_(interval) {}

  // fn(const First&, const Second&, Collector<Out>&), with a KeyedContext<K>& before the collector if wanted.
  template <class Out, class Fn>
  DataStream<Out> apply(std::string uid, Fn fn) const {
    if (std::string error = interval_.Check(); !error.empty()) {
      first_.environment().AddError("join '" + uid + "': " + error);
    }
    return first_.connect(second_).template process<Out>(
        std::move(uid), IntervalJoinFunction<First, Second, K, Out, Fn>(interval_, std::move(fn)));
  }

 private:
  KeyedStream<K, First, KeyOfFirst> first_;
  KeyedStream<K, Second, KeyOfSecond> second_;
  JoinInterval interval_;
};

template <class K, class First, class KeyOfFirst, class Second, class KeyOfSecond>
class IntervalJoin {
 public:
  IntervalJoin(KeyedStream<K, First, KeyOfFirst> first, KeyedStream<K, Second, KeyOfSecond> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  // Both bounds are included.
  IntervalJoinedStreams<K, First, KeyOfFirst, Second, KeyOfSecond> between(std::chrono::milliseconds lower,
                                                                           std::chrono::milliseconds upper) const {
    return {first_, second_, {lower.count(), upper.count()}};
  }

 private:
  KeyedStream<K, First, KeyOfFirst> first_;
  KeyedStream<K, Second, KeyOfSecond> second_;
};

// Elements of both streams by the version of the second that was valid at the time of the first.
template <class K, class T, class KeyOf, class Version, class KeyOfVersion>
class TemporalJoin {
 public:
  TemporalJoin(KeyedStream<K, T, KeyOf> first, KeyedStream<K, Version, KeyOfVersion> versions)
      : first_(std::move(first)), versions_(std::move(versions)) {}

  // fn(const T&, const Version*, Collector<Out>&): null where no version was valid yet.
  template <class Out, class Fn>
  DataStream<Out> apply(std::string uid, Fn fn) const {
    static_assert(std::is_invocable_v<Fn&, const T&, const Version*, Collector<Out>&>,
                  "penstock: the function must take (const T&, const Version*, Collector<Out>&)");
    return first_.connect(versions_).template process<Out>(std::move(uid),
                                                           TemporalJoinFunction<T, Version, K, Out, Fn>(std::move(fn)));
  }

 private:
  KeyedStream<K, T, KeyOf> first_;
  KeyedStream<K, Version, KeyOfVersion> versions_;
};

// The elements of both streams of one key and window. trigger, evictor and allowed_lateness as in windows.h, with
// JoinSide<First, Second> as type of element.
template <class First, class Second, class Windowed>
class WindowJoinedStreams;
template <class First, class Second, class K, class KeyOf, class Assigner, class Trigger, class Evictor, bool kLateness>
class WindowJoinedStreams<First, Second,
                          WindowedStream<K, JoinSide<First, Second>, KeyOf, Assigner, Trigger, Evictor, kLateness>> {
  using Windowed = WindowedStream<K, JoinSide<First, Second>, KeyOf, Assigner, Trigger, Evictor, kLateness>;

 public:
  explicit WindowJoinedStreams(Windowed windowed) : windowed_(std::move(windowed)) {}

  template <class Other>
  auto trigger(Other trigger) const {
    return Make(windowed_.trigger(std::move(trigger)));
  }
  template <class Other>
  auto evictor(Other evictor) const {
    return Make(windowed_.evictor(std::move(evictor)));
  }
  auto allowed_lateness(WindowDuration lateness) const { return Make(windowed_.allowed_lateness(lateness)); }

  // For each pair: fn(const First&, const Second&) → Out, or fn(const First&, const Second&, Collector<Out>&).
  template <class Out, class Fn>
  DataStream<Out> apply(std::string uid, Fn fn) const {
    return co_group<Out>(std::move(uid), JoinPairs<First, Second, K, Out, Fn>{std::move(fn)});
  }
  // Once per key and window: fn(const std::vector<First>&, const std::vector<Second>&, WindowContext<K>&,
  // Collector<Out>&). Either may be empty, so that outer joins can be written.
  template <class Out, class Fn>
  DataStream<Out> co_group(std::string uid, Fn fn) const {
    return windowed_.template process<Out>(std::move(uid), CoGroupWindow<First, Second, K, Out, Fn>{std::move(fn)});
  }

 private:
  template <class Other>
  static auto Make(Other windowed) {
    return WindowJoinedStreams<First, Second, Other>(std::move(windowed));
  }
  Windowed windowed_;
};

template <class K, class First, class KeyOfFirst, class Second, class KeyOfSecond>
class JoinedStreams {
 public:
  JoinedStreams(KeyedStream<K, First, KeyOfFirst> first, KeyedStream<K, Second, KeyOfSecond> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  template <class Assigner>
  auto window(Assigner assigner) const {
    using Side = JoinSide<First, Second>;
    Environment& env = first_.environment();
    DataStream<Side> firsts = DataStream<First>(env, Plain(first_.upstreams())).map([](const First& first) {
      return Side{.first = first, .second = std::nullopt};
    });
    DataStream<Side> seconds = DataStream<Second>(env, Plain(second_.upstreams())).map([](const Second& second) {
      return Side{.first = std::nullopt, .second = second};
    });
    auto windowed = firsts.union_with(seconds)
                        .key_by(JoinSideKey<First, Second, KeyOfFirst, KeyOfSecond>{first_.key_of(), second_.key_of()})
                        .window(std::move(assigner));
    return WindowJoinedStreams<First, Second, decltype(windowed)>(std::move(windowed));
  }

 private:
  // As before key_by: it comes behind the union.
  template <class T>
  static std::vector<detail::Upstream<T>> Plain(const std::vector<detail::Upstream<T>>& from) {
    std::vector<detail::Upstream<T>> plain;
    for (const detail::Upstream<T>& up : from) plain.push_back({up.node, up.output});
    return plain;
  }

  KeyedStream<K, First, KeyOfFirst> first_;
  KeyedStream<K, Second, KeyOfSecond> second_;
};

template <class K, class T, class KeyOf>
template <class U, class KeyOfU>
auto KeyedStream<K, T, KeyOf>::interval_join(const KeyedStream<K, U, KeyOfU>& other) const {
  return IntervalJoin<K, T, KeyOf, U, KeyOfU>(*this, other);
}
template <class K, class T, class KeyOf>
template <class U, class KeyOfU>
auto KeyedStream<K, T, KeyOf>::temporal_join(const KeyedStream<K, U, KeyOfU>& versions) const {
  return TemporalJoin<K, T, KeyOf, U, KeyOfU>(*this, versions);
}
template <class K, class T, class KeyOf>
template <class U, class KeyOfU>
auto KeyedStream<K, T, KeyOf>::join(const KeyedStream<K, U, KeyOfU>& other) const {
  return JoinedStreams<K, T, KeyOf, U, KeyOfU>(*this, other);
}
template <class K, class T, class KeyOf>
DataStream<T> KeyedStream<K, T, KeyOf>::dedupe(std::string uid, Ttl ttl) const {
  return process<T>(std::move(uid), FirstOfKey<T, K>(ttl));
}
template <class K, class T, class KeyOf>
template <class Better>
DataStream<Ranked<K, T>> KeyedStream<K, T, KeyOf>::top(std::string uid, int64_t n, Better better, Ttl ttl) const {
  if (n <= 0) env_->AddError("top '" + uid + "': needs a number above 0, it has " + std::to_string(n));
  return process<Ranked<K, T>>(std::move(uid), TopOfKey<T, K, Better>(n, std::move(better), ttl));
}

}  // namespace penstock

#endif  // PENSTOCK_JOINS_H_
