// Asynchronous calls: records wait for answers of other systems without holding up the task.
//
// The function is called on the task's thread; answers come from any thread (async_result.h), are noted in an inbox,
// and are emitted between records. Ordered: results leave in the order their records came. Unordered: as they come, but
// none passes a watermark. At a barrier the records that have no answer yet are handed in; after a restore they are
// asked for anew. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_OPERATOR_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/operators/async/async_task.h"
#include "runtime/operators/flat_map.h"
#include "runtime/operators/operator_lists.h"
#include "runtime/operators/unary_operator.h"

namespace penstock {

inline constexpr char kAsyncFailedName[] = "failed";
inline constexpr char kAsyncInFlightState[] = "in_flight";

struct AsyncRetries {
  int max_attempts = 1;  // the first one included
  std::chrono::milliseconds delay{100};
  double multiplier = 2;
  std::chrono::milliseconds max_delay{10'000};

  int64_t DelayMs(int attempt) const {
    double delay_ms = static_cast<double>(delay.count());
    for (int i = 1; i < attempt; ++i)
      delay_ms = std::min(delay_ms * multiplier, static_cast<double>(max_delay.count()));
    return static_cast<int64_t>(delay_ms);
  }
};

struct AsyncOptions {
  int capacity = 100;  // records under way in a subtask; more wait, and with them the input
  // Of a record, over all its attempts. Looked at each auto-watermark interval where nothing else happens.
  std::chrono::milliseconds timeout{30'000};
  bool ordered = true;
  AsyncRetries retries{};
  OnError on_failure = OnError::kFail;  // kSideOutput: "failed", of AsyncFailure<T>

  std::string Check() const {
    if (capacity <= 0) return "the capacity must be above 0, it is " + std::to_string(capacity);
    if (timeout.count() <= 0) return "the timeout must be above 0 ms, it is " + std::to_string(timeout.count()) + " ms";
    if (retries.max_attempts <= 0) {
      return "max_attempts must be above 0, it is " + std::to_string(retries.max_attempts);
    }
    if (retries.delay.count() < 0 || retries.multiplier < 1)
      return "a retry's delay must be 0 or more, its multiplier 1";
    return "";
  }
  std::string Describe() const {
    return std::string(ordered ? "ordered" : "unordered") + ", at most " + std::to_string(capacity) + " under way, " +
           std::to_string(timeout.count()) + " ms, " + std::to_string(retries.max_attempts) + " attempts";
  }
};

// A record whose call failed or timed out, with all its attempts.
template <class T>
struct AsyncFailure {
  T value;
  std::string reason;
};

// A record under way, as it is kept in checkpoints.
template <class T>
struct AsyncRecord {
  T value;
  TimestampMs timestamp = kNoTimestamp;
};

template <class T, class Out, class Fn>
class AsyncOperator final : public UnaryOperator<T, Out> {
  static_assert(!kIsView<T>, "penstock: asynchronous calls outlive the record: map views to std::string before them");

 public:
  AsyncOperator(const Fn& prototype, AsyncOptions options)
      : fn_(std::make_shared<Fn>(prototype)), options_(options), waiting_(Registered(in_flight_)) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    inbox_ = std::make_shared<AsyncInbox<Out>>(context.waker());
    if (!this->sides_.empty()) failed_ = static_cast<Receiver<AsyncFailure<T>>*>(this->sides_.front());
    if (context.restored() != nullptr) {
      PENSTOCK_RETURN_IF_ERROR(RestorePlainState(*context.restored(), context.clock().NowMs(), *in_flight_.front()));
    }
    context.gauge("async_in_flight", [count = in_flight_count_] { return static_cast<double>(count->load()); });
    OpenFunction(*fn_, &context);
    for (AsyncRecord<T>& record : waiting_.mutable_values()) Begin(std::move(record.value), record.timestamp);
    waiting_.clear();
    return absl::OkStatus();
  }

  void OnRecord(const T& value, TimestampMs timestamp) override {
    Emit();
    if (under_way_ >= options_.capacity) AwaitRoom();
    if (this->context_->cancelled()) return;
    Begin(T(value), timestamp);
  }
  void OnWatermark(TimestampMs watermark) override {
    Entry& entry = Append(Kind::kWatermark);
    entry.timestamp = watermark;
    Emit();
  }
  void OnIdle(bool idle) override {
    Append(idle ? Kind::kIdle : Kind::kActive);
    Emit();
  }
  void OnTick(int64_t) override { LookAtTime(); }
  bool HasPending() const override { return inbox_->has_some() || emittable_; }
  void Continue() override { Emit(); }
  // All answers are waited for: what follows is the end.
  absl::Status Finish() override {
    while (!queue_.empty() && !this->context_->cancelled()) {
      AwaitAnswer();
      Emit();
    }
    return absl::OkStatus();
  }
  // What is drained must be on this side of the barrier, with its watermark.
  absl::Status PrepareBarrier(const Barrier& barrier) override {
    return barrier.ending == BarrierEnding::kDrain ? Finish() : absl::OkStatus();
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override {
    for (const Entry& entry : queue_) {
      if (entry.kind == Kind::kRecord && !entry.gone) waiting_.add({entry.value, entry.timestamp});
    }
    SnapshotPlainStates(in_flight_, state);
    waiting_.clear();
    return absl::OkStatus();
  }
  void Close() override {
    if (inbox_ != nullptr) inbox_->Close();
    CloseFunction(*fn_);
  }

  static std::vector<StateInfo> States() {
    struct Declares {
      SplitListState<AsyncRecord<T>> waiting{kAsyncInFlightState};
    };
    return PlainStatesOf(Declares{});
  }

 private:
  enum class Kind { kRecord, kWatermark, kIdle, kActive };
  struct Entry {
    Kind kind = Kind::kRecord;
    T value{};
    TimestampMs timestamp = kNoTimestamp;
    int attempt = 1;
    int64_t deadline_ms = 0;
    int64_t retry_at_ms = 0;  // 0: an attempt is under way
    bool answered = false;
    bool gone = false;  // emitted before those ahead of it
    std::vector<Out> results;
  };

  static SplitListState<AsyncRecord<T>> Registered(PlainStates& states) {
    const PlainStateScope scope(states);
    const SplitListState<AsyncRecord<T>> prototype(kAsyncInFlightState);
    return SplitListState<AsyncRecord<T>>(prototype);
  }

  Entry& Append(Kind kind) {
    queue_.emplace_back();
    queue_.back().kind = kind;
    return queue_.back();
  }
  void Begin(T value, TimestampMs timestamp) {
    Entry& entry = Append(Kind::kRecord);
    entry.value = std::move(value);
    entry.timestamp = timestamp;
    entry.deadline_ms = NowMs() + options_.timeout.count();
    next_look_ms_ = std::min(next_look_ms_, entry.deadline_ms);
    SetUnderWay(under_way_ + 1);
    Call(first_call_ + queue_.size() - 1, entry);
  }
  void Call(uint64_t call, Entry& entry) {
    AsyncResult<Out> result(inbox_, call, entry.attempt, fn_);
    CallUser(this->context_, [&] {
      if constexpr (std::is_invocable_v<Fn&, const T&, AsyncResult<Out>>) {
        std::invoke(*fn_, std::as_const(entry.value), std::move(result));
      } else {
        std::invoke(*fn_, entry.value).Start(std::move(result));
      }
    });
  }

  // Takes answers in and emits what may leave.
  void Emit() {
    if (inbox_->has_some()) {
      for (auto& answer : inbox_->Take()) TakeAnswer(answer);
    }
    emittable_ = false;
    if (!options_.ordered) EmitAnsweredAhead();
    while (!queue_.empty() && Done(queue_.front())) {
      Entry entry = std::move(queue_.front());
      queue_.pop_front();
      ++first_call_;
      Leave(entry);
    }
  }
  static bool Done(const Entry& entry) { return entry.kind != Kind::kRecord || entry.answered || entry.gone; }
  // Those that have an answer, up to the first watermark.
  void EmitAnsweredAhead() {
    for (size_t i = 0; i < queue_.size() && queue_[i].kind == Kind::kRecord; ++i) {
      if (!queue_[i].answered || queue_[i].gone) continue;
      queue_[i].gone = true;
      Leave(queue_[i], true);
    }
  }
  void Leave(Entry& entry, bool ahead = false) {
    switch (entry.kind) {
      case Kind::kRecord:
        if (entry.gone && !ahead) return;
        SetUnderWay(under_way_ - 1);
        for (const Out& result : entry.results) this->out_->OnRecord(result, entry.timestamp);
        entry.results.clear();
        return;
      case Kind::kWatermark:
        return this->ForwardWatermark(entry.timestamp);
      case Kind::kIdle:
      case Kind::kActive:
        return this->ForwardIdle(entry.kind == Kind::kIdle);
    }
  }

  void TakeAnswer(typename AsyncInbox<Out>::Answer& answer) {
    if (answer.call < first_call_ || answer.call - first_call_ >= queue_.size()) return;  // its time was up
    Entry& entry = queue_[answer.call - first_call_];
    if (entry.answered || entry.attempt != answer.attempt || entry.retry_at_ms != 0) return;
    if (answer.exception) {
      this->context_->NoteFailingOperator();
      std::rethrow_exception(answer.exception);
    }
    if (answer.results.ok()) {
      entry.results = std::move(*answer.results);
      entry.answered = true;
    } else if (entry.attempt < options_.retries.max_attempts) {
      entry.retry_at_ms = std::min(NowMs() + options_.retries.DelayMs(entry.attempt), entry.deadline_ms);
      next_look_ms_ = std::min(next_look_ms_, entry.retry_at_ms);
    } else {
      FailRecord(entry, std::string(answer.results.status().message()));
    }
  }
  void FailRecord(Entry& entry, const std::string& reason) {
    const std::string text =
        entry.attempt > 1 ? reason + " (after " + std::to_string(entry.attempt) + " attempts)" : reason;
    if (options_.on_failure == OnError::kFail) {
      this->context_->NoteFailingOperator();
      this->context_->Fail(Unavailable("an asynchronous call failed: {}", text));
    } else {
      this->context_->sample_malformed("an asynchronous call failed: " + text);
      if (options_.on_failure == OnError::kSideOutput && failed_ != nullptr) {
        failed_->OnRecord({entry.value, text}, entry.timestamp);
      }
    }
    entry.answered = true;
  }

  // Timeouts, and attempts whose time has come.
  void LookAtTime() {
    const int64_t now_ms = NowMs();
    if (now_ms < next_look_ms_) return;
    next_look_ms_ = INT64_MAX;
    for (size_t i = 0; i < queue_.size(); ++i) {
      Entry& entry = queue_[i];
      if (entry.kind != Kind::kRecord || entry.answered || entry.gone) continue;
      if (entry.deadline_ms <= now_ms) {
        FailRecord(entry, "no answer within " + std::to_string(options_.timeout.count()) + " ms");
        emittable_ = true;
        continue;
      }
      if (entry.retry_at_ms != 0 && entry.retry_at_ms <= now_ms) {
        entry.retry_at_ms = 0;
        ++entry.attempt;
        Call(first_call_ + i, entry);
      }
      next_look_ms_ = std::min(next_look_ms_, entry.retry_at_ms != 0 ? entry.retry_at_ms : entry.deadline_ms);
    }
  }
  void AwaitRoom() {
    while (under_way_ >= options_.capacity && !this->context_->cancelled()) {
      AwaitAnswer();
      Emit();
    }
  }
  void AwaitAnswer() {
    const int64_t wait_ms = next_look_ms_ == INT64_MAX ? INT64_MAX : std::max<int64_t>(next_look_ms_ - NowMs(), 0);
    this->context_->WaitUntilFor(
        "answers of asynchronous calls", [&] { return inbox_->has_some(); }, wait_ms);
    LookAtTime();
  }

  int64_t NowMs() const { return this->context_->clock().MonotonicNs() / 1'000'000; }
  void SetUnderWay(int count) {
    under_way_ = count;
    in_flight_count_->store(count, std::memory_order_relaxed);
  }

  const std::shared_ptr<Fn> fn_;
  const AsyncOptions options_;
  PlainStates in_flight_;  // before what registers with it
  SplitListState<AsyncRecord<T>> waiting_;
  std::shared_ptr<AsyncInbox<Out>> inbox_;
  Receiver<AsyncFailure<T>>* failed_ = nullptr;
  std::deque<Entry> queue_;
  uint64_t first_call_ = 0;  // the number of queue_.front()
  int under_way_ = 0;
  int64_t next_look_ms_ = INT64_MAX;
  bool emittable_ = false;
  const std::shared_ptr<std::atomic<int>> in_flight_count_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_OPERATOR_H_
