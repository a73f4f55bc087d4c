// SliceQueue: the slices of one key's sliding window, so that the newest value of the window costs one merge, whatever
// the number of slices.
//
// Two stacks make a queue with a running aggregate (K. Tangwongsan et al., "General incremental sliding-window
// aggregation", VLDB 2015): `back` takes new slices and knows their total; `front` gives the oldest away and knows, for
// each of its slices, the aggregate from that slice on. When front is empty, back is turned over into it: each slice
// once. Slices that may still take records wait in `open`; a record that comes for one which a fired window had, and
// later ones will have, is worked into the stacks. A value kept in state, its members by name.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICE_QUEUE_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICE_QUEUE_H_

#include <optional>
#include <utility>
#include <vector>

#include "runtime/record/time.h"

namespace penstock {

template <class Accumulator>
struct Slice {
  TimestampMs end = 0;
  Accumulator value{};
};

template <class Accumulator>
struct SliceQueue {
  std::vector<Slice<Accumulator>> open;   // oldest first
  std::vector<Slice<Accumulator>> back;   // oldest first
  std::vector<Slice<Accumulator>> front;  // newest first, each with the aggregate from it to the newest of front
  std::optional<Accumulator> back_total;
  TimestampMs closed_end = kNoTimestamp;  // slices up to here are in back and front
  TimestampMs fires_at = kMaxWatermark;   // the end of the window that fires next

  bool empty() const { return open.empty() && back.empty() && front.empty(); }
  // Adds a record to the slice of that end: add(Accumulator&), for each accumulator that has to know of it.
  template <class Add>
  void AddTo(TimestampMs end, Add&& add) {
    if (end > closed_end) {
      add(SliceIn(open, end));
    } else if (!front.empty() && end <= front.front().end) {
      AddToFront(end, add);
    } else {
      add(SliceIn(back, end));
      if (!back_total.has_value()) back_total.emplace();
      add(*back_total);
    }
  }
  // No record comes any more for slices up to that end.
  template <class Aggregate>
  void CloseUpTo(TimestampMs end, const Aggregate& aggregate) {
    closed_end = end;
    size_t closed = 0;
    for (; closed < open.size() && open[closed].end <= end; ++closed) {
      Slice<Accumulator>& slice = open[closed];
      if (back_total.has_value()) {
        aggregate.merge(*back_total, slice.value);
      } else {
        back_total = slice.value;
      }
      back.push_back(std::move(slice));
    }
    open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(closed));
  }
  // Drops slices that end at or before `end`.
  template <class Aggregate>
  void DropUpTo(TimestampMs end, const Aggregate& aggregate) {
    while (true) {
      if (front.empty()) {
        if (back.empty() || back.front().end > end) return;
        TurnOver(aggregate);
      }
      if (front.back().end > end) return;
      front.pop_back();
    }
  }
  // The value of all closed slices; none: there are none.
  template <class Aggregate>
  std::optional<Accumulator> Total(const Aggregate& aggregate) const {
    if (front.empty()) return back_total;
    std::optional<Accumulator> total = front.back().value;
    if (back_total.has_value()) aggregate.merge(*total, *back_total);
    return total;
  }

 private:
  using Slices = std::vector<Slice<Accumulator>>;
  static Accumulator& SliceIn(Slices& slices, TimestampMs end) {
    auto at = slices.end();
    while (at != slices.begin() && std::prev(at)->end > end) --at;
    if (at != slices.begin() && std::prev(at)->end == end) return std::prev(at)->value;
    return slices.insert(at, {end, Accumulator{}})->value;
  }
  // REQUIRES: end <= that of the newest.
  template <class Add>
  void AddToFront(TimestampMs end, Add& add) {
    size_t at = 0;
    while (at < front.size() && front[at].end > end) ++at;
    if (at == front.size() || front[at].end != end) {
      Slice<Accumulator> slice{end, front[at - 1].value};
      front.insert(front.begin() + static_cast<std::ptrdiff_t>(at), std::move(slice));
    }
    for (; at < front.size(); ++at) add(front[at].value);
  }
  template <class Aggregate>
  void TurnOver(const Aggregate& aggregate) {
    for (size_t i = back.size(); i > 0; --i) {
      Slice<Accumulator>& slice = back[i - 1];
      if (!front.empty()) aggregate.merge(slice.value, front.back().value);
      front.push_back(std::move(slice));
    }
    back.clear();
    back_total.reset();
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_SLICE_QUEUE_H_
