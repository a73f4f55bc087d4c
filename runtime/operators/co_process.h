// process on two connected streams without keys.
//
//   struct Both {
//     void process1(const A&, ProcessContext&, Collector<Out>&);
//     void process2(const B&, ProcessContext&, Collector<Out>&);
//   };
//   struct WithRules {                                  // the second stream is broadcast
//     BroadcastState<std::string, Rule> rules{"rules"};
//     void process(const A&, ProcessContext&, Collector<Out>&);                  // reads it
//     void process_broadcast(const Rule&, BroadcastContext&, Collector<Out>&);  // writes it
//   };
#ifndef PENSTOCK_RUNTIME_OPERATORS_CO_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_CO_PROCESS_H_

#include "runtime/operators/binary_operator.h"
#include "runtime/operators/broadcast_state.h"
#include "runtime/operators/process.h"

namespace penstock {

template <class Fn, class First, class Second, class Context, class Out>
concept CoFunction = requires(Fn& fn, const First& first, const Second& second, Context& context, Collector<Out>& out) {
  fn.process1(first, context, out);
  fn.process2(second, context, out);
};

template <class Fn, class In, class Element, class Context, class WritingContext, class Out>
concept BroadcastFunction = requires(Fn& fn, const In& in, const Element& element, Context& context,
                                     WritingContext& writing, Collector<Out>& out) {
  fn.process(in, context, out);
  fn.process_broadcast(element, writing, out);
};

template <class First, class Second, class Out, class Fn>
class CoProcessOperator final
    : public PlainProcessOperator<BinaryOperator<First, Second, Out>, ProcessContext, Out, Fn> {
 public:
  using PlainProcessOperator<BinaryOperator<First, Second, Out>, ProcessContext, Out, Fn>::PlainProcessOperator;
  void OnFirst(const First& value, TimestampMs timestamp) override {
    this->CallAt(timestamp, [&] { this->fn_->process1(value, this->process_context_, this->collector_); });
  }
  void OnSecond(const Second& value, TimestampMs timestamp) override {
    this->CallAt(timestamp, [&] { this->fn_->process2(value, this->process_context_, this->collector_); });
  }
};

template <class In, class Element, class Out, class Fn>
class BroadcastProcessOperator final
    : public PlainProcessOperator<BinaryOperator<In, Element, Out>, BroadcastContext, Out, Fn> {
 public:
  using PlainProcessOperator<BinaryOperator<In, Element, Out>, BroadcastContext, Out, Fn>::PlainProcessOperator;
  void OnFirst(const In& value, TimestampMs timestamp) override {
    ProcessContext& reading = this->process_context_;
    this->CallAt(timestamp, [&] { this->fn_->process(value, reading, this->collector_); });
  }
  void OnSecond(const Element& value, TimestampMs timestamp) override {
    this->CallAt(timestamp, [&] { this->fn_->process_broadcast(value, this->process_context_, this->collector_); });
  }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_CO_PROCESS_H_
