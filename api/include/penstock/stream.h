// DataStream<T> and KeyedStream<K, T>: a job, written as a chain of calls.
//
// A stream is a cheap handle to an operator of the graph under construction; each call adds one operator and returns
// its stream. name, uid and parallelism apply to the operator that the stream came out of. User functions take const
// T&, are copied once per subtask, and may have open(Context&) and close().
#ifndef PENSTOCK_STREAM_H_
#define PENSTOCK_STREAM_H_

#include <penstock/environment.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/aggregates.h"
#include "runtime/operators/async/async_operator.h"
#include "runtime/operators/co_process.h"
#include "runtime/operators/flat_map.h"
#include "runtime/operators/keyed_co_process.h"
#include "runtime/operators/keyed_process.h"
#include "runtime/operators/map.h"
#include "runtime/operators/operator_lists.h"
#include "runtime/operators/process.h"
#include "runtime/operators/sink_operator.h"
#include "runtime/operators/watermarks.h"

namespace penstock {

inline constexpr OnError skip = OnError::kSkip;
inline constexpr OnError fail = OnError::kFail;
inline constexpr OnError side_output = OnError::kSideOutput;

template <class T>
class DataStream;
template <class K, class T, class KeyOf>
class KeyedStream;
template <class First, class Second>
class ConnectedStreams;
template <class K, class T, class KeyOf, class Assigner, class Trigger, class Evictor, bool kLateness>
class WindowedStream;
template <class T>
class Pattern;
template <class K, class T, class KeyOf>
class PatternStream;
template <class K, class T, class KeyOf, class Element>
class KeyedBroadcastStreams;
template <class K, class First, class KeyOfFirst, class Second, class KeyOfSecond>
class KeyedConnectedStreams;
template <class K, class T>
struct Ranked;
struct UntilWindowCloses;

namespace detail {

// Where a stream comes from, and how its next edge distributes records.
template <class T>
struct Upstream {
  int node = 0;
  int output = kMainOutput;
  Partitioning partitioning = Partitioning::kForward;
  std::shared_ptr<const EdgeFactory> factory;
};

template <class T>
void Connect(Environment& env, const std::vector<Upstream<T>>& from, int to, int to_input = 0) {
  for (const Upstream<T>& up : from) {
    LogicalEdge edge;
    edge.from = up.node;
    edge.from_output = up.output;
    edge.to = to;
    edge.to_input = to_input;
    edge.partitioning = up.partitioning;
    edge.type = Serde<T>::TypeName();
    edge.factory = up.factory ? up.factory : ForwardEdge<T>();
    edge.rebalance_factory = RebalanceEdge<T>();
    env.graph().edges.push_back(std::move(edge));
  }
}

template <class Out, class Make>
LogicalNode MakeNode(std::string kind, Make make) {
  LogicalNode node;
  node.name = kind;
  node.kind = std::move(kind);
  node.output_type = Serde<Out>::TypeName();
  node.factory = std::make_shared<OperatorFactory>(OperatorFactory{std::move(make)});
  node.outputs = {MakeOutputFactory<Out>()};
  return node;
}

inline void AddSideOutput(Environment& env, LogicalNode& node, const SideSlotBase& slot) {
  for (const SideOutputInfo& other : node.side_outputs) {
    if (other.name == slot.name) env.AddError("two side outputs '" + slot.name + "' in one function");
  }
  node.side_outputs.push_back({slot.name, slot.type});
  node.outputs.push_back(slot.factory);
}

// A node of a function: with its side outputs, in order of declaration.
template <class Out, class Fn, class Make>
LogicalNode MakeFunctionNode(Environment& env, std::string kind, const Fn& fn, Make make) {
  LogicalNode node = MakeNode<Out>(std::move(kind), std::move(make));
  for (const auto& slot : SideOutputsOf(fn)) AddSideOutput(env, node, *slot);
  return node;
}

// Only what an element of a broadcast stream writes is alike in all subtasks.
inline void RefuseBroadcastState(Environment& env, const LogicalNode& node) {
  for (const StateInfo& state : node.states) {
    if (state.kind != kBroadcastKind) continue;
    env.AddError(
        "broadcast state '" + state.name +
        "' is in a function that nothing can write it in: it belongs into one with process_broadcast, given to "
        "stream.connect(other.broadcast()).process");
  }
}

// What a function says of itself, where it does: Validate() → Status, what is wrong with it; Describe(), for the plan;
// CheckAtSubmit() → Status, asked once where the job is submitted, and free to connect to other systems.
template <class Fn>
void DeclareFunction(Environment& env, const Fn& fn, LogicalNode& node) {
  if constexpr (requires { fn.Validate().ok(); }) {
    if (const absl::Status status = fn.Validate(); !status.ok()) {
      env.AddError(node.kind + ": " + std::string(status.message()));
      return;
    }
  }
  if constexpr (requires { std::string(fn.Describe()); }) node.description = fn.Describe();
  if constexpr (requires { fn.CheckAtSubmit().ok(); }) {
    node.submit_checks.push_back([fn] { return fn.CheckAtSubmit(); });
  }
}

template <class K, class Out, class Fn>
void DeclareStates(const Fn& fn, LogicalNode& node) {
  node.states = StatesOf(fn, Serde<K>::TypeName(), SchemaOf<K>());
  node.has_timers = HasOnTimer<Fn, K, Out>;
}

}  // namespace detail

// A sink's handle, for its name and parallelism.
class SinkHandle {
 public:
  SinkHandle(Environment& env, int node) : env_(&env), node_(node) {}
  SinkHandle& uid(std::string uid) {
    env_->graph().nodes[node_].uid = std::move(uid);
    return *this;
  }
  SinkHandle& parallelism(int parallelism) {
    env_->graph().nodes[node_].parallelism = parallelism;
    return *this;
  }

 private:
  Environment* env_;
  int node_;
};

template <class T>
class DataStream {
 public:
  using Upstreams = std::vector<detail::Upstream<T>>;
  DataStream(Environment& env, Upstreams from) : env_(&env), from_(std::move(from)) {}

  // ---- about the operator this stream came out of ----
  DataStream& name(std::string name) {
    Node().name = std::move(name);
    return *this;
  }
  DataStream& uid(std::string uid) {
    Node().uid = std::move(uid);
    return *this;
  }
  DataStream& parallelism(int parallelism) {
    Node().parallelism = parallelism;
    return *this;
  }

  // ---- record by record ----
  template <class Fn>
  auto map(Fn fn) const {
    using Out = std::remove_cvref_t<std::invoke_result_t<Fn&, const T&>>;
    static_assert(!std::is_void_v<Out>, "penstock: map's function must return the new value");
    return Add<Out>("map", fn, [fn] { return std::make_unique<MapOperator<T, Out, Fn>>(fn); });
  }

  template <class Fn>
  DataStream filter(Fn fn) const {
    static_assert(std::is_invocable_r_v<bool, Fn&, const T&>,
                  "penstock: filter's function must take const T& and return bool");
    return Add<T>("filter", fn, [fn] { return std::make_unique<FilterOperator<T, Fn>>(fn); });
  }

  // Fn returns an optional, a range or a StatusOr (see on_error).
  template <class Fn>
  requires std::is_invocable_v<Fn&, const T&>
  auto flat_map(Fn fn) const {
    using Result = std::remove_cvref_t<std::invoke_result_t<Fn&, const T&>>;
    return AddFlatMap<typename detail::FlatMapResult<Result>::Out>(std::move(fn));
  }
  // Fn takes (const T&, Collector<Out>&).
  template <class Out, class Fn>
  auto flat_map(Fn fn) const {
    return AddFlatMap<Out>(std::move(fn));
  }
  // What happens to records for which the flat_map before returned a non-OK Status: skip (default), fail, side_output.
  DataStream& on_error(OnError what) {
    if (flat_map_settings_ == nullptr) {
      env_->AddError("on_error must follow flat_map directly (operator '" + Node().name + "')");
    } else {
      flat_map_settings_->on_error = what;
    }
    return *this;
  }
  // The records that on_error(side_output) sent aside.
  DataStream<Malformed> malformed() const {
    if (flat_map_settings_ == nullptr || flat_map_settings_->on_error != OnError::kSideOutput) {
      env_->AddError("malformed() needs flat_map(...).on_error(side_output) directly before it");
      return DataStream<Malformed>(*env_, {{from_.front().node}});
    }
    return side_output<Malformed>(kMalformedName);
  }
  // What the function before emitted into its member SideOutput<U> of that name.
  template <class U>
  DataStream<U> side_output(const std::string& name) const {
    const LogicalNode& node = Node();
    for (size_t i = 0; i < node.side_outputs.size(); ++i) {
      const SideOutputInfo& side = node.side_outputs[i];
      if (side.name != name) continue;
      if (side.type != Serde<U>::TypeName()) {
        env_->AddError("side output '" + name + "' of operator '" + node.name + "' is of " + side.type + ", not of " +
                       Serde<U>::TypeName());
      }
      if (side.on_read) side.on_read(env_->graph());
      return DataStream<U>(*env_, {{from_.front().node, static_cast<int>(i) + 1}});
    }
    env_->AddError("operator '" + node.name + "' has no side output '" + name + "'" + SideOutputNames(node));
    return DataStream<U>(*env_, {{from_.front().node}});
  }

  // Fn takes (const T&, ProcessContext&, Collector<Out>&).
  template <class Out, class Fn>
  DataStream<Out> process(Fn fn) const {
    return Add<Out>("process", fn, [fn] { return std::make_unique<ProcessOperator<T, Out, Fn>>(fn); });
  }

  // Calls of other systems whose answers come later (docs/async.md). Fn takes (const T&, AsyncResult<Out>), or takes T
  // and returns AsyncTask<Out>. What failed for good is the side output "failed" if options.on_failure says so.
  template <class Out, class Fn>
  DataStream<Out> async(std::string uid, Fn fn, AsyncOptions options = {}) const {
    static_assert(std::is_invocable_v<Fn&, const T&, AsyncResult<Out>> || std::is_invocable_r_v<AsyncTask<Out>, Fn&, T>,
                  "penstock: the function must take (const T&, AsyncResult<Out>), or T and return AsyncTask<Out>");
    if (std::string error = options.Check(); !error.empty()) env_->AddError("async '" + uid + "': " + error);
    using Op = AsyncOperator<T, Out, Fn>;
    LogicalNode node = detail::MakeNode<Out>("async", [fn, options] { return std::make_unique<Op>(fn, options); });
    detail::AddSideOutput(*env_, node, *SideSlot<AsyncFailure<T>>::Make(kAsyncFailedName));
    node.states = Op::States();
    node.description = options.Describe();
    node.name = uid;
    node.uid = std::move(uid);
    const int id = env_->AddNode(std::move(node)).id;
    detail::Connect(*env_, from_, id);
    return DataStream<Out>(*env_, {{id}});
  }

  // ---- with another stream (connected_streams.h) ----
  template <class U>
  ConnectedStreams<T, U> connect(const DataStream<U>& other) const {
    return ConnectedStreams<T, U>(*this, other);
  }

  // ---- time ----
  template <class TimeOf>
  DataStream watermarks(WatermarkStrategy<T, TimeOf> strategy) const {
    return Add<T>("watermarks", nullptr,
                  [strategy] { return std::make_unique<WatermarkOperator<T, TimeOf>>(strategy); });
  }

  // By a generator of one's own: generated_by<T>(generator, time) (runtime/time/watermark_strategy.h).
  template <class Generator, class TimeOf>
  DataStream watermarks(GeneratedWatermarks<T, Generator, TimeOf> strategy) const {
    return Add<T>("watermarks", nullptr,
                  [strategy] { return std::make_unique<GeneratedWatermarkOperator<T, Generator, TimeOf>>(strategy); });
  }

  // Says nothing about time: a stream that is connected or united with this one goes by its own time alone.
  DataStream without_time() const {
    return Add<T>("without time", nullptr, [] { return std::make_unique<TimelessOperator<T>>(); });
  }

  // ---- how records are dealt to the next operator ----
  DataStream union_with(const DataStream& other) const {
    Upstreams all = from_;
    all.insert(all.end(), other.from_.begin(), other.from_.end());
    return DataStream(*env_, std::move(all));
  }
  DataStream rebalance() const { return Repartition(Partitioning::kRebalance, RebalanceEdge<T>()); }
  DataStream broadcast() const { return Repartition(Partitioning::kBroadcast, BroadcastEdge<T>()); }
  // select(value, consumers) → consumer.
  template <class Fn>
  DataStream partition_by(Fn select) const {
    return Repartition(Partitioning::kCustom, CustomEdge<T>(std::move(select)));
  }
  // A member pointer or a callable; equal keys meet in one subtask.
  template <class KeyOf>
  auto key_by(KeyOf key_of) const {
    using K = std::remove_cvref_t<std::invoke_result_t<KeyOf&, const T&>>;
    static_assert(!kIsView<K>, "penstock: a key must own its bytes: return a std::string instead of a view");
    return KeyedStream<K, T, KeyOf>(*env_, Repartition(Partitioning::kHash, HashEdge<T, K>(key_of)).from_, key_of);
  }

  // ---- windows over the whole stream, in one subtask (windows.h) ----
  template <class Assigner>
  auto window_all(Assigner assigner) const;
  auto count_window_all(int64_t size) const;
  auto count_window_all(int64_t size, int64_t slide) const;

  // Of a window's results only the last one, once the window is closed: suppress("last", until_window_closes(1min)).
  DataStream suppress(std::string uid, UntilWindowCloses policy) const;

  // ---- the end ----
  template <class Sink>
  SinkHandle sink(std::string name, Sink sink) const {
    if (absl::Status status = sink.Validate(); !status.ok()) {
      env_->AddError("sink '" + name + "': " + std::string(status.message()));
    }
    LogicalNode node;
    node.uid = name;
    node.name = std::move(name);
    node.kind = "sink";
    node.is_sink = true;
    node.description = sink.Describe();
    node.delivery = DeliveryName(sink.DeliveryGuarantee());
    if constexpr (requires { sink.Admin(); }) node.sink_admin = sink.Admin();
    node.factory = std::make_shared<OperatorFactory>(
        OperatorFactory{[sink] { return std::make_unique<SinkOperator<T>>(sink.template CreateWriter<T>()); }});
    const int id = env_->AddNode(std::move(node)).id;
    detail::Connect(*env_, from_, id);
    return SinkHandle(*env_, id);
  }

  Environment& environment() const { return *env_; }
  const Upstreams& upstreams() const { return from_; }

 private:
  template <class>
  friend class DataStream;

  static const char* DeliveryName(Delivery delivery) {
    switch (delivery) {
      case Delivery::none:
        return "none";
      case Delivery::at_least_once:
        return "at_least_once";
      case Delivery::exactly_once:
        return "exactly_once";
    }
    return "none";
  }

  LogicalNode& Node() const { return env_->graph().nodes[from_.front().node]; }

  static std::string SideOutputNames(const LogicalNode& node) {
    std::string names;
    for (const SideOutputInfo& side : node.side_outputs) names += (names.empty() ? "" : ", ") + side.name;
    return names.empty() ? ": it has none" : ": it has " + names;
  }

  // fn may declare lists; it needs a uid then.
  template <class Out, class Fn, class Make>
  DataStream<Out> Add(std::string kind, const Fn& fn, Make make) const {
    LogicalNode node = detail::MakeFunctionNode<Out>(*env_, std::move(kind), fn, std::move(make));
    node.states = PlainStatesOf(fn);
    detail::RefuseBroadcastState(*env_, node);
    detail::DeclareFunction(*env_, fn, node);
    const int id = env_->AddNode(std::move(node)).id;
    detail::Connect(*env_, from_, id);
    return DataStream<Out>(*env_, {{id}});
  }

  template <class Out, class Fn>
  DataStream<Out> AddFlatMap(Fn fn) const {
    auto settings = std::make_shared<FlatMapSettings>();
    DataStream<Out> out = Add<Out>(
        "flat_map", fn, [fn, settings] { return std::make_unique<FlatMapOperator<T, Out, Fn>>(fn, settings); });
    detail::AddSideOutput(*env_, env_->graph().nodes[out.from_.front().node],
                          *SideSlot<Malformed>::Make(kMalformedName));
    out.flat_map_settings_ = std::move(settings);
    return out;
  }

  DataStream Repartition(Partitioning partitioning, std::shared_ptr<const EdgeFactory> factory) const {
    Upstreams from = from_;
    for (auto& up : from) {
      up.partitioning = partitioning;
      up.factory = factory;
    }
    return DataStream(*env_, std::move(from));
  }

  Environment* env_;
  Upstreams from_;
  std::shared_ptr<FlatMapSettings> flat_map_settings_;
};

template <class K, class T, class KeyOf>
class KeyedStream {
 public:
  KeyedStream(Environment& env, std::vector<detail::Upstream<T>> from, KeyOf key_of)
      : env_(&env), from_(std::move(from)), key_of_(std::move(key_of)) {}

  // ---- windows (windows.h) ----
  // tumbling, sliding, session or global.
  template <class Assigner>
  auto window(Assigner assigner) const;
  // Of so many records; with a slide, of the last `size` records at every slide-th one.
  auto count_window(int64_t size) const;
  auto count_window(int64_t size, int64_t slide) const;

  // Fn takes (const T&, KeyedContext<K>&, Collector<Out>&) and may have states as members; uid is where they live.
  template <class Out, class Fn>
  DataStream<Out> process(std::string uid, Fn fn) const {
    auto make = [fn, key_of = key_of_] {
      return std::make_unique<KeyedProcessOperator<T, K, KeyOf, Out, Fn>>(key_of, fn);
    };
    LogicalNode node = detail::MakeFunctionNode<Out>(*env_, "process", fn, std::move(make));
    detail::DeclareStates<K, Out>(fn, node);
    detail::RefuseBroadcastState(*env_, node);
    return AddNode<Out>(std::move(uid), std::move(node));
  }

  // ---- with another stream (connected_streams.h) ----
  template <class U>
  KeyedBroadcastStreams<K, T, KeyOf, U> connect(const DataStream<U>& broadcast) const {
    return KeyedBroadcastStreams<K, T, KeyOf, U>(*this, broadcast);
  }
  template <class U, class KeyOfU>
  KeyedConnectedStreams<K, T, KeyOf, U, KeyOfU> connect(const KeyedStream<K, U, KeyOfU>& other) const {
    return KeyedConnectedStreams<K, T, KeyOf, U, KeyOfU>(*this, other);
  }
  // Both streams are keyed alike. (joins.h)
  template <class U, class KeyOfU>
  auto interval_join(const KeyedStream<K, U, KeyOfU>& other) const;
  template <class U, class KeyOfU>
  auto temporal_join(const KeyedStream<K, U, KeyOfU>& versions) const;
  template <class U, class KeyOfU>
  auto join(const KeyedStream<K, U, KeyOfU>& other) const;

  // ---- patterns of events (cep.h, which has to be included) ----
  PatternStream<K, T, KeyOf> match(Pattern<T> pattern) const;

  // ---- elements picked by key (joins.h) ----
  // The first of each key; with a time to live, the first after that time.
  DataStream<T> dedupe(std::string uid, Ttl ttl = {}) const;
  // The best n: better(const T& a, const T& b) → a comes before b. Emits {key, rank, value} for each rank that changes.
  template <class Better>
  DataStream<Ranked<K, T>> top(std::string uid, int64_t n, Better better, Ttl ttl = {}) const;

  template <class Out>
  DataStream<Out> AddNode(std::string uid, LogicalNode node) const {
    node.name = uid;
    node.uid = std::move(uid);
    const int id = env_->AddNode(std::move(node)).id;
    detail::Connect(*env_, from_, id);
    return DataStream<Out>(*env_, {{id}});
  }
  const KeyOf& key_of() const { return key_of_; }
  Environment& environment() const { return *env_; }
  const std::vector<detail::Upstream<T>>& upstreams() const { return from_; }

 private:
  Environment* env_;
  std::vector<detail::Upstream<T>> from_;
  KeyOf key_of_;
};

template <class Source>
DataStream<typename Source::Output> Environment::source(std::string name, Source source) {
  using T = typename Source::Output;
  if (absl::Status status = source.Validate(); !status.ok()) {
    AddError("source '" + name + "': " + std::string(status.message()));
  }
  LogicalNode node = detail::MakeNode<T>(
      "source", [source] { return std::make_unique<TypedSourceOperator<T>>(source.CreateReader()); });
  node.uid = name;
  node.name = std::move(name);
  node.is_source = true;
  node.description = source.Describe();
  if constexpr (requires { source.Replayable(); }) {
    if (!source.Replayable()) node.delivery = kAtMostOnce;
  }
  const int id = AddNode(std::move(node)).id;
  return DataStream<T>(*this, {{id}});
}

}  // namespace penstock

#include <penstock/connected_streams.h>
#include <penstock/joins.h>
#include <penstock/windows.h>

#endif  // PENSTOCK_STREAM_H_
