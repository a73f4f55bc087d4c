// The outputs of an operator: the main one, and those beside it, which get their records from side outputs
// (side_output.h) and their time from here. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_OPERATOR_OUTPUTS_H_
#define PENSTOCK_RUNTIME_OPERATORS_OPERATOR_OUTPUTS_H_

#include <vector>

#include "runtime/record/receiver.h"
#include "runtime/task/operator.h"

namespace penstock {

template <class Out>
class OperatorOutputs {
 protected:
  void Connect(int output, ReceiverBase* receiver) {
    if (output == kMainOutput) {
      out_ = static_cast<Receiver<Out>*>(receiver);
      return;
    }
    if (static_cast<int>(sides_.size()) < output) sides_.resize(output, nullptr);
    sides_[output - 1] = receiver;
  }
  void ForwardWatermark(TimestampMs watermark) {
    out_->OnWatermark(watermark);
    for (ReceiverBase* side : sides_) {
      if (side != nullptr) side->OnWatermark(watermark);
    }
  }
  void ForwardIdle(bool idle) {
    out_->OnIdle(idle);
    for (ReceiverBase* side : sides_) {
      if (side != nullptr) side->OnIdle(idle);
    }
  }

  Receiver<Out>* out_ = nullptr;
  std::vector<ReceiverBase*> sides_;  // of outputs 1, 2, ...; null: nobody reads
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_OPERATOR_OUTPUTS_H_
