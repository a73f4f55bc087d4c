// The head of a source chain: drives a SourceReader and keeps the split table.
#ifndef PENSTOCK_RUNTIME_OPERATORS_SOURCE_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_SOURCE_OPERATOR_H_

#include <memory>
#include <string>
#include <utility>

#include "runtime/core/status_macros.h"
#include "runtime/metrics/metrics.h"
#include "runtime/operators/user_function.h"
#include "runtime/task/source.h"
#include "runtime/time/split_table.h"

namespace penstock {

template <class T>
class TypedSourceOperator final : public SourceOperator, private SourceOutput<T> {
 public:
  explicit TypedSourceOperator(std::unique_ptr<SourceReader<T>> reader) : reader_(std::move(reader)) {}

  void SetOutput(int, ReceiverBase* receiver) override { out_ = static_cast<Receiver<T>*>(receiver); }
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    splits_ = &context.splits();
    records_ = &context.source_records();
    splits_->SetOrigin([this] { return reader_->DescribeCurrent(); });
    if (const RestoredState* state = context.restored()) {
      PENSTOCK_RETURN_IF_ERROR(CallUser(context_, [&] { return reader_->Restore(state->Items(kPositions)); }));
    }
    return CallUser(context_, [&] { return reader_->Open(context, *this); });
  }
  absl::StatusOr<SourceStep> Poll() override {
    const absl::StatusOr<PollResult> result = CallUser(context_, [&] { return reader_->Poll(*this); });
    if (!result.ok()) {
      context_->NoteFailingOperator();
      return result.status();
    }
    switch (*result) {
      case PollResult::kMore:
        return SourceStep::kMore;
      case PollResult::kDry:
        return SourceStep::kDry;
      case PollResult::kFinished:
        return SourceStep::kFinished;
    }
    return SourceStep::kFinished;
  }
  absl::StatusOr<bool> Prepare() override {
    return CallUser(context_, [&] { return reader_->Prepare(*this); });
  }
  absl::Status Snapshot(const Barrier& barrier, OperatorStateWriter& state) override {
    std::vector<std::string> positions;
    PENSTOCK_RETURN_IF_ERROR(CallUser(context_, [&] { return reader_->Snapshot(barrier.id, &positions); }));
    state.Put(kPositions, OperatorStateKind::kUnion, std::move(positions));
    return absl::OkStatus();
  }
  void OnDecided(uint64_t checkpoint_id) override { reader_->OnDecided(checkpoint_id); }
  // END_DRAIN: everything has been seen (protocols.md D6).
  absl::Status Finish() override {
    out_->OnWatermark(kMaxWatermark);
    return absl::OkStatus();
  }
  void Close() override { reader_->Close(); }

 private:
  static constexpr const char* kPositions = "positions";

  void Emit(SplitIndex split, const T& value, TimestampMs timestamp) override {
    splits_->SetCurrent(split);
    splits_->SetCaughtUp(split, false);
    records_->Add();
    splits_->SetEmitting(true);
    out_->OnRecord(value, timestamp);
    splits_->SetEmitting(false);
  }
  bool ShouldYield() const override { return context_->mail_waits(); }
  SplitIndex AddSplit(std::string name) override { return splits_->Add(std::move(name)); }
  void SetDiscovering(bool discovering) override { splits_->SetDiscovering(discovering); }
  void SetCaughtUp(SplitIndex split) override { splits_->SetCaughtUp(split, true); }
  void FinishSplit(SplitIndex split) override { splits_->Finish(split); }
  void SetPosition(SplitIndex split, int64_t position, int64_t end) override {
    splits_->SetPosition(split, position, end);
  }

  const std::unique_ptr<SourceReader<T>> reader_;
  Receiver<T>* out_ = nullptr;
  OperatorContext* context_ = nullptr;
  SplitTable* splits_ = nullptr;
  Counter* records_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_SOURCE_OPERATOR_H_
