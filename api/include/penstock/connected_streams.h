// Two streams of different types into one function: what stream.connect(other) gives.
//
//   orders.key_by(&Order::item).connect(prices.broadcast()).process<Bill>("bill", Bill{})
//   orders.key_by(&Order::id).connect(payments.key_by(&Payment::order)).process<Paid>("match", Match{})
//
// Event time is the minimum of both streams, so that one without watermarks stops it; barriers are aligned over both.
// What the functions look like: runtime/operators/co_process.h and keyed_co_process.h. Included by stream.h.
#ifndef PENSTOCK_CONNECTED_STREAMS_H_
#define PENSTOCK_CONNECTED_STREAMS_H_

#include <penstock/stream.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace detail {

template <class T>
void RequireBroadcast(Environment& env, const std::vector<Upstream<T>>& from, const std::string& function) {
  const bool all = std::all_of(from.begin(), from.end(),
                               [](const Upstream<T>& up) { return up.partitioning == Partitioning::kBroadcast; });
  if (all) return;
  env.AddError("process_broadcast of " + function +
               " needs each element in every subtask: connect to stream.broadcast()");
}

template <class Out, class First, class Second>
DataStream<Out> AddBinary(Environment& env, const std::vector<Upstream<First>>& first,
                          const std::vector<Upstream<Second>>& second, LogicalNode node) {
  const int id = env.AddNode(std::move(node)).id;
  Connect(env, first, id, 0);
  Connect(env, second, id, 1);
  return DataStream<Out>(env, {{id}});
}

}  // namespace detail

template <class First, class Second>
class ConnectedStreams {
 public:
  ConnectedStreams(DataStream<First> first, DataStream<Second> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  // Fn has process1(const First&, ProcessContext&, Collector<Out>&) and process2(const Second&, ...); or, where the
  // second stream is broadcast, process(const First&, ProcessContext&, Collector<Out>&) and
  // process_broadcast(const Second&, BroadcastContext&, Collector<Out>&). With state it needs a uid.
  template <class Out, class Fn>
  DataStream<Out> process(Fn fn) const {
    constexpr bool kBroadcast = BroadcastFunction<Fn, First, Second, ProcessContext, BroadcastContext, Out>;
    static_assert(kBroadcast || CoFunction<Fn, First, Second, ProcessContext, Out>,
                  "penstock: the function must have process1(const A&, ProcessContext&, Collector<Out>&) and process2, "
                  "or process and process_broadcast(const B&, BroadcastContext&, Collector<Out>&)");
    Environment& env = first_.environment();
    LogicalNode node = detail::MakeFunctionNode<Out>(env, "process", fn, [fn] {
      if constexpr (kBroadcast) {
        return std::make_unique<BroadcastProcessOperator<First, Second, Out, Fn>>(fn);
      } else {
        return std::make_unique<CoProcessOperator<First, Second, Out, Fn>>(fn);
      }
    });
    node.states = PlainStatesOf(fn);
    if constexpr (kBroadcast) {
      detail::RequireBroadcast(env, second_.upstreams(), "a function without a key");
    } else {
      detail::RefuseBroadcastState(env, node);
    }
    return detail::AddBinary<Out>(env, first_.upstreams(), second_.upstreams(), std::move(node));
  }

 private:
  DataStream<First> first_;
  DataStream<Second> second_;
};

template <class K, class T, class KeyOf, class Element>
class KeyedBroadcastStreams {
 public:
  KeyedBroadcastStreams(KeyedStream<K, T, KeyOf> keyed, DataStream<Element> broadcast)
      : keyed_(std::move(keyed)), broadcast_(std::move(broadcast)) {}

  // Fn has process(const T&, KeyedContext<K>&, Collector<Out>&) and
  // process_broadcast(const Element&, KeyedBroadcastContext<K>&, Collector<Out>&), and may have on_timer.
  template <class Out, class Fn>
  DataStream<Out> process(std::string uid, Fn fn) const {
    static_assert(BroadcastFunction<Fn, T, Element, KeyedContext<K>, KeyedBroadcastContext<K>, Out>,
                  "penstock: the function must have process(const T&, KeyedContext<K>&, Collector<Out>&) and "
                  "process_broadcast(const B&, KeyedBroadcastContext<K>&, Collector<Out>&)");
    detail::RequireBroadcast(keyed_.environment(), broadcast_.upstreams(), "'" + uid + "'");
    using Op = KeyedBroadcastOperator<T, Element, K, KeyOf, Out, Fn>;
    auto make = [fn, key_of = keyed_.key_of()] { return std::make_unique<Op>(key_of, fn); };
    LogicalNode node = detail::MakeFunctionNode<Out>(keyed_.environment(), "process", fn, std::move(make));
    detail::DeclareStates<K, Out>(fn, node);
    node.name = uid;
    node.uid = std::move(uid);
    return detail::AddBinary<Out>(keyed_.environment(), keyed_.upstreams(), broadcast_.upstreams(), std::move(node));
  }

 private:
  KeyedStream<K, T, KeyOf> keyed_;
  DataStream<Element> broadcast_;
};

template <class K, class First, class KeyOfFirst, class Second, class KeyOfSecond>
class KeyedConnectedStreams {
 public:
  KeyedConnectedStreams(KeyedStream<K, First, KeyOfFirst> first, KeyedStream<K, Second, KeyOfSecond> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  // Fn has process1(const First&, KeyedContext<K>&, Collector<Out>&) and process2(const Second&, ...), which share the
  // key's states, and may have on_timer.
  template <class Out, class Fn>
  DataStream<Out> process(std::string uid, Fn fn) const {
    static_assert(CoFunction<Fn, First, Second, KeyedContext<K>, Out>,
                  "penstock: the function must have process1(const A&, KeyedContext<K>&, Collector<Out>&) and "
                  "process2(const B&, KeyedContext<K>&, Collector<Out>&)");
    using Op = KeyedCoProcessOperator<First, Second, K, KeyOfFirst, KeyOfSecond, Out, Fn>;
    auto make = [fn, of_first = first_.key_of(), of_second = second_.key_of()] {
      return std::make_unique<Op>(of_first, of_second, fn);
    };
    LogicalNode node = detail::MakeFunctionNode<Out>(first_.environment(), "process", fn, std::move(make));
    detail::DeclareStates<K, Out>(fn, node);
    detail::RefuseBroadcastState(first_.environment(), node);
    node.name = uid;
    node.uid = std::move(uid);
    return detail::AddBinary<Out>(first_.environment(), first_.upstreams(), second_.upstreams(), std::move(node));
  }

 private:
  KeyedStream<K, First, KeyOfFirst> first_;
  KeyedStream<K, Second, KeyOfSecond> second_;
};

}  // namespace penstock

#endif  // PENSTOCK_CONNECTED_STREAMS_H_
