// What a process function sees of time and of its task. Valid during the call it was given to.
#ifndef PENSTOCK_RUNTIME_OPERATORS_PROCESS_CONTEXT_H_
#define PENSTOCK_RUNTIME_OPERATORS_PROCESS_CONTEXT_H_

#include "runtime/record/time.h"
#include "runtime/task/operator.h"

namespace penstock {

class ProcessContext {
 public:
  explicit ProcessContext(OperatorContext* context = nullptr) : context_(context) {}
  TimestampMs timestamp() const { return timestamp_; }  // of the record at hand
  TimestampMs watermark() const { return watermark_; }
  Context& task() const { return *context_; }
  // The record at hand came too late for what the function does: counted and sampled like those that windows drop.
  void count_late() { context_->count_late(timestamp_); }

  void set_record(TimestampMs timestamp) { timestamp_ = timestamp; }
  void set_watermark(TimestampMs watermark) { watermark_ = watermark; }

 private:
  OperatorContext* context_;
  TimestampMs timestamp_ = kNoTimestamp;
  TimestampMs watermark_ = kNoTimestamp;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_PROCESS_CONTEXT_H_
