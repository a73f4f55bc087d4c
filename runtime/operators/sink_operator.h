// The end of a stream: drives a SinkWriter.
#ifndef PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_

#include <memory>
#include <utility>

#include "runtime/metrics/metrics.h"
#include "runtime/operators/user_function.h"
#include "runtime/task/sink.h"

namespace penstock {

template <class T>
class SinkOperator final : public Operator, public Receiver<T> {
 public:
  explicit SinkOperator(std::unique_ptr<SinkWriter<T>> writer) : writer_(std::move(writer)) {}

  ReceiverBase* Input(int) override { return this; }
  void SetOutput(int, ReceiverBase*) override {}
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    records_ = &context.sink_records();
    return CallUser(context_, [&] { return writer_->Open(context); });
  }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    const absl::Status status = CallUser(context_, [&] { return writer_->Write(value, timestamp); });
    if (status.ok()) {
      records_->Add();
    } else {
      context_->NoteFailingOperator();
      context_->Fail(status);
    }
  }
  void OnWatermark(TimestampMs) override {}
  void OnIdle(bool) override {}
  absl::Status Finish() override {
    return CallUser(context_, [&] { return writer_->Flush(); });
  }
  // At least once: what came before the barrier is delivered before the barrier is acknowledged.
  absl::Status Snapshot(const Barrier&, OperatorStateWriter&) override {
    return CallUser(context_, [&] { return writer_->Flush(); });
  }
  void Close() override { writer_->Close(); }

 private:
  const std::unique_ptr<SinkWriter<T>> writer_;
  OperatorContext* context_ = nullptr;
  Counter* records_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_
