// process on a stream without keys: everything map, filter and flat_map can do, with time and lists of
// its own (operator_lists.h) at hand.
#ifndef PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_

#include <functional>
#include <optional>
#include <utility>

#include "runtime/core/clock.h"
#include "runtime/operators/collector.h"
#include "runtime/operators/operator_lists.h"
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
  explicit ProcessOperator(const Fn& prototype) : collector_(nullptr) {
    const OperatorListScope scope(lists_);
    fn_.emplace(prototype);
  }

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    process_context_ = ProcessContext(&context);
    collector_.set_receiver(this->out_);
    if (context.restored() != nullptr) {
      for (const auto& list : lists_) {
        absl::Status status = RestoreList(*context.restored(), context.clock().NowMs(), *list);
        if (!status.ok()) return status;
      }
    }
    OpenFunction(*fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    process_context_.set_record(timestamp);
    collector_.set_timestamp(timestamp);
    CallUser(this->context_, [&] { std::invoke(*fn_, value, process_context_, collector_); });
  }
  void OnWatermark(TimestampMs watermark) override {
    process_context_.set_watermark(watermark);
    this->out_->OnWatermark(watermark);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override {
    SnapshotLists(lists_, state);
    return absl::OkStatus();
  }
  void Close() override { CloseFunction(*fn_); }

 private:
  OperatorLists lists_;
  std::optional<Fn> fn_;
  ProcessContext process_context_;
  Collector<Out> collector_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_PROCESS_H_
