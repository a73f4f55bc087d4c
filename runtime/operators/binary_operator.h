// Base of the operators with two inputs of different types and one main output.
//
// Records come by input, time does not: who drives the operator merges what the inputs say about it (the minimum of
// their watermarks, idle when both are) and tells it once.
#ifndef PENSTOCK_RUNTIME_OPERATORS_BINARY_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_BINARY_OPERATOR_H_

#include "runtime/operators/operator_outputs.h"
#include "runtime/operators/user_function.h"

namespace penstock {

template <class First, class Second, class Out>
class BinaryOperator : public Operator, public OperatorOutputs<Out> {
 public:
  ReceiverBase* Input(int index) override { return index == 0 ? static_cast<ReceiverBase*>(&first_) : &second_; }
  void SetOutput(int output, ReceiverBase* receiver) override { this->Connect(output, receiver); }
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    return absl::OkStatus();
  }
  virtual void OnFirst(const First& value, TimestampMs timestamp) = 0;
  virtual void OnSecond(const Second& value, TimestampMs timestamp) = 0;
  virtual void OnWatermark(TimestampMs watermark) { this->ForwardWatermark(watermark); }
  virtual void OnIdle(bool idle) { this->ForwardIdle(idle); }

 protected:
  OperatorContext* context_ = nullptr;

 private:
  template <class In, void (BinaryOperator::*kOnRecord)(const In&, TimestampMs)>
  class Side final : public Receiver<In> {
   public:
    explicit Side(BinaryOperator& op) : op_(op) {}
    void OnRecord(const In& value, TimestampMs timestamp) override { (op_.*kOnRecord)(value, timestamp); }
    void OnWatermark(TimestampMs watermark) override { op_.OnWatermark(watermark); }
    void OnIdle(bool idle) override { op_.OnIdle(idle); }

   private:
    BinaryOperator& op_;
  };

  Side<First, &BinaryOperator::OnFirst> first_{*this};
  Side<Second, &BinaryOperator::OnSecond> second_{*this};
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_BINARY_OPERATOR_H_
