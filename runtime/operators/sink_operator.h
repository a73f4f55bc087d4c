// The end of a stream: drives a SinkWriter.
#ifndef PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/metrics/metrics.h"
#include "runtime/operators/user_function.h"
#include "runtime/task/sink.h"

namespace penstock {

inline constexpr char kSinkState[] = "sink";

template <class T>
class SinkOperator final : public Operator, public Receiver<T> {
 public:
  explicit SinkOperator(std::unique_ptr<SinkWriter<T>> writer) : writer_(std::move(writer)) {}

  ReceiverBase* Input(int) override { return this; }
  void SetOutput(int, ReceiverBase*) override {}
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    records_ = &context.sink_records();
    transactions_ = writer_->transactions();
    if (transactions_ != nullptr) transactions_->Begin(Start());
    return CallUser(context_, [&] { return writer_->Open(context); });
  }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    const absl::Status status = CallUser(context_, [&] { return writer_->Write(value, timestamp); });
    if (status.ok()) {
      records_->Add();
    } else {
      Fail(status);
    }
  }
  void OnWatermark(TimestampMs) override {}
  void OnIdle(bool) override {}
  void OnTick(int64_t) override {
    const absl::Status status =
        CallUser(context_, [&] { return transactions_ == nullptr ? writer_->Tick() : transactions_->Advance(); });
    if (!status.ok()) Fail(status);
  }
  absl::Status Finish() override {
    if (transactions_ != nullptr) return absl::OkStatus();  // the last checkpoint flushes
    return CallUser(context_, [&] { return writer_->Flush(); });
  }
  // What came before the barrier is delivered, or ready to be committed, before the barrier is acknowledged.
  absl::Status Snapshot(const Barrier& barrier, OperatorStateWriter& state) override {
    if (transactions_ == nullptr) return CallUser(context_, [&] { return writer_->Flush(); });
    auto part = CallUser(context_, [&] { return transactions_->Prepare(barrier); });
    if (!part.ok()) return part.status();
    OperatorState handed_in{.kind = OperatorStateKind::kUnion, .items = {std::move(part->state)}, .files = {{}}};
    for (const SealedLog& log : part->logs) handed_in.files[0].push_back(log.file());
    state.Put(kSinkState, std::move(handed_in));
    return absl::OkStatus();
  }
  void OnDecided(uint64_t checkpoint_id) override {
    if (transactions_ != nullptr) transactions_->OnDecided(checkpoint_id);
  }
  void OnAborted(uint64_t checkpoint_id) override {
    if (transactions_ != nullptr) transactions_->OnAborted(checkpoint_id);
  }
  bool NeedsFinalCheckpoint() const override { return transactions_ != nullptr && transactions_->HasUnprepared(); }
  std::optional<uint64_t> OldestUncommitted() const override {
    return transactions_ == nullptr ? std::nullopt : transactions_->OldestUncommitted();
  }
  void Close() override { writer_->Close(); }

 private:
  SinkStart Start() const {
    SinkStart start{.origin = context_->origin(), .sink_uid = context_->operator_uid()};
    if (context_->restored() == nullptr) return start;
    const OperatorState& state = context_->restored()->Get(kSinkState);
    for (size_t i = 0; i < state.items.size(); ++i) {
      SinkPart& part = start.parts.emplace_back(SinkPart{.state = state.items[i]});
      if (i >= state.files.size()) continue;
      for (const auto& file : state.files[i]) part.logs.emplace_back(file);
    }
    return start;
  }
  void Fail(const absl::Status& status) {
    context_->NoteFailingOperator();
    context_->Fail(status);
  }

  const std::unique_ptr<SinkWriter<T>> writer_;
  OperatorContext* context_ = nullptr;
  Counter* records_ = nullptr;
  SinkTransactions* transactions_ = nullptr;  // the writer's, or null
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_SINK_OPERATOR_H_
