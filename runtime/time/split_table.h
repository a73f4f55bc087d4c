// What a source task knows of its splits (Kafka partitions, files). Written by the source driver, read by the watermark
// operators of the same chain and, through Snapshot, by the metrics thread.
//
// Owner: the task's thread; Snapshot is for any thread.
#ifndef PENSTOCK_RUNTIME_TIME_SPLIT_TABLE_H_
#define PENSTOCK_RUNTIME_TIME_SPLIT_TABLE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/record/time.h"

namespace penstock {

class SplitTable {
 public:
  struct View {
    std::string name;
    int64_t position = -1;
    int64_t end = -1;
    TimestampMs watermark = kNoTimestamp;
    bool idle = false;
    bool finished = false;
  };

  int Add(std::string name) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    splits_.emplace_back();
    splits_.back().name = std::move(name);
    return static_cast<int>(splits_.size()) - 1;
  }
  // While true more splits of the start are to come: time stands still.
  bool discovering() const { return discovering_; }
  void SetDiscovering(bool discovering) { discovering_ = discovering; }
  int size() const { return static_cast<int>(splits_.size()); }

  int current() const { return current_; }
  void SetCurrent(int split) { current_ = split; }

  bool caught_up(int split) const { return splits_[split].caught_up; }
  void SetCaughtUp(int split, bool caught_up) { splits_[split].caught_up = caught_up; }
  bool finished(int split) const { return splits_[split].finished.load(std::memory_order_relaxed); }
  void Finish(int split) { splits_[split].finished.store(true, std::memory_order_relaxed); }

  // Where the record in hand lies, for people; empty while the source is not emitting, or there is none.
  void SetOrigin(std::function<std::string()> origin) { origin_ = std::move(origin); }
  void SetEmitting(bool emitting) { emitting_ = emitting; }
  std::string Origin() const { return emitting_ && origin_ ? origin_() : std::string(); }

  void SetPosition(int split, int64_t position, int64_t end) {
    splits_[split].position.store(position, std::memory_order_relaxed);
    splits_[split].end.store(end, std::memory_order_relaxed);
  }
  void SetTime(int split, TimestampMs watermark, bool idle) {
    splits_[split].watermark.store(watermark, std::memory_order_relaxed);
    splits_[split].idle.store(idle, std::memory_order_relaxed);
  }

  std::vector<View> Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);  // splits are only ever added; a deque keeps them in place
    std::vector<View> views;
    for (const Split& split : splits_) {
      views.push_back({split.name, split.position.load(), split.end.load(), split.watermark.load(), split.idle.load(),
                       split.finished.load()});
    }
    return views;
  }

 private:
  struct Split {
    std::string name;
    bool caught_up = false;
    std::atomic<bool> finished{false};
    std::atomic<int64_t> position{-1};
    std::atomic<int64_t> end{-1};
    std::atomic<TimestampMs> watermark{kNoTimestamp};
    std::atomic<bool> idle{false};
  };

  mutable Mutex mutex_;  // for growth against Snapshot
  std::deque<Split> splits_;
  int current_ = 0;
  bool discovering_ = false;
  bool emitting_ = false;
  std::function<std::string()> origin_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TIME_SPLIT_TABLE_H_
