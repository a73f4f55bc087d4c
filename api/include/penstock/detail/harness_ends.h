// The two ends of a harness: where a test puts elements in, and where it finds what came out. Owner: the test's thread.
#ifndef PENSTOCK_DETAIL_HARNESS_ENDS_H_
#define PENSTOCK_DETAIL_HARNESS_ENDS_H_

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/unary_operator.h"
#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

namespace penstock::testing {

// What a harness knows of its opened input.
template <class T>
struct HarnessInput {
  SourceOutput<T>* source = nullptr;
  SplitIndex split = 0;
  ReceiverBase* time = nullptr;  // takes watermarks and idleness as an exchange would bring them
};

// A source description whose reader never has anything: the test emits in its place.
template <class T>
struct HarnessSource {
  using Output = T;
  std::shared_ptr<HarnessInput<T>> input;

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "what the test pushes"; }
  std::unique_ptr<SourceReader<T>> CreateReader() const { return std::make_unique<Reader>(input); }

 private:
  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(std::shared_ptr<HarnessInput<T>> input) : input_(std::move(input)) {}
    absl::Status Open(Context&, SourceOutput<T>& output) override {
      input_->source = &output;
      input_->split = output.AddSplit("pushed");
      return absl::OkStatus();
    }
    absl::StatusOr<PollResult> Poll(SourceOutput<T>&) override { return PollResult::kDry; }
    absl::Status Snapshot(uint64_t, std::vector<std::string>*) override { return absl::OkStatus(); }
    absl::Status Restore(const std::vector<std::string>&) override { return absl::OkStatus(); }
    void Close() override {}

   private:
    const std::shared_ptr<HarnessInput<T>> input_;
  };
};

// Behind the source: what the test says about time begins here.
template <class T>
class HarnessTimeOperator final : public UnaryOperator<T, T> {
 public:
  explicit HarnessTimeOperator(const std::shared_ptr<HarnessInput<T>>& input) { input->time = this; }
  void OnRecord(const T& value, TimestampMs timestamp) override { this->out_->OnRecord(value, timestamp); }
};

// The head of an input besides the first one.
template <class T>
class HarnessEntryOperator final : public UnaryOperator<T, T> {
 public:
  explicit HarnessEntryOperator(Receiver<T>*& entry) { entry = this; }
  void OnRecord(const T& value, TimestampMs timestamp) override { this->out_->OnRecord(value, timestamp); }
  absl::Status Finish() override {
    this->out_->OnWatermark(kMaxWatermark);
    return absl::OkStatus();
  }
};

template <class T>
struct HarnessRecord {
  T value;
  TimestampMs timestamp = kNoTimestamp;
  bool operator==(const HarnessRecord&) const = default;
};

template <class T>
struct HarnessLog {
  static_assert(!std::is_same_v<T, std::string_view>, "a string_view would dangle: let the stream hold std::string");
  using Kept = std::conditional_t<std::is_same_v<T, Bytes>, std::string, T>;
  std::vector<HarnessRecord<Kept>> records;
  TimestampMs watermark = kNoTimestamp;
  bool idle = false;
};

template <class T>
class HarnessOutputOperator final : public Operator, public Receiver<T> {
 public:
  HarnessOutputOperator(std::shared_ptr<HarnessLog<T>> log, bool slow) : log_(std::move(log)), slow_(slow) {}
  ReceiverBase* Input(int) override { return this; }
  void SetOutput(int, ReceiverBase*) override {}
  absl::Status Open(OperatorContext& context) override {
    context_ = &context;
    return absl::OkStatus();
  }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    if (slow_ && log_->records.size() % 2 == 1) AwaitRoom();
    if constexpr (std::is_same_v<T, Bytes>) {
      log_->records.push_back({value.str(), timestamp});
    } else {
      log_->records.push_back({value, timestamp});
    }
  }
  void OnWatermark(TimestampMs watermark) override { log_->watermark = watermark; }
  void OnIdle(bool idle) override { log_->idle = idle; }

 private:
  // There is room at the second look, as if a consumer had taken a record meanwhile.
  void AwaitRoom() {
    int looks = 0;
    context_->WaitUntil("room in the output", [&] {
      if (++looks == 1) context_->waker()->Wake();
      return looks > 1;
    });
  }

  const std::shared_ptr<HarnessLog<T>> log_;
  const bool slow_;
  OperatorContext* context_ = nullptr;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_DETAIL_HARNESS_ENDS_H_
