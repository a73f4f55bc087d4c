// process on a stream without keys: everything map, filter and flat_map can do, with time at hand.
#ifndef PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_

#include <functional>
#include <utility>

#include "runtime/operators/collector.h"
#include "runtime/operators/unary_operator.h"

namespace penstock {

// Valid during the call it was given to.
class ProcessContext {
 public:
  explicit ProcessContext(OperatorContext* context = nullptr) : context_(context) {}
  TimestampMs timestamp() const { return timestamp_; }  // of the record at hand
  TimestampMs watermark() const { return watermark_; }
  Context& task() const { return *context_; }

  void set_record(TimestampMs timestamp) { timestamp_ = timestamp; }
  void set_watermark(TimestampMs watermark) { watermark_ = watermark; }

 private:
  OperatorContext* context_;
  TimestampMs timestamp_ = kNoTimestamp;
  TimestampMs watermark_ = kNoTimestamp;
};

template <class In, class Out, class Fn>
class ProcessOperator final : public UnaryOperator<In, Out> {
 public:
  explicit ProcessOperator(Fn fn) : fn_(std::move(fn)), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    process_context_ = ProcessContext(&context);
    collector_.set_receiver(this->out_);
    OpenFunction(fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    process_context_.set_record(timestamp);
    collector_.set_timestamp(timestamp);
    CallUser(this->context_, [&] { std::invoke(fn_, value, process_context_, collector_); });
  }
  void OnWatermark(TimestampMs watermark) override {
    process_context_.set_watermark(watermark);
    this->out_->OnWatermark(watermark);
  }
  void Close() override { CloseFunction(fn_); }

 private:
  Fn fn_;
  ProcessContext process_context_;
  Collector<Out> collector_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
