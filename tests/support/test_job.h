// Sources and sinks of plain values, for tests of the engine.
#ifndef PENSTOCK_TESTS_SUPPORT_TEST_JOB_H_
#define PENSTOCK_TESTS_SUPPORT_TEST_JOB_H_

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

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "numbers"; }

  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(NumberedSource source) : source_(std::move(source)) {}
    absl::Status Open(Context& context, SourceOutput<T>& output) override {
      next_ = context.subtask();
      step_ = context.parallelism();
      split_ = output.AddSplit("numbers-" + std::to_string(next_));
      return absl::OkStatus();
    }
    absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
      for (int i = 0; i < 100; ++i) {
        if (next_ >= source_.count) {
          output.FinishSplit(split_);
          return PollResult::kFinished;
        }
        output.Emit(split_, source_.fn(next_), kNoTimestamp);
        next_ += step_;
      }
      return PollResult::kMore;
    }
    void Close() override {}

   private:
    const NumberedSource source_;
    int64_t next_ = 0;
    int64_t step_ = 1;
    SplitIndex split_ = 0;
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
