// Window functions as the window operators see them: what they keep of a window (Stored), how records get into it, how
// two become one, and what comes out when the window fires. Copied once per subtask, with the author's function and its
// states inside.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_FUNCTIONS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_FUNCTIONS_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/collector.h"
#include "runtime/operators/user_function.h"
#include "runtime/operators/window/evictors.h"
#include "runtime/operators/window/window_context.h"

namespace penstock {

// Aggregates that can be put together from parts: sessions and sliding windows need them.
template <class Aggregate>
concept MergesAccumulators = requires(const Aggregate& aggregate, typename Aggregate::Accumulator& into,
                                      const typename Aggregate::Accumulator& from) {
  aggregate.merge(into, from);
};

template <class Aggregate>
using AggregateValue = std::remove_cvref_t<decltype(std::declval<const Aggregate&>().result(
    std::declval<const typename Aggregate::Accumulator&>()))>;

// The result is {key, start, end, value}.
struct PlainResult {
  template <class K, class Value, class Out>
  void operator()(const Value& value, WindowContext<K>& context, Collector<Out>& out) const {
    out.emit(MakeWindowResult<K, Value>(context.key(), context.window(), value));
  }
};

// An accumulator per window. Then: PlainResult, or the author's fn(const Value&, WindowContext<K>&, Collector<Out>&).
template <class T, class K, class Aggregate, class Then, class Out>
struct AggregateFunction {
  using Stored = std::optional<typename Aggregate::Accumulator>;
  static constexpr bool kMerges = MergesAccumulators<Aggregate>;

  void open(Context& context) {
    if constexpr (requires { aggregate.open(context); }) aggregate.open(context);
    if constexpr (requires { then.open(context); }) then.open(context);
  }
  void close() {
    if constexpr (requires { aggregate.close(); }) aggregate.close();
    if constexpr (requires { then.close(); }) then.close();
  }
  void Add(Stored& stored, const T& value, TimestampMs) {
    if (!stored.has_value()) stored.emplace();
    aggregate.add(*stored, value);
  }
  void Merge(Stored& into, Stored& from) requires kMerges {
    if (!from.has_value()) return;
    if (!into.has_value()) {
      into = std::move(from);
    } else {
      aggregate.merge(*into, *from);
    }
  }
  static bool Empty(const Stored& stored) { return !stored.has_value(); }
  static void Clear(Stored& stored) { stored.reset(); }
  void Fire(Stored& stored, WindowContext<K>& context, Collector<Out>& out) { Emit(*stored, context, out); }
  void Emit(const typename Aggregate::Accumulator& accumulator, WindowContext<K>& context, Collector<Out>& out) {
    const auto value = aggregate.result(accumulator);
    std::invoke(then, value, context, out);
  }

  Aggregate aggregate;
  Then then;
};

// An aggregate over the records that a window keeps, for windows with an evictor.
template <class T, class K, class Aggregate, class Then, class Out>
struct AggregateElements {
  void open(Context& context) {
    if constexpr (requires { aggregate.open(context); }) aggregate.open(context);
    if constexpr (requires { then.open(context); }) then.open(context);
  }
  void close() {
    if constexpr (requires { aggregate.close(); }) aggregate.close();
    if constexpr (requires { then.close(); }) then.close();
  }
  void operator()(const WindowElements<T>& elements, WindowContext<K>& context, Collector<Out>& out) {
    typename Aggregate::Accumulator accumulator{};
    for (const T& value : elements) aggregate.add(accumulator, value);
    const auto value = aggregate.result(accumulator);
    std::invoke(then, value, context, out);
  }

  Aggregate aggregate;
  Then then;
};

// The records themselves. Fn: fn(const WindowElements<T>&, WindowContext<K>&, Collector<Out>&).
template <class T, class K, class Evictor, class Fn, class Out>
struct ElementsFunction {
  static_assert(!kIsView<T>,
                "penstock: a window that keeps its records must own their bytes: map views to std::string");
  using Stored = std::vector<WindowElement<T>>;
  static constexpr bool kMerges = true;

  void open(Context& context) {
    if constexpr (requires { fn.open(context); }) fn.open(context);
  }
  void close() {
    if constexpr (requires { fn.close(); }) fn.close();
  }
  void Add(Stored& stored, const T& value, TimestampMs timestamp) { stored.push_back({value, timestamp}); }
  void Merge(Stored& into, Stored& from) {
    into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }
  static bool Empty(const Stored& stored) { return stored.empty(); }
  static void Clear(Stored& stored) { stored.clear(); }
  void Fire(Stored& stored, WindowContext<K>& context, Collector<Out>& out) {
    WindowElements<T> elements(stored);
    if constexpr (requires { evictor.evict_before(elements, context.window()); }) {
      evictor.evict_before(elements, context.window());
    }
    if (elements.empty()) return;
    std::invoke(fn, std::as_const(elements), context, out);
    if constexpr (requires { evictor.evict_after(elements, context.window()); }) {
      evictor.evict_after(elements, context.window());
    }
  }

  Evictor evictor;
  Fn fn;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_FUNCTIONS_H_
