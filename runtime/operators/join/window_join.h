// Window join and co-group: both streams as one of sides, and a window function that takes them apart again.
#ifndef PENSTOCK_RUNTIME_OPERATORS_JOIN_WINDOW_JOIN_H_
#define PENSTOCK_RUNTIME_OPERATORS_JOIN_WINDOW_JOIN_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/collector.h"
#include "runtime/operators/window/evictors.h"
#include "runtime/operators/window/window_context.h"

namespace penstock {

// An element of one of two streams: one member has a value.
template <class First, class Second>
struct JoinSide {
  std::optional<First> first;
  std::optional<Second> second;
};

// The key of either side.
template <class First, class Second, class KeyOfFirst, class KeyOfSecond>
struct JoinSideKey {
  using Key = std::remove_cvref_t<std::invoke_result_t<const KeyOfFirst&, const First&>>;
  Key operator()(const JoinSide<First, Second>& side) const {
    return side.first.has_value() ? std::invoke(of_first, *side.first) : std::invoke(of_second, *side.second);
  }
  KeyOfFirst of_first;
  KeyOfSecond of_second;
};

// Fn: fn(const std::vector<First>&, const std::vector<Second>&, WindowContext<K>&, Collector<Out>&), once per key and
// window in which either stream has an element.
template <class First, class Second, class K, class Out, class Fn>
struct CoGroupWindow {
  static_assert(!kIsView<First> && !kIsView<Second>,
                "penstock: a join keeps what it joins: map views to std::string before it");
  Fn fn;
  void open(Context& context) {
    if constexpr (requires { fn.open(context); }) fn.open(context);
  }
  void close() {
    if constexpr (requires { fn.close(); }) fn.close();
  }
  void operator()(const WindowElements<JoinSide<First, Second>>& sides, WindowContext<K>& context,
                  Collector<Out>& out) {
    std::vector<First> firsts;
    std::vector<Second> seconds;
    for (const JoinSide<First, Second>& side : sides) {
      if (side.first.has_value()) firsts.push_back(*side.first);
      if (side.second.has_value()) seconds.push_back(*side.second);
    }
    std::invoke(fn, std::as_const(firsts), std::as_const(seconds), context, out);
  }
};

// Fn: fn(const First&, const Second&, Collector<Out>&) or fn(const First&, const Second&) → Out, for each pair.
template <class First, class Second, class K, class Out, class Fn>
struct JoinPairs {
  Fn fn;
  void open(Context& context) {
    if constexpr (requires { fn.open(context); }) fn.open(context);
  }
  void close() {
    if constexpr (requires { fn.close(); }) fn.close();
  }
  void operator()(const std::vector<First>& firsts, const std::vector<Second>& seconds, WindowContext<K>&,
                  Collector<Out>& out) {
    for (const First& first : firsts) {
      for (const Second& second : seconds) {
        if constexpr (std::is_invocable_v<Fn&, const First&, const Second&, Collector<Out>&>) {
          std::invoke(fn, first, second, out);
        } else {
          out.emit(std::invoke(fn, first, second));
        }
      }
    }
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_JOIN_WINDOW_JOIN_H_
