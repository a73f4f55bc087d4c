// Contexts and outputs for tests of sources and sinks that run without an engine: FakeContext, FakeOutput. The test's
// thread is the task's.
#ifndef PENSTOCK_TESTING_FAKE_CONTEXT_H_
#define PENSTOCK_TESTING_FAKE_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/metrics/metrics.h"
#include "runtime/record/bytes.h"
#include "runtime/task/function_context.h"
#include "runtime/task/source.h"

namespace penstock::testing {

// Counts wake-ups; WaitFor returns when there was one since the last wait.
class FakeWaker final : public Waker {
 public:
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    woken_ = true;
    wake_.NotifyAll();
  }
  bool WaitFor(std::chrono::milliseconds timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!woken_) wake_.WaitFor(&mutex_, timeout);
    return std::exchange(woken_, false);
  }

 private:
  Mutex mutex_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

class FakeContext final : public Context {
 public:
  explicit FakeContext(int subtask = 0, int parallelism = 1) : subtask_(subtask), parallelism_(parallelism) {}

  int subtask() const override { return subtask_; }
  int parallelism() const override { return parallelism_; }
  uint32_t attempt() const override { return 1; }
  const std::string& job_name() const override { return job_name_; }
  const std::string& operator_name() const override { return operator_name_; }
  const Clock& clock() const override { return *clock_; }
  Counter& counter(std::string_view name) override { return counters_[std::string(name)]; }
  Histogram& histogram(std::string_view name) override { return histograms_[std::string(name)]; }
  void gauge(std::string_view name, std::function<double()> read) override {
    gauges_[std::string(name)] = std::move(read);
  }
  void log_info(std::string_view) override {}
  void log_warn(std::string_view line) override { warnings.emplace_back(line); }
  bool cancelled() const override { return cancel; }
  std::shared_ptr<Waker> waker() override { return waker_; }
  bool WaitUntil(std::string_view why, const std::function<bool()>& ready) override {
    const int64_t deadline = Clock::System().MonotonicMs() + wait_max_ms;
    while (!ready()) {
      waited_for.insert(std::string(why));
      if (cancel || (on_wait && !on_wait())) return false;
      if (Clock::System().MonotonicMs() > deadline) return false;
      waker_->WaitFor(std::chrono::milliseconds(50));
    }
    return true;
  }
  void set_status_note(std::string text) override {
    note = text;
    notes.push_back(std::move(text));
  }
  void count_malformed() override { ++malformed; }

  FakeWaker& fake_waker() { return *waker_; }
  double gauge_value(const std::string& name) const { return gauges_.at(name)(); }
  void set_clock(const Clock& clock) { clock_ = &clock; }

  // What a test may look at or set.
  bool cancel = false;
  int64_t wait_max_ms = 60'000;
  std::function<bool()> on_wait;  // called in each round of WaitUntil; false: cancelled
  std::set<std::string> waited_for;
  std::string note;
  std::vector<std::string> notes;
  std::vector<std::string> warnings;
  int malformed = 0;

 private:
  const int subtask_;
  const int parallelism_;
  const std::string job_name_ = "test-job";
  const std::string operator_name_ = "tested";
  const Clock* clock_ = &Clock::System();
  std::shared_ptr<FakeWaker> waker_ = std::make_shared<FakeWaker>();
  std::map<std::string, Counter> counters_;
  std::map<std::string, Histogram> histograms_;
  std::map<std::string, std::function<double()>> gauges_;
};

// Keeps what a source emits. `Kept` owns what T views; give a function when it is not made from T by `keep`.
template <class T, class Kept = T>
class FakeOutput final : public SourceOutput<T> {
 public:
  struct Emitted {
    SplitIndex split;
    Kept value;
    TimestampMs timestamp;
  };
  explicit FakeOutput(std::function<Kept(const T&)> keep = [](const T& value) { return Kept(value); })
      : keep_(std::move(keep)) {}

  void Emit(SplitIndex split, const T& value, TimestampMs timestamp) override {
    records.push_back({split, keep_(value), timestamp});
    caught_up.erase(split);
    if (on_emit) on_emit();
  }
  SplitIndex AddSplit(std::string name) override {
    splits.push_back(std::move(name));
    return static_cast<SplitIndex>(splits.size()) - 1;
  }
  bool ShouldYield() const override {
    return records.size() >= yield_at || (yield_every > 0 && records.size() % yield_every == 0);
  }
  void SetDiscovering(bool value) override { discovering = value; }
  void SetCaughtUp(SplitIndex split) override { caught_up.insert(split); }
  void FinishSplit(SplitIndex split) override { finished.push_back(split); }
  void SetPosition(SplitIndex split, int64_t position, int64_t end) override { positions[split] = {position, end}; }

  std::vector<Kept> values() const {
    std::vector<Kept> all;
    for (const Emitted& each : records) all.push_back(each.value);
    return all;
  }

  std::vector<Emitted> records;
  std::vector<std::string> splits;
  bool discovering = false;
  std::set<SplitIndex> caught_up;
  std::vector<SplitIndex> finished;
  std::map<SplitIndex, std::pair<int64_t, int64_t>> positions;
  std::function<void()> on_emit;
  size_t yield_every = 0;      // records; 0: never
  size_t yield_at = SIZE_MAX;  // from so many records on

 private:
  const std::function<Kept(const T&)> keep_;
};

// Bytes kept as strings.
inline FakeOutput<Bytes, std::string> BytesOutput() {
  return FakeOutput<Bytes, std::string>([](const Bytes& bytes) { return bytes.str(); });
}

// Polls until `done` holds (true) or the deadline has passed, the source failed or finished (what `done` says then).
// As the task does, it sleeps on the waker when the source is dry.
template <class T>
bool PollUntil(SourceReader<T>& reader, SourceOutput<T>& output, FakeContext& context,
               const std::function<bool()>& done, absl::Status* failure = nullptr,
               std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
  const int64_t end = Clock::System().MonotonicMs() + deadline.count();
  while (!done()) {
    if (Clock::System().MonotonicMs() > end) return false;
    const absl::StatusOr<PollResult> result = reader.Poll(output);
    if (!result.ok()) {
      if (failure != nullptr) *failure = result.status();
      return done();
    }
    if (*result == PollResult::kFinished) return done();
    if (*result == PollResult::kDry) context.fake_waker().WaitFor(std::chrono::milliseconds(100));
  }
  return true;
}

// Polls to the end of a bounded source; returns its status. Fails with DeadlineExceeded when it does not end.
template <class T>
absl::Status PollToEnd(SourceReader<T>& reader, SourceOutput<T>& output, FakeContext& context,
                       std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
  const int64_t end = Clock::System().MonotonicMs() + deadline.count();
  while (Clock::System().MonotonicMs() < end) {
    const absl::StatusOr<PollResult> result = reader.Poll(output);
    if (!result.ok()) return result.status();
    if (*result == PollResult::kFinished) return absl::OkStatus();
    if (*result == PollResult::kDry) context.fake_waker().WaitFor(std::chrono::milliseconds(100));
  }
  return absl::DeadlineExceededError("the source did not end");
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_FAKE_CONTEXT_H_
