// The conformance suite against connectors with one fault each: it must find every one of them.
#include <set>

#include "penstock/connectors/collection.h"
#include "penstock/testing/connector_conformance.h"
#include "runtime/task/two_phase_sink.h"
#include "tests/support/require_ok.h"

namespace penstock {
namespace {

using testing::FakeContext;

// ---- sources ----
enum class SourceFault {
  kNone,
  kLosesAtRestore,
  kRepeatsAtRestore,
  kLosesForeignSplits,
  kTakesAnyPosition,
  kIgnoresYield,
  kFinishesTwice,
  kNeverFinishesSplits,
  kOutOfOrder,
  kEverySubtaskReadsAll,
  kBatchTooLarge,
};

// Records 0 to count - 1; one split.
class FaultyReader final : public SourceReader<int> {
 public:
  FaultyReader(int count, SourceFault fault) : count_(count), fault_(fault) {}
  absl::Status Restore(const std::vector<std::string>& positions) override {
    for (const std::string& text : positions) {
      if (fault_ != SourceFault::kTakesAnyPosition && text.find_first_not_of("0123456789") != std::string::npos) {
        return absl::DataLossError("no position");
      }
      next_ = std::max(next_, std::atoi(text.c_str()));
    }
    if (fault_ == SourceFault::kLosesAtRestore && next_ > 0) ++next_;
    if (fault_ == SourceFault::kRepeatsAtRestore && next_ > 0) --next_;
    return absl::OkStatus();
  }
  absl::Status Open(Context& context, SourceOutput<int>& output) override {
    mine_ = context.subtask() == 0 || fault_ == SourceFault::kEverySubtaskReadsAll;
    if (fault_ == SourceFault::kLosesForeignSplits && context.parallelism() > 1 && next_ > 0) mine_ = false;
    if (mine_) split_ = output.AddSplit("all");
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(SourceOutput<int>& output) override {
    if (!mine_) return PollResult::kFinished;
    const int batch = fault_ == SourceFault::kBatchTooLarge ? 5000 : 100;
    for (int i = 0; i < batch && next_ < count_; ++i) {
      const int value = next_++;
      output.Emit(split_,
                  fault_ == SourceFault::kOutOfOrder && value % 2 == 0 ? std::min(value + 1, count_ - 1) : value,
                  kNoTimestamp);
      if (fault_ != SourceFault::kIgnoresYield && output.ShouldYield()) return PollResult::kMore;
    }
    if (next_ < count_) return PollResult::kMore;
    if (fault_ != SourceFault::kNeverFinishesSplits) output.FinishSplit(split_);
    if (fault_ == SourceFault::kFinishesTwice) output.FinishSplit(split_);
    return PollResult::kFinished;
  }
  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    if (mine_) positions->push_back(std::to_string(next_));
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  const int count_;
  const SourceFault fault_;
  int next_ = 0;
  bool mine_ = false;
  SplitIndex split_ = 0;
};

TEST_CASE("the source suite finds what is wrong", "[conformance]") {
  const auto [fault, what] = GENERATE(table<SourceFault, std::string>({
      {SourceFault::kNone, ""},
      {SourceFault::kLosesAtRestore, "is lost"},
      {SourceFault::kRepeatsAtRestore, "has come 2 times"},
      {SourceFault::kLosesForeignSplits, "is lost"},
      {SourceFault::kTakesAnyPosition, "a position that is none was taken"},
      {SourceFault::kIgnoresYield, "ShouldYield"},
      {SourceFault::kFinishesTwice, "finished twice"},
      {SourceFault::kNeverFinishesSplits, "0 of 1 splits have finished"},
      {SourceFault::kOutOfOrder, "of the same split"},
      {SourceFault::kEverySubtaskReadsAll, "has come 3 times"},
      {SourceFault::kBatchTooLarge, "at most 1000"},
  }));
  std::vector<int> expected;
  for (int i = 0; i < 1500; ++i) expected.push_back(i);
  const absl::Status status = testing::CheckSource<int>({
      .make = [fault = fault] { return std::make_unique<FaultyReader>(1500, fault); },
      .expected = expected,
      .restore_points_max = 15,
  });
  INFO(what << ": " << status.ToString());
  CHECK(status.ok() == what.empty());
  CHECK_THAT(std::string(status.message()), Catch::Contains(what));
}

// ---- sinks ----
enum class SinkFault {
  kNone,
  kLosesWhatIsNotFlushed,
  kForgetsPrepared,
  kVisibleBeforeDecision,
  kCommitsAgain,
  kKeepsViews,
  kAcceptsAll,
  kGoesOnWhenCancelled,
};

// Commits come on threads of their own.
struct Store {
  Mutex mutex;
  std::vector<std::string> seen ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::vector<std::string>> prepared ABSL_GUARDED_BY(mutex);
  bool stalled = false;

  std::vector<std::string> Seen() {
    MutexLock lock(&mutex);
    return seen;
  }
};

class FaultyTransactions final : public TwoPhaseSink<std::string> {
 public:
  FaultyTransactions(std::shared_ptr<Store> store, SinkFault fault) : store_(std::move(store)), fault_(fault) {}
  absl::Status Open(Context& context, const AttemptOrigin& origin, const std::string&) override {
    context_ = &context;
    prefix_ = origin.job_uid + origin.generation + "-" + std::to_string(context.subtask());
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& value, TimestampMs) override {
    if (fault_ == SinkFault::kVisibleBeforeDecision) {
      MutexLock lock(&store_->mutex);
      store_->seen.push_back(value);
      return absl::OkStatus();
    }
    if (fault_ != SinkFault::kAcceptsAll && store_->stalled) {
      if (!context_->WaitUntil("room", [&] { return !store_->stalled; })) return absl::CancelledError("to stop");
    }
    epoch_.push_back(value);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Committable>> Prepare(uint64_t id) override {
    const std::string name = prefix_ + "-" + std::to_string(id);
    MutexLock lock(&store_->mutex);
    store_->prepared[name] = std::exchange(epoch_, {});
    if (fault_ == SinkFault::kForgetsPrepared) return std::vector<Committable>{};
    return std::vector<Committable>{name};
  }
  absl::Status Commit(const Committable& name) override {
    MutexLock lock(&store_->mutex);
    auto& epoch = store_->prepared[name];
    store_->seen.insert(store_->seen.end(), epoch.begin(), epoch.end());
    if (fault_ != SinkFault::kCommitsAgain) epoch.clear();
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  const std::shared_ptr<Store> store_;
  const SinkFault fault_;
  Context* context_ = nullptr;
  std::string prefix_;
  std::vector<std::string> epoch_;
};

TEST_CASE("the suite finds what is wrong with an exactly-once sink", "[conformance]") {
  const auto [fault, what] = GENERATE(table<SinkFault, std::string>({
      {SinkFault::kNone, ""},
      {SinkFault::kForgetsPrepared, "is lost"},
      {SinkFault::kVisibleBeforeDecision, "there 2 times"},
      {SinkFault::kCommitsAgain, "there 2 times"},
      {SinkFault::kAcceptsAll, "that nobody took"},
  }));
  const auto store = std::make_shared<Store>();
  const absl::Status status = testing::CheckSink({
      .make =
          [store, fault = fault] {
            return std::make_unique<TwoPhaseWriter<std::string>>(std::make_unique<FaultyTransactions>(store, fault));
          },
      .read = [store] { return store->Seen(); },
      .delivery = Delivery::exactly_once,
      .stall = [store](bool stalled) { store->stalled = stalled; },
      .stalled_records_max = 100,
  });
  INFO(what << ": " << status.ToString());
  CHECK(status.ok() == what.empty());
  CHECK_THAT(std::string(status.message()), Catch::Contains(what));
}

class FaultyWriter final : public SinkWriter<std::string> {
 public:
  FaultyWriter(std::shared_ptr<Store> store, SinkFault fault) : store_(std::move(store)), fault_(fault) {}
  absl::Status Open(Context& context) override {
    context_ = &context;
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& value, TimestampMs) override {
    if (store_->stalled && fault_ != SinkFault::kAcceptsAll) {
      const bool go_on = context_->WaitUntil("room", [&] { return !store_->stalled; });
      if (!go_on && fault_ != SinkFault::kGoesOnWhenCancelled) return absl::CancelledError("to stop");
    }
    buffer_.push_back(value);
    if (buffer_.size() > 7 && fault_ != SinkFault::kKeepsViews) return Flush();
    return absl::OkStatus();
  }
  absl::Status Flush() override {
    MutexLock lock(&store_->mutex);
    for (size_t i = 0; i < buffer_.size(); ++i) {
      // The value that was passed has been overwritten since.
      store_->seen.push_back(fault_ == SinkFault::kKeepsViews ? std::string(buffer_[i].size(), '#') : buffer_[i]);
    }
    if (fault_ == SinkFault::kLosesWhatIsNotFlushed && !buffer_.empty()) store_->seen.pop_back();
    buffer_.clear();
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  const std::shared_ptr<Store> store_;
  const SinkFault fault_;
  Context* context_ = nullptr;
  std::vector<std::string> buffer_;
};

TEST_CASE("the suite finds what is wrong with an at-least-once sink", "[conformance]") {
  const auto [fault, what] = GENERATE(table<SinkFault, std::string>({
      {SinkFault::kNone, ""},
      {SinkFault::kLosesWhatIsNotFlushed, "is lost"},
      {SinkFault::kKeepsViews, "is lost"},
      {SinkFault::kAcceptsAll, "that nobody took"},
      {SinkFault::kGoesOnWhenCancelled, "after the wait was ended"},
  }));
  const auto store = std::make_shared<Store>();
  const absl::Status status = testing::CheckSink({
      .make = [store, fault = fault] { return std::make_unique<FaultyWriter>(store, fault); },
      .read = [store] { return store->Seen(); },
      .stall = [store](bool stalled) { store->stalled = stalled; },
      .stalled_records_max = 100,
  });
  INFO(what << ": " << status.ToString());
  CHECK(status.ok() == what.empty());
  CHECK_THAT(std::string(status.message()), Catch::Contains(what));
}

// ---- descriptions ----
TEST_CASE("a refusal names the operator and the member, in one message", "[conformance]") {
  REQUIRE_OK(testing::CheckRefusal({"source 'in': .path is empty"}, "in", {".path"}));
  CHECK_FALSE(testing::CheckRefusal({}, "in", {".path"}).ok());
  CHECK_FALSE(testing::CheckRefusal({"source 'in': bad"}, "in", {".path"}).ok());
  CHECK_FALSE(testing::CheckRefusal({"a", "b"}, "in", {}).ok());
  CHECK_FALSE(testing::CheckSourceRefused(collection::Source<int>{}, {}).ok());  // nothing is wrong with it
}

}  // namespace
}  // namespace penstock
