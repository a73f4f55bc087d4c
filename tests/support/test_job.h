// Sources and sinks of plain values, for tests of the engine.
#ifndef PENSTOCK_TESTS_SUPPORT_TEST_JOB_H_
#define PENSTOCK_TESTS_SUPPORT_TEST_JOB_H_

#include <penstock/connectors/strides.h>
#include <penstock/sink.h>
#include <penstock/source.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/mutex.h"

namespace penstock::testing {

// Emits fn(0) .. fn(count - 1), dealt over the subtasks, in batches.
template <class T>
struct NumberedSource {
  using Output = T;
  int64_t count = 0;
  std::function<T(int64_t)> fn;
  bool stays = false;  // at its end it waits for more, which does not come

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "numbers"; }

  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(NumberedSource source) : source_(std::move(source)) {}
    absl::Status Restore(const std::vector<std::string>& positions) override { return all_.Restore(positions); }
    absl::Status Open(Context& context, SourceOutput<T>& output) override {
      strides_ = all_.Own(context.subtask(), context.parallelism(), 1);
      for (Stride& stride : strides_) stride.split = output.AddSplit("numbers-" + std::to_string(stride.number));
      return absl::OkStatus();
    }
    absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
      if (current_ == strides_.size()) return source_.stays ? PollResult::kDry : PollResult::kFinished;
      Stride& stride = strides_[current_];
      for (int i = 0; i < 100; ++i) {
        if (stride.next >= static_cast<uint64_t>(source_.count)) {
          ++current_;
          if (source_.stays) {
            output.SetCaughtUp(stride.split);
            return PollResult::kMore;
          }
          output.FinishSplit(stride.split);
          return current_ == strides_.size() ? PollResult::kFinished : PollResult::kMore;
        }
        output.Emit(stride.split, source_.fn(static_cast<int64_t>(stride.next)), kNoTimestamp);
        stride.next += stride.step;
        if (output.ShouldYield()) break;
      }
      return PollResult::kMore;
    }
    absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
      for (const Stride& stride : strides_) positions->push_back(stride.Encode());
      return absl::OkStatus();
    }
    void Close() override {}

   private:
    const NumberedSource source_;
    Strides all_;
    std::vector<Stride> strides_;
    size_t current_ = 0;
  };
  std::unique_ptr<SourceReader<T>> CreateReader() const { return std::make_unique<Reader>(*this); }
};

// Collects what is written by all subtasks. `on_write` may block or throw.
template <class T>
struct VectorSink {
  struct Shared {
    Mutex mutex;
    std::vector<T> values ABSL_GUARDED_BY(mutex);
    std::function<void(const T&, Context&)> on_write;
  };
  std::shared_ptr<Shared> shared = std::make_shared<Shared>();

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "vector"; }
  Delivery DeliveryGuarantee() const { return Delivery::none; }

  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
    absl::Status Open(Context& context) override {
      context_ = &context;
      return absl::OkStatus();
    }
    absl::Status Write(const T& value, TimestampMs) override {
      if (shared_->on_write) shared_->on_write(value, *context_);
      MutexLock lock(&shared_->mutex);
      shared_->values.push_back(value);
      return absl::OkStatus();
    }
    absl::Status Flush() override { return absl::OkStatus(); }
    void Close() override {}

   private:
    const std::shared_ptr<Shared> shared_;
    Context* context_ = nullptr;
  };
  template <class U>
  std::unique_ptr<SinkWriter<U>> CreateWriter() const {
    return std::make_unique<Writer>(shared);
  }
  std::vector<T> Values() const {
    MutexLock lock(&shared->mutex);
    return shared->values;
  }
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_TEST_JOB_H_
