// What several inputs say about time, told to one receiver: the minimum of their watermarks, idle when all are.
//
// Owner: the task's thread. The receiver outlives it.
#ifndef PENSTOCK_RUNTIME_TIME_TIME_MERGE_H_
#define PENSTOCK_RUNTIME_TIME_TIME_MERGE_H_

#include "runtime/record/receiver.h"
#include "runtime/time/watermark_tracker.h"

namespace penstock {

// News of a tracker, in the order in which a receiver must hear of it.
inline void TellTime(const WatermarkTracker::Change& change, ReceiverBase& to) {
  if (change.idle_changed && !change.idle) to.OnIdle(false);
  if (change.advanced) to.OnWatermark(change.watermark);
  if (change.idle_changed && change.idle) to.OnIdle(true);
}

class TimeMerge {
 public:
  explicit TimeMerge(ReceiverBase* to) : to_(to) {}

  // The number of the new input. Before the first element.
  int AddInput() {
    tracker_.AddInput();
    return tracker_.size() - 1;
  }
  void OnWatermark(int input, TimestampMs watermark) {
    tracker_.OnWatermark(input, watermark);
    TellTime(tracker_.Update(), *to_);
  }
  void OnIdle(int input, bool idle) {
    tracker_.OnStatus(input, idle ? InputStatus::kIdle : InputStatus::kActive);
    TellTime(tracker_.Update(), *to_);
  }

 private:
  ReceiverBase* const to_;
  WatermarkTracker tracker_{0};
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TIME_TIME_MERGE_H_
