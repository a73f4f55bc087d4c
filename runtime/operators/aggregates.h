// Aggregate functions: how a window's records become one result without being kept.
//
//   struct Mean {
//     struct Accumulator { double sum = 0; int64_t count = 0; };
//     void add(Accumulator& a, const double& v) const;
//     double result(const Accumulator& a) const;
//     void merge(Accumulator& into, const Accumulator& from) const;   // optional
//   };
//
// merge puts two parts together. Sessions need it; sliding windows and aggregation before a shuffle are cheap with it.
#ifndef PENSTOCK_RUNTIME_OPERATORS_AGGREGATES_H_
#define PENSTOCK_RUNTIME_OPERATORS_AGGREGATES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace penstock {

struct Count {
  using Accumulator = int64_t;
  template <class T>
  void add(int64_t& count, const T&) const {
    ++count;
  }
  void merge(int64_t& into, const int64_t& from) const { into += from; }
  int64_t result(const int64_t& count) const { return count; }
};

namespace detail {

// reduce(fn) as an aggregate: the accumulator is the value so far.
template <class T, class Fn>
struct ReduceAggregate {
  using Accumulator = std::optional<T>;
  static constexpr bool kCombines = false;  // before a shuffle
  Fn fn;
  void add(std::optional<T>& so_far, const T& value) const {
    if (so_far.has_value()) {
      so_far = std::invoke(fn, *so_far, value);
    } else {
      so_far = value;
    }
  }
  void merge(std::optional<T>& into, const std::optional<T>& from) const {
    if (from.has_value()) add(into, *from);
  }
  T result(const std::optional<T>& so_far) const { return *so_far; }
};

}  // namespace detail
}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_AGGREGATES_H_
