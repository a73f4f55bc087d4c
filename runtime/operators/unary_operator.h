// Base of the operators with one input and one main output: passes time through and keeps the context.
#ifndef PENSTOCK_RUNTIME_OPERATORS_UNARY_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_UNARY_OPERATOR_H_

#include "runtime/operators/operator_outputs.h"
#include "runtime/operators/user_function.h"

namespace penstock {

template <class In, class Out>
class UnaryOperator : public Operator, public Receiver<In>, public OperatorOutputs<Out> {
 public:
  ReceiverBase* Input(int) override { return this; }
  void SetOutput(int output, ReceiverBase* receiver) override { this->Connect(output, receiver); }
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    return absl::OkStatus();
  }
  void OnWatermark(TimestampMs watermark) override { this->ForwardWatermark(watermark); }
  void OnIdle(bool idle) override { this->ForwardIdle(idle); }

 protected:
  OperatorContext* context_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_UNARY_OPERATOR_H_
