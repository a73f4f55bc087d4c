// Windowed streams: what stream.key_by(...).window(...) and stream.window_all(...) give (docs/windows.md).
//
//   clicks.key_by(&Click::user).window(session(30min)).allowed_lateness(1min).aggregate("visits", Count{})
//
// trigger, evictor and allowed_lateness come before the call that says what is kept of a window: reduce, aggregate or
// process. Results go out with the last millisecond of their window as timestamp. Records that come too late are
// counted, and are the result's side output "late". Included by stream.h.
#ifndef PENSTOCK_WINDOWS_H_
#define PENSTOCK_WINDOWS_H_

#include <penstock/stream.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/operators/combine.h"
#include "runtime/operators/window/sliced_window.h"
#include "runtime/operators/window/suppress.h"
#include "runtime/operators/window/triggers.h"
#include "runtime/operators/window/tumbling_window.h"
#include "runtime/operators/window/window_functions.h"
#include "runtime/operators/window/window_operator.h"

namespace penstock {
namespace detail {

template <class Assigner>
struct DefaultTriggerOf {
  using Type = EndTrigger;
};
template <>
struct DefaultTriggerOf<GlobalWindow> {
  using Type = NeverTrigger;
};
template <class Assigner>
inline constexpr bool kIsTumbling = false;
template <TimeDomain kTime>
inline constexpr bool kIsTumbling<TumblingWindow<kTime>> = true;
template <class Assigner>
inline constexpr bool kIsSliding = false;
template <TimeDomain kTime>
inline constexpr bool kIsSliding<SlidingWindow<kTime>> = true;

// Whether records may be aggregated before the shuffle.
template <class Aggregate>
constexpr bool Combines() {
  if constexpr (requires { Aggregate::kCombines; }) return Aggregate::kCombines;
  return MergesAccumulators<Aggregate>;
}

// The per-key and per-window states of a window function, and its side outputs.
template <class T, class Out, class K, class Fn, class Make>
LogicalNode MakeWindowNode(Environment& env, const Fn& fn, Make make) {
  LogicalNode node = MakeFunctionNode<Out>(env, "window", fn, std::move(make));
  AddSideOutput(env, node, *SideSlot<T>::Make(kLateName));
  node.states = StatesOf(fn, Serde<K>::TypeName(), SchemaOf<K>());
  RefuseBroadcastState(env, node);
  return node;
}
template <class K, class V>
StateInfo TableState(const char* name, const char* kind) {
  return {name, kind, Serde<K>::TypeName(), Serde<V>::TypeName(), 0, SchemaOf<K>().Encode(), SchemaOf<V>().Encode()};
}

}  // namespace detail

template <class K, class T, class KeyOf, class Assigner, class Trigger, class Evictor, bool kLateness>
class WindowedStream {
 public:
  struct Settings {
    Assigner assigner;
    Trigger trigger{};
    Evictor evictor{};
    int64_t lateness_ms = 0;
    bool combines = true;
    std::string error;  // in what was asked for
  };
  WindowedStream(KeyedStream<K, T, KeyOf> keyed, Settings settings)
      : keyed_(std::move(keyed)), settings_(std::move(settings)) {}

  // ---- when it fires, what stays in it, how long it waits ----
  template <class Other>
  auto trigger(Other trigger) const {
    static_assert(!Assigner::kMerging || detail::TriggerMerges<Other>(),
                  "penstock: the windows of sessions merge: a trigger with a State needs on_merge(State& into, const "
                  "State& from)");
    std::string error = CheckOf(trigger);
    return With<Other, Evictor, kLateness>(std::move(trigger), settings_.evictor, settings_.lateness_ms,
                                           std::move(error));
  }
  template <class Other>
  auto evictor(Other evictor) const {
    std::string error = CheckOf(evictor);
    return With<Trigger, Other, kLateness>(settings_.trigger, std::move(evictor), settings_.lateness_ms,
                                           std::move(error));
  }
  // A window stays for so long after its end, and fires again for each record that comes then. Event time only.
  auto allowed_lateness(WindowDuration lateness) const {
    std::string error;
    if (lateness.count() < 0)
      error = "the allowed lateness must be 0 ms or more, it is " + detail::Ms(lateness.count());
    if (Assigner::kDomain != TimeDomain::kEvent) {
      error = "lateness is allowed in windows of event time only: nothing is late in " + settings_.assigner.Describe();
    }
    return With<Trigger, Evictor, true>(settings_.trigger, settings_.evictor, lateness.count(), std::move(error));
  }

  // Aggregates that merge are aggregated before the shuffle, too, unless this is said (docs/windows.md).
  WindowedStream without_combining() const {
    WindowedStream changed = *this;
    changed.settings_.combines = false;
    return changed;
  }

  // ---- what comes out of it; the uid is where its state lives ----
  // An accumulator is kept per window (runtime/operators/aggregates.h). Results are {key, start, end, value}, without a
  // key behind window_all.
  template <class Aggregate>
  auto aggregate(std::string uid, Aggregate aggregate) const {
    using Out = WindowResult<K, AggregateValue<Aggregate>>;
    return this->template AddAggregate<Out>(std::move(uid), std::move(aggregate), PlainResult{});
  }
  // The result goes to fn(const Value&, WindowContext<K>&, Collector<Out>&), which may have states.
  template <class Out, class Aggregate, class Fn>
  DataStream<Out> aggregate(std::string uid, Aggregate aggregate, Fn fn) const {
    return AddAggregate<Out>(std::move(uid), std::move(aggregate), std::move(fn));
  }
  // fn(const T&, const T&) → T.
  template <class Fn>
  auto reduce(std::string uid, Fn fn) const {
    return aggregate(std::move(uid), detail::ReduceAggregate<T, Fn>{std::move(fn)});
  }
  template <class Out, class Fn, class Then>
  DataStream<Out> reduce(std::string uid, Fn fn, Then then) const {
    return aggregate<Out>(std::move(uid), detail::ReduceAggregate<T, Fn>{std::move(fn)}, std::move(then));
  }
  // The window keeps its records. Fn takes (const WindowElements<T>&, WindowContext<K>&, Collector<Out>&).
  template <class Out, class Fn>
  DataStream<Out> process(std::string uid, Fn fn) const {
    using Function = ElementsFunction<T, K, Evictor, Fn, Out>;
    return AddGeneral<Out>(std::move(uid), Function{settings_.evictor, std::move(fn)});
  }

 private:
  template <class Checked>
  static std::string CheckOf(const Checked& checked) {
    if constexpr (requires { checked.Check(); }) return checked.Check();
    return "";
  }
  template <class OtherTrigger, class OtherEvictor, bool kOtherLateness>
  auto With(OtherTrigger trigger, OtherEvictor evictor, int64_t lateness_ms, std::string error) const {
    using Other = WindowedStream<K, T, KeyOf, Assigner, OtherTrigger, OtherEvictor, kOtherLateness>;
    if (!settings_.error.empty()) error = error.empty() ? settings_.error : settings_.error + "; " + error;
    return Other(keyed_, {settings_.assigner, std::move(trigger), std::move(evictor), lateness_ms, settings_.combines,
                          std::move(error)});
  }

  template <class Out, class Aggregate, class Then>
  DataStream<Out> AddAggregate(std::string uid, Aggregate aggregate, Then then) const {
    using Accumulator = typename Aggregate::Accumulator;
    static_assert(!kIsView<Accumulator>, "penstock: an accumulator must own its bytes: keep a std::string, not a view");
    if constexpr (!std::is_same_v<Evictor, NoEvictor>) {
      using Fn = AggregateElements<T, K, Aggregate, Then, Out>;
      return process<Out>(std::move(uid), Fn{std::move(aggregate), std::move(then)});
    } else {
      using Function = AggregateFunction<T, K, Aggregate, Then, Out>;
      Function function{std::move(aggregate), std::move(then)};
      constexpr bool kPlain = std::is_same_v<Trigger, EndTrigger> && !kLateness;
      static_assert(!Assigner::kMerging || Function::kMerges,
                    "penstock: sessions merge: the aggregate needs merge(Accumulator& into, const Accumulator& from)");
      using In = std::conditional_t<detail::Combines<Aggregate>() && Assigner::kDomain == TimeDomain::kEvent,
                                    Combined<T, K, Accumulator>, T>;
      if constexpr (kPlain && detail::kIsTumbling<Assigner>) {
        using Op = TumblingWindowOperator<In, T, K, KeyOf, Assigner, Function, Out>;
        return AddPlain<Op, In, Out>(std::move(uid), std::move(function),
                                     {detail::TableState<K, Accumulator>("windows", kWindowKind)});
      } else if constexpr (kPlain && detail::kIsSliding<Assigner> && Function::kMerges) {
        using Op = SlicedWindowOperator<In, T, K, KeyOf, Assigner, Function, Out>;
        return AddPlain<Op, In, Out>(std::move(uid), std::move(function),
                                     {detail::TableState<K, SliceQueue<Accumulator>>("slices", kSlicesKind),
                                      detail::TableState<K, uint8_t>("fires", "fires")});
      } else {
        return AddGeneral<Out>(std::move(uid), std::move(function));
      }
    }
  }
  template <class Op, class In, class Out, class Function>
  DataStream<Out> AddPlain(std::string uid, Function function, std::vector<StateInfo> tables) const {
    auto make = [window = settings_.assigner, key_of = keyed_.key_of(), function] {
      return std::make_unique<Op>(window, key_of, function);
    };
    LogicalNode node = detail::MakeWindowNode<T, Out, K>(keyed_.environment(), function, std::move(make));
    node.states.insert(node.states.end(), tables.begin(), tables.end());
    if constexpr (std::is_same_v<In, T>) {
      return AddNode<Out>(std::move(uid), std::move(node));
    } else {
      return AddCombined<In, Out>(std::move(uid), function.aggregate, std::move(node));
    }
  }
  // One combining operator behind each of the streams that come together here, chained to it.
  template <class In, class Out, class Aggregate>
  DataStream<Out> AddCombined(std::string uid, Aggregate aggregate, LogicalNode node) const {
    using Accumulator = typename Aggregate::Accumulator;
    using Key = CombinedKey<T, K, Accumulator, KeyOf>;
    Environment& env = keyed_.environment();
    std::vector<detail::Upstream<In>> combined;
    const auto enabled = std::make_shared<bool>(settings_.combines);
    std::vector<int> combine_nodes;
    for (const detail::Upstream<T>& up : keyed_.upstreams()) {
      const auto slice_end = [window = settings_.assigner](TimestampMs time) { return window.SliceEndOf(time); };
      using Op = CombineOperator<T, K, KeyOf, Aggregate, std::remove_const_t<decltype(slice_end)>>;
      LogicalNode combine = detail::MakeNode<In>("combine", [key_of = keyed_.key_of(), aggregate, slice_end, enabled] {
        return std::make_unique<Op>(key_of, aggregate, slice_end, *enabled);
      });
      combine.name = "combine for " + uid;
      combine.description = settings_.combines ? "aggregates before the shuffle" : "off: without_combining()";
      combine.parallelism_of = up.node;
      const int id = env.AddNode(std::move(combine)).id;
      combine_nodes.push_back(id);
      detail::Connect<T>(env, {{up.node, up.output}}, id);
      combined.push_back({id, kMainOutput, Partitioning::kHash, HashEdge<In, K>(Key{keyed_.key_of()})});
    }
    // A part that turns out to be late (its producer was idle) cannot be taken apart again.
    node.side_outputs.back().on_read = [enabled, combine_nodes](LogicalGraph& graph) {
      if (!std::exchange(*enabled, false)) return;
      for (const int id : combine_nodes) graph.nodes[id].description = "off: the late records are read";
    };
    FillNode(uid, node);
    return KeyedStream<K, In, Key>(env, std::move(combined), Key{keyed_.key_of()})
        .template AddNode<Out>(std::move(uid), std::move(node));
  }
  template <class Out, class Function>
  DataStream<Out> AddGeneral(std::string uid, Function function) const {
    using Op = WindowOperator<T, K, KeyOf, Assigner, Trigger, Function, Out>;
    WindowSettings<Assigner, Trigger> settings{settings_.assigner, settings_.trigger, settings_.lateness_ms};
    auto make = [settings, key_of = keyed_.key_of(), function] {
      return std::make_unique<Op>(settings, key_of, function);
    };
    LogicalNode node = detail::MakeWindowNode<T, Out, K>(keyed_.environment(), function, std::move(make));
    node.states.push_back(detail::TableState<K, WindowRowOf<Assigner, Trigger, Function>>("windows", kWindowRowsKind));
    node.has_timers = true;
    return AddNode<Out>(std::move(uid), std::move(node));
  }
  template <class Out>
  DataStream<Out> AddNode(std::string uid, LogicalNode node) const {
    FillNode(uid, node);
    return keyed_.template AddNode<Out>(std::move(uid), std::move(node));
  }
  void FillNode(const std::string& uid, LogicalNode& node) const {
    if (!settings_.error.empty()) keyed_.environment().AddError("window '" + uid + "': " + settings_.error);
    node.description = settings_.assigner.Describe();
    if (settings_.lateness_ms > 0) node.description += ", lateness " + detail::Ms(settings_.lateness_ms);
    if (std::is_same_v<K, NoKey>) node.parallelism = node.parallelism_max = 1;
  }

  KeyedStream<K, T, KeyOf> keyed_;
  Settings settings_;
};

namespace detail {

template <class K, class T, class KeyOf, class Assigner>
auto MakeWindowed(const KeyedStream<K, T, KeyOf>& keyed, Assigner assigner) {
  using Windowed = WindowedStream<K, T, KeyOf, Assigner, typename DefaultTriggerOf<Assigner>::Type, NoEvictor, false>;
  std::string error = assigner.Check();
  return Windowed(keyed, {.assigner = std::move(assigner), .error = std::move(error)});
}
// Windows of so many records: of all time, fired and emptied by their number, or cut to the last so many.
template <class K, class T, class KeyOf>
auto MakeTumblingCount(const KeyedStream<K, T, KeyOf>& keyed, const CountWindow& count) {
  using Windowed = WindowedStream<K, T, KeyOf, GlobalWindow, PurgingTrigger<CountTrigger>, NoEvictor, false>;
  return Windowed(keyed, {.assigner = {}, .trigger = purging(every_records(count.size)), .error = count.Check()});
}
template <class K, class T, class KeyOf>
auto MakeSlidingCount(const KeyedStream<K, T, KeyOf>& keyed, const CountWindow& count) {
  using Windowed = WindowedStream<K, T, KeyOf, GlobalWindow, CountTrigger, CountEvictor, false>;
  return Windowed(keyed, {.assigner = {},
                          .trigger = every_records(count.slide),
                          .evictor = keep_last(count.size),
                          .error = count.slide == 0 ? "a count window's slide must be above 0" : count.Check()});
}

}  // namespace detail

namespace detail {

template <class T>
struct SuppressedOf {
  static_assert(sizeof(T) == 0, "penstock: suppress takes what comes out of a window's reduce or aggregate");
};
template <class K, class V>
struct SuppressedOf<WindowResult<K, V>> {
  using Key = K;
  using Value = V;
};
// The key of a window's result.
template <class K>
struct ResultKey {
  template <class Result>
  const K& operator()(const Result& result) const {
    return result.key;
  }
};
template <>
struct ResultKey<NoKey> : ToNoKey {};

}  // namespace detail

template <class T>
DataStream<T> DataStream<T>::suppress(std::string uid, UntilWindowCloses policy) const {
  using K = typename detail::SuppressedOf<T>::Key;
  using KeyOf = detail::ResultKey<K>;
  if (std::string error = policy.Check(); !error.empty()) env_->AddError("suppress '" + uid + "': " + error);
  const auto keyed = key_by(KeyOf{});
  LogicalNode node = detail::MakeNode<T>(
      "suppress", [policy] { return std::make_unique<SuppressOperator<K, T, KeyOf>>(KeyOf{}, policy); });
  detail::DeclareStates<K, T>(SuppressFunction<K, T>(policy), node);
  node.description = policy.Describe();
  if (std::is_same_v<K, NoKey>) node.parallelism = node.parallelism_max = 1;
  return keyed.template AddNode<T>(std::move(uid), std::move(node));
}

template <class K, class T, class KeyOf>
template <class Assigner>
auto KeyedStream<K, T, KeyOf>::window(Assigner assigner) const {
  return detail::MakeWindowed(*this, std::move(assigner));
}
template <class K, class T, class KeyOf>
auto KeyedStream<K, T, KeyOf>::count_window(int64_t size) const {
  return detail::MakeTumblingCount(*this, {size, 0});
}
template <class K, class T, class KeyOf>
auto KeyedStream<K, T, KeyOf>::count_window(int64_t size, int64_t slide) const {
  return detail::MakeSlidingCount(*this, {size, slide});
}
template <class T>
template <class Assigner>
auto DataStream<T>::window_all(Assigner assigner) const {
  return key_by(ToNoKey{}).window(std::move(assigner));
}
template <class T>
auto DataStream<T>::count_window_all(int64_t size) const {
  return key_by(ToNoKey{}).count_window(size);
}
template <class T>
auto DataStream<T>::count_window_all(int64_t size, int64_t slide) const {
  return key_by(ToNoKey{}).count_window(size, slide);
}

}  // namespace penstock

#endif  // PENSTOCK_WINDOWS_H_
