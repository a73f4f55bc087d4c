// The first element of each key, and the best so many.
#ifndef PENSTOCK_RUNTIME_OPERATORS_RANKING_H_
#define PENSTOCK_RUNTIME_OPERATORS_RANKING_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/operators/collector.h"
#include "runtime/operators/keyed_context.h"
#include "runtime/state/value_state.h"

namespace penstock {

// Lets the first element of each key through, and the first after the time to live has passed since.
template <class T, class K>
struct FirstOfKey {
  explicit FirstOfKey(Ttl ttl) : seen("seen", ttl) {}
  ValueState<bool> seen;
  void operator()(const T& value, KeyedContext<K>&, Collector<T>& out) {
    if (seen.has_value()) return;
    seen.set(true);
    out.emit(value);
  }
};

// An element and its place among those of its key, from 1. A later one of the same key and rank replaces it.
template <class K, class T>
struct Ranked {
  K key;
  int64_t rank = 0;
  T value;
};

// Keeps the best `n` elements of each key: those that `better(a, b)` puts first; of equals, those that came first.
// Emits each rank that changes.
template <class T, class K, class Better>
struct TopOfKey {
  static_assert(!kIsView<T>, "penstock: a ranking keeps its elements: map views to std::string before it");
  TopOfKey(int64_t n, Better better, Ttl ttl) : n(n), better(std::move(better)), best("best", ttl) {}
  const int64_t n;
  const Better better;
  ListState<T> best;

  void operator()(const T& value, KeyedContext<K>& context, Collector<Ranked<K, T>>& out) {
    const std::vector<T>& ranked = best.values();
    const auto at = std::upper_bound(ranked.begin(), ranked.end(), value,
                                     [&](const T& a, const T& b) { return std::invoke(better, a, b); });
    const int64_t place = at - ranked.begin();
    if (place >= n) return;
    std::vector<T>& kept = best.mutable_values();
    kept.insert(kept.begin() + place, value);
    if (static_cast<int64_t>(kept.size()) > n) kept.pop_back();
    for (size_t i = static_cast<size_t>(place); i < kept.size(); ++i) {
      out.emit({context.key(), static_cast<int64_t>(i) + 1, kept[i]});
    }
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_RANKING_H_
