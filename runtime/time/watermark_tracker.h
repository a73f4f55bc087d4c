// The event time of a task with n inputs: the minimum over its ACTIVE inputs.
//
// IDLE inputs do not hold time back; FINISHED ones leave the minimum for good and do not push it to infinity. The
// combined watermark never goes back: an input that becomes active again with an older watermark does not undo what has
// been said. Pure; one owner.
#ifndef PENSTOCK_RUNTIME_TIME_WATERMARK_TRACKER_H_
#define PENSTOCK_RUNTIME_TIME_WATERMARK_TRACKER_H_

#include <algorithm>
#include <vector>

#include "runtime/record/time.h"

namespace penstock {

enum class InputStatus { kActive, kIdle, kFinished };

class WatermarkTracker {
 public:
  explicit WatermarkTracker(int inputs) : inputs_(inputs) {}

  void AddInput() { inputs_.emplace_back(); }
  void OnWatermark(int input, TimestampMs watermark) {
    inputs_[input].watermark = std::max(inputs_[input].watermark, watermark);
    // The end of time must be heard from an IDLE input, too: it is the last that comes of it.
    if (watermark == kMaxWatermark) OnStatus(input, InputStatus::kActive);
  }
  void OnStatus(int input, InputStatus status) {
    if (inputs_[input].status != InputStatus::kFinished) inputs_[input].status = status;
  }

  struct Change {
    bool advanced = false;      // the watermark below is news
    bool idle_changed = false;  // so is `idle`
    TimestampMs watermark = kNoTimestamp;
    bool idle = false;  // no input is ACTIVE, but some may become so
  };
  // What the inputs amount to, against what was reported by the last call.
  Change Update() {
    TimestampMs minimum = kMaxWatermark;
    int active = 0;
    int idle = 0;
    holder_ = -1;
    for (int i = 0; i < size(); ++i) {
      if (inputs_[i].status == InputStatus::kIdle) ++idle;
      if (inputs_[i].status != InputStatus::kActive) continue;
      ++active;
      if (holder_ < 0 || inputs_[i].watermark < minimum) {
        minimum = inputs_[i].watermark;
        holder_ = i;
      }
    }
    Change change;
    change.idle = active == 0 && (idle > 0 || size() == 0);
    change.idle_changed = change.idle != idle_;
    idle_ = change.idle;
    if (active > 0 && minimum > watermark_) {
      watermark_ = minimum;
      change.advanced = true;
    }
    change.watermark = watermark_;
    return change;
  }

  // After a restore, before the first Update: time goes on where it stood, and does not run again.
  void Begin(TimestampMs watermark) { watermark_ = watermark; }
  TimestampMs watermark() const { return watermark_; }
  // The ACTIVE input with the smallest watermark as of the last Update; -1: none is active.
  int holder() const { return holder_; }
  TimestampMs input_watermark(int input) const { return inputs_[input].watermark; }
  InputStatus status(int input) const { return inputs_[input].status; }
  bool all_finished() const {
    return std::all_of(inputs_.begin(), inputs_.end(),
                       [](const Input& i) { return i.status == InputStatus::kFinished; });
  }
  int size() const { return static_cast<int>(inputs_.size()); }

 private:
  struct Input {
    TimestampMs watermark = kNoTimestamp;
    InputStatus status = InputStatus::kActive;
  };
  std::vector<Input> inputs_;
  TimestampMs watermark_ = kNoTimestamp;
  bool idle_ = false;
  int holder_ = -1;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TIME_WATERMARK_TRACKER_H_
