// Evictors: which of a window's records stay out of it when it fires. Values. A window with an evictor keeps its
// records.
//
//   struct NoRefunds { template <class T> void evict_before(WindowElements<T>& elements, const TimeWindow&); };
//
// evict_before and evict_after are optional, and called before and after the window function. What they take out is
// gone.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_EVICTORS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_EVICTORS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/window/assigners.h"

namespace penstock {

// A record with its time: its event time, or the processing time it came at where windows go by that.
template <class T>
struct WindowElement {
  T value;
  TimestampMs timestamp = kNoTimestamp;
};

// The records a window keeps, in order of arrival. Iterating gives the values.
template <class T>
class WindowElements {
 public:
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(const WindowElement<T>* at) : at_(at) {}
    const T& operator*() const { return at_->value; }
    const T* operator->() const { return &at_->value; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const WindowElement<T>* at_ = nullptr;
  };

  explicit WindowElements(std::vector<WindowElement<T>>& elements) : elements_(&elements) {}
  Iterator begin() const { return Iterator(elements_->data()); }
  Iterator end() const { return Iterator(elements_->data() + elements_->size()); }
  size_t size() const { return elements_->size(); }
  bool empty() const { return elements_->empty(); }
  const T& operator[](size_t i) const { return (*elements_)[i].value; }
  TimestampMs timestamp(size_t i) const { return (*elements_)[i].timestamp; }
  // For evictors: fn(const WindowElement<T>&) → bool says which go.
  template <class Fn>
  void remove_if(Fn&& fn) {
    std::erase_if(*elements_, std::forward<Fn>(fn));
  }
  void remove_first(size_t count) {
    elements_->erase(elements_->begin(), elements_->begin() + static_cast<std::ptrdiff_t>(std::min(count, size())));
  }

 private:
  std::vector<WindowElement<T>>* elements_;
};

struct NoEvictor {};

// The last so many stay.
struct CountEvictor {
  int64_t count = 1;
  std::string Check() const {
    return count > 0 ? "" : "a count evictor needs a count above 0, it has " + std::to_string(count);
  }
  template <class T>
  void evict_before(WindowElements<T>& elements, const TimeWindow&) const {
    if (elements.size() > static_cast<size_t>(count)) elements.remove_first(elements.size() - count);
  }
};

// Those stay that are at most so much older than the newest.
struct TimeEvictor {
  int64_t keep_ms = 0;
  std::string Check() const {
    return keep_ms >= 0 ? "" : "a time evictor needs a duration of 0 or more, it has " + detail::Ms(keep_ms);
  }
  template <class T>
  void evict_before(WindowElements<T>& elements, const TimeWindow&) const {
    TimestampMs newest = kNoTimestamp;
    for (size_t i = 0; i < elements.size(); ++i) newest = std::max(newest, elements.timestamp(i));
    elements.remove_if([&](const WindowElement<T>& element) { return element.timestamp < newest - keep_ms; });
  }
};

// Those stay that differ from the last one by less than `threshold`. delta(const T& value, const T& last) → double.
template <class Delta>
struct DeltaEvictor {
  double threshold = 0;
  Delta delta;
  template <class T>
  void evict_before(WindowElements<T>& elements, const TimeWindow&) const {
    if (elements.empty()) return;
    const T last = elements[elements.size() - 1];
    elements.remove_if([&](const WindowElement<T>& e) { return std::invoke(delta, e.value, last) >= threshold; });
  }
};

inline CountEvictor keep_last(int64_t count) { return {count}; }
inline TimeEvictor keep_newest(WindowDuration duration) { return {duration.count()}; }
template <class Delta>
DeltaEvictor<Delta> keep_within(double threshold, Delta delta) {
  return {threshold, std::move(delta)};
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_EVICTORS_H_
