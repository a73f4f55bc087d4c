// What becomes of records that come after their windows are gone: counted, sampled, and sent to the side output "late"
// where the job reads it. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_LATE_OUTPUT_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_LATE_OUTPUT_H_

#include <vector>

#include "runtime/record/receiver.h"
#include "runtime/task/operator.h"

namespace penstock {

inline constexpr char kLateName[] = "late";

template <class T>
class LateOutput {
 public:
  // It stands behind the function's own side outputs.
  void Bind(const std::vector<ReceiverBase*>& sides, size_t position) {
    if (position < sides.size()) to_ = static_cast<Receiver<T>*>(sides[position]);
  }
  void Emit(OperatorContext& context, const T& value, TimestampMs timestamp) {
    context.count_late(timestamp);
    if (to_ != nullptr) to_->OnRecord(value, timestamp);
  }

 private:
  Receiver<T>* to_ = nullptr;
};

inline void FailWithoutTimestamp(OperatorContext& context) {
  context.NoteFailingOperator();
  context.Fail(absl::FailedPreconditionError(
      "a record without a timestamp came to an event-time window: put .watermarks(...) before .key_by"));
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_LATE_OUTPUT_H_
