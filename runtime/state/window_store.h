// Accumulators of keyed windows: window end → key group → key. A fire is a scan of what lies under one end, a purge
// drops it (protocols.md C9).
//
// Owner: the task's thread. The pane of the last record is remembered, since neighbours in a stream mostly share it.
#ifndef PENSTOCK_RUNTIME_STATE_WINDOW_STORE_H_
#define PENSTOCK_RUNTIME_STATE_WINDOW_STORE_H_

#include <map>
#include <memory>
#include <vector>

#include "runtime/record/key_hash.h"
#include "runtime/record/time.h"
#include "runtime/state/keyed_table.h"

namespace penstock {

template <class K, class Acc>
class WindowStore {
 public:
  using Table = KeyedTable<K, Acc>;

  WindowStore(KeyGroupRange range, uint32_t key_groups) : range_(range), key_groups_(key_groups) {}

  template <class Make>
  Acc& FindOrInsert(TimestampMs window_end, uint64_t hash, const K& key, Make&& make) {
    if (last_pane_ == nullptr || last_end_ != window_end) {
      std::unique_ptr<Pane>& pane = panes_[window_end];
      if (pane == nullptr) pane = std::make_unique<Pane>(range_.end - range_.begin);
      last_pane_ = pane.get();
      last_end_ = window_end;
    }
    return (*last_pane_)[KeyGroupOf(hash, key_groups_).value - range_.begin].FindOrInsert(hash, key,
                                                                                          std::forward<Make>(make));
  }

  bool empty() const { return panes_.empty(); }
  // REQUIRES: !empty().
  TimestampMs first_end() const { return panes_.begin()->first; }

  // Takes entries out of the oldest window, at most `max`, calling fn(key, accumulator) for each. True when the window
  // is used up (and gone). What has been taken out is no longer state, so a snapshot between two calls is consistent.
  template <class Fn>
  bool TakeFromFirst(int max, Fn&& fn) {
    Pane& pane = *panes_.begin()->second;
    while (!pane.empty()) {
      Table& table = pane.back();
      while (!table.empty()) {
        if (max-- == 0) return false;
        auto& entry = table.at(table.size() - 1);
        fn(entry.key, entry.value);
        table.PopBack();
      }
      pane.pop_back();
    }
    if (last_pane_ == &pane) last_pane_ = nullptr;
    panes_.erase(panes_.begin());
    return true;
  }

  size_t windows() const { return panes_.size(); }

 private:
  using Pane = std::vector<Table>;  // by key group less range_.begin; shrinks from the end while it fires

  const KeyGroupRange range_;
  const uint32_t key_groups_;
  std::map<TimestampMs, std::unique_ptr<Pane>> panes_;
  Pane* last_pane_ = nullptr;
  TimestampMs last_end_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_WINDOW_STORE_H_
