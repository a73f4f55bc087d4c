// The states of a keyed function that are one value per key, declared as its members:
//
//   struct Dedupe { ValueState<bool> seen{"seen", Ttl{24h}}; void operator()(const Event&, KeyedContext<Key>&,
//   Collector<Event>&); };
//
// A member registers when the function is copied inside a StateScope: once while the graph is built, so that the plan
// lists it, and once per subtask, so that it is bound to the subtask's rows. Owner: the task's thread; usable only
// while the function handles a record or timer of a key.
#ifndef PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_
#define PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/state/state_row.h"

namespace penstock {

template <class V>
class ValueState {
 public:
  explicit ValueState(std::string name, Ttl ttl = {}) : cell_(std::move(name), "value", ttl) {}

  bool has_value() const { return cell_.Read().has_value(); }
  // REQUIRES: has_value().
  const V& value() const { return *cell_.Read(); }
  V value_or(V otherwise) const { return cell_.Read().value_or(std::move(otherwise)); }
  void set(V value) { cell_.Write() = std::move(value); }
  void clear() { cell_.Write().reset(); }
  // The value itself, made from `initial` when there is none.
  V& mutable_value(V initial = V()) {
    std::optional<V>& slot = cell_.Write();
    if (!slot.has_value()) slot = std::move(initial);
    return *slot;
  }

 private:
  RowCell<V> cell_;
};

// A list per key, kept and written as a whole; its TTL is the list's.
template <class V>
class ListState {
 public:
  explicit ListState(std::string name, Ttl ttl = {}) : cell_(std::move(name), "list", ttl) {}

  bool empty() const { return values().empty(); }
  const std::vector<V>& values() const {
    static const std::vector<V> none;
    const std::optional<std::vector<V>>& list = cell_.Read();
    return list.has_value() ? *list : none;
  }
  void add(V value) { mutable_values().push_back(std::move(value)); }
  void set(std::vector<V> values) { cell_.Write() = std::move(values); }
  void clear() { cell_.Write().reset(); }
  std::vector<V>& mutable_values() {
    std::optional<std::vector<V>>& list = cell_.Write();
    if (!list.has_value()) list.emplace();
    return *list;
  }

 private:
  RowCell<std::vector<V>> cell_;
};

// The values added so far, reduced to one by fn(const V&, const V&) → V.
template <class V>
class ReducingState {
 public:
  using Reduce = std::function<V(const V&, const V&)>;
  ReducingState(std::string name, Reduce reduce, Ttl ttl = {})
      : cell_(std::move(name), "reducing", ttl), reduce_(std::move(reduce)) {}

  void add(V value) {
    std::optional<V>& slot = cell_.Write();
    slot = slot.has_value() ? reduce_(*slot, value) : std::move(value);
  }
  std::optional<V> get() const { return cell_.Read(); }
  void clear() { cell_.Write().reset(); }

 private:
  RowCell<V> cell_;
  Reduce reduce_;
};

// The values added so far, as an aggregate function (see aggregates.h) accumulates them.
template <class Aggregate>
class AggregatingState {
 public:
  using Accumulator = typename Aggregate::Accumulator;
  explicit AggregatingState(std::string name, Aggregate aggregate = {}, Ttl ttl = {})
      : cell_(std::move(name), "aggregating", ttl), aggregate_(std::move(aggregate)) {}

  template <class T>
  void add(const T& value) {
    std::optional<Accumulator>& slot = cell_.Write();
    if (!slot.has_value()) slot.emplace();
    aggregate_.add(*slot, value);
  }
  auto get() const {
    using Result = std::remove_cvref_t<decltype(aggregate_.result(std::declval<const Accumulator&>()))>;
    const std::optional<Accumulator>& slot = cell_.Read();
    return slot.has_value() ? std::optional<Result>(aggregate_.result(*slot)) : std::nullopt;
  }
  void clear() { cell_.Write().reset(); }

 private:
  RowCell<Accumulator> cell_;
  Aggregate aggregate_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_
