// process on streams without keys: everything map, filter and flat_map can do, with time and plain state
// (plain_state.h) at hand. One input here, two in co_process.h.
#ifndef PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_

#include <functional>

#include "runtime/operators/collector.h"
#include "runtime/operators/plain_state.h"
#include "runtime/operators/process_context.h"
#include "runtime/operators/unary_operator.h"

namespace penstock {

// What operators of process functions without keys have in common. Base: UnaryOperator or BinaryOperator.
template <class Base, class Context, class Out, class Fn>
class PlainProcessOperator : public Base {
 public:
  explicit PlainProcessOperator(const Fn& prototype) : fn_(prototype), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    process_context_ = Context(&context);
    collector_.set_receiver(this->out_);
    return fn_.Open(context, this->sides_);
  }
  void OnWatermark(TimestampMs watermark) override {
    process_context_.set_watermark(watermark);
    this->ForwardWatermark(watermark);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 protected:
  // Calls user code for a record of that time.
  template <class Call>
  void CallAt(TimestampMs timestamp, Call&& call) {
    fn_.set_timestamp(timestamp);
    process_context_.set_record(timestamp);
    collector_.set_timestamp(timestamp);
    CallUser(this->context_, std::forward<Call>(call));
  }

  PlainFunction<Fn> fn_;
  Context process_context_;
  Collector<Out> collector_;
};

template <class In, class Out, class Fn>
class ProcessOperator final : public PlainProcessOperator<UnaryOperator<In, Out>, ProcessContext, Out, Fn> {
 public:
  using PlainProcessOperator<UnaryOperator<In, Out>, ProcessContext, Out, Fn>::PlainProcessOperator;
  void OnRecord(const In& value, TimestampMs timestamp) override {
    this->CallAt(timestamp, [&] { std::invoke(*this->fn_, value, this->process_context_, this->collector_); });
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
