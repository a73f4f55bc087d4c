// One watermark out of the splits of a source subtask: per split the largest time seen less the disorder, merged by the
// tracker. A split without a record yet holds time back until it is idle.
//
// The idle clock of a split runs only while the split is caught up and its task polls (protocols.md F1): the task calls
// OnPoll after each poll of the source, and only caught-up splits age. Pure but for the table it reports to; owner: the
// task's thread.
#ifndef PENSTOCK_RUNTIME_TIME_SPLIT_CLOCK_H_
#define PENSTOCK_RUNTIME_TIME_SPLIT_CLOCK_H_

#include <algorithm>
#include <vector>

#include "runtime/time/split_table.h"
#include "runtime/time/watermark_strategy.h"
#include "runtime/time/watermark_tracker.h"

namespace penstock {

class SplitClock {
 public:
  SplitClock(SplitTable& table, int64_t disorder_ms, int64_t idle_after_ms)
      : table_(table), disorder_ms_(disorder_ms), idle_after_ms_(idle_after_ms), tracker_(0) {}

  // Hot: one compare per record.
  void OnRecord(TimestampMs time) {
    const size_t split = static_cast<size_t>(table_.current());
    if (split >= max_time_.size()) Grow(split + 1);
    if (time > max_time_[split]) max_time_[split] = time;
    active_[split] = true;
  }

  // A generator's word for the current split, instead of its largest time: for a clock without disorder.
  void OnGenerated(TimestampMs watermark) {
    const size_t split = static_cast<size_t>(table_.current());
    if (split >= max_time_.size()) Grow(split + 1);
    if (watermark < kMaxWatermark && watermark + 1 > max_time_[split]) max_time_[split] = watermark + 1;
  }
  // A record came that says nothing about time.
  void OnActivity() {
    const size_t split = static_cast<size_t>(table_.current());
    if (split >= max_time_.size()) Grow(split + 1);
    active_[split] = true;
  }
  // Between polls, for a watermark that shall not wait for the next one.
  WatermarkTracker::Change OnPunctuation() {
    const int split = table_.current();
    if (max_time_[split] != kNoTimestamp) tracker_.OnWatermark(split, max_time_[split] - disorder_ms_ - 1);
    if (table_.discovering()) return {};
    return tracker_.Update();
  }

  // now_ms is monotonic. Returns what has changed since the last call.
  WatermarkTracker::Change OnPoll(int64_t now_ms) {
    Grow(static_cast<size_t>(table_.size()));
    for (size_t i = 0; i < max_time_.size(); ++i) UpdateSplit(static_cast<int>(i), now_ms);
    // Time must not move on the word of the first splits, and no splits yet is not the same as none: idle.
    if (table_.discovering()) return {};
    return tracker_.Update();
  }

  TimestampMs watermark() const { return tracker_.watermark(); }
  int holder() const { return tracker_.holder(); }

 private:
  void Grow(size_t splits) {
    while (max_time_.size() < splits) {
      max_time_.push_back(kNoTimestamp);
      active_.push_back(true);
      silent_since_ms_.push_back(-1);
      tracker_.AddInput();
    }
  }

  void UpdateSplit(int split, int64_t now_ms) {
    if (split < table_.size() && table_.finished(split)) {
      tracker_.OnStatus(split, InputStatus::kFinished);
    } else if (active_[split] || split >= table_.size() || !table_.caught_up(split) || idle_after_ms_ == kNeverIdle) {
      silent_since_ms_[split] = now_ms;
      tracker_.OnStatus(split, InputStatus::kActive);
    } else if (now_ms - silent_since_ms_[split] >= idle_after_ms_) {
      tracker_.OnStatus(split, InputStatus::kIdle);
    }
    active_[split] = false;
    // Flink's convention: a watermark w says that nothing with a time <= w follows.
    if (max_time_[split] != kNoTimestamp) tracker_.OnWatermark(split, max_time_[split] - disorder_ms_ - 1);
    if (split < table_.size()) {
      table_.SetTime(split, tracker_.input_watermark(split), tracker_.status(split) == InputStatus::kIdle);
    }
  }

  SplitTable& table_;
  const int64_t disorder_ms_;
  const int64_t idle_after_ms_;
  WatermarkTracker tracker_;
  std::vector<TimestampMs> max_time_;
  std::vector<char> active_;  // a record came since the last poll
  std::vector<int64_t> silent_since_ms_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TIME_SPLIT_CLOCK_H_
