// What a window operator keeps of one key: its windows, and when the key wants to be looked at next.
//
// Kept in a KeyedTable as a row per key, written as a whole when it has changed. Members have names in state, so that
// accumulators and trigger states may gain and lose fields. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_ROW_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_ROW_H_

#include <algorithm>
#include <vector>

#include "runtime/operators/window/time_window.h"

namespace penstock {

inline constexpr TimestampMs kNever = kMaxWatermark;
inline constexpr char kWindowRowsKind[] = "windows of a key";

template <class Stored, class TriggerState>
struct WindowCell {
  TimeWindow window;
  bool ended = false;  // it has had its turn at its end
  Stored contents{};
  TriggerState trigger{};
  std::vector<TimestampMs> event_timers;  // of the trigger, in order
  std::vector<TimestampMs> processing_timers;
};

template <class Cell>
struct WindowRow {
  std::vector<Cell> cells;  // in order of their windows
  TimestampMs event_timer = kNever;
  TimestampMs processing_timer = kNever;
};

// The cell of that window, made when there is none.
template <class Cell>
Cell& CellOf(WindowRow<Cell>& row, const TimeWindow& window) {
  // From the newest: that is where records mostly belong.
  auto at = row.cells.end();
  while (at != row.cells.begin() && window < std::prev(at)->window) --at;
  if (at != row.cells.begin() && std::prev(at)->window == window) return *std::prev(at);
  at = row.cells.emplace(at);
  at->window = window;
  return *at;
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_ROW_H_
