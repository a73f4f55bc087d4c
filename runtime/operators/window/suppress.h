// suppress: of all results that a window gives, only its last, once the window is closed. For windows that fire early
// or again, before a sink that should see each window once.
//
// Results wait in a map by window, one timer per window and key. What a subtask holds is bounded by records or bytes;
// when there is more, the job fails, or the windows that close first are told early. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_SUPPRESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_SUPPRESS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/operators/keyed_operator.h"
#include "runtime/operators/unary_operator.h"
#include "runtime/operators/window/assigners.h"

namespace penstock {

enum class SuppressOverflow { kFail, kEmitEarly };

// Until the watermark is `grace` behind the window's end: give the lateness that the window allows.
struct UntilWindowCloses {
  int64_t grace_ms = 0;
  int64_t max_records_count = 0;  // per subtask; 0: no bound
  int64_t max_bytes_count = 0;
  SuppressOverflow overflow = SuppressOverflow::kFail;

  UntilWindowCloses max_records(int64_t records) const {
    UntilWindowCloses changed = *this;
    changed.max_records_count = records;
    return changed;
  }
  UntilWindowCloses max_bytes(int64_t bytes) const {
    UntilWindowCloses changed = *this;
    changed.max_bytes_count = bytes;
    return changed;
  }
  UntilWindowCloses on_overflow(SuppressOverflow what) const {
    UntilWindowCloses changed = *this;
    changed.overflow = what;
    return changed;
  }

  bool bounded() const { return max_records_count > 0 || max_bytes_count > 0; }
  bool Holds(int64_t records, int64_t bytes) const {
    return (max_records_count == 0 || records <= max_records_count) &&
           (max_bytes_count == 0 || bytes <= max_bytes_count);
  }
  std::string Check() const {
    if (grace_ms < 0) return "the grace must be 0 ms or more, it is " + detail::Ms(grace_ms);
    if (max_records_count < 0 || max_bytes_count < 0) return "max_records and max_bytes must be above 0";
    return "";
  }
  std::string Describe() const {
    std::string text = "until the window closes";
    if (grace_ms > 0) text += ", grace " + detail::Ms(grace_ms);
    if (max_records_count > 0) text += ", at most " + std::to_string(max_records_count) + " records";
    if (max_bytes_count > 0) text += ", at most " + std::to_string(max_bytes_count) + " bytes";
    if (bounded()) text += overflow == SuppressOverflow::kFail ? ", else fail" : ", else emit early";
    return text;
  }
};
inline UntilWindowCloses until_window_closes(WindowDuration grace = {}) { return {.grace_ms = grace.count()}; }
inline constexpr SuppressOverflow emit_early = SuppressOverflow::kEmitEarly;
inline constexpr SuppressOverflow fail_when_full = SuppressOverflow::kFail;

// The results of one key. Result: {key, start, end, value} or {start, end, value}.
template <class K, class Result>
struct SuppressFunction {
  using Value = decltype(Result::value);
  explicit SuppressFunction(UntilWindowCloses policy) : policy(policy) {}
  const UntilWindowCloses policy;
  MapState<TimeWindow, Value> held{"held"};

  // ---- of the subtask, over all keys ----
  int64_t records = 0;
  int64_t bytes = 0;

  void operator()(const Result& result, KeyedContext<K>& context, Collector<Result>& out) {
    const TimeWindow window{result.start, result.end};
    if (ClosesAt(window) <= context.watermark()) return out.emit(result);
    if (policy.bounded()) {
      if (const auto before = held.get(window); before.has_value()) Count(*before, -1);
      Count(result.value, 1);
    }
    held.put(window, result.value);
    context.register_event_time_timer(ClosesAt(window));
  }
  void on_timer(TimestampMs time, KeyedContext<K>& context, Collector<Result>& out) {
    std::vector<std::pair<TimeWindow, Value>> closed;
    held.for_each([&](const TimeWindow& window, const Value& value) {
      if (ClosesAt(window) <= time) closed.emplace_back(window, value);
    });
    for (const auto& [window, value] : closed) {
      if (policy.bounded()) Count(value, -1);
      held.remove(window);
      out.emit(MakeWindowResult<K, Value>(context.key(), window, value), window.last());
    }
  }
  void CountAll() {
    held.for_each([&](const TimeWindow&, const Value& value) { Count(value, 1); });
  }

 private:
  TimestampMs ClosesAt(const TimeWindow& window) const { return window.last() + policy.grace_ms; }
  void Count(const Value& value, int64_t sign) {
    records += sign;
    bytes += sign * static_cast<int64_t>(sizeof(TimeWindow) + sizeof(Value) + HeapBytes(value));
  }
};

template <class K, class Result, class KeyOf>
class SuppressOperator final
    : public KeyedOperator<UnaryOperator<Result, Result>, K, Result, SuppressFunction<K, Result>> {
  using Base = KeyedOperator<UnaryOperator<Result, Result>, K, Result, SuppressFunction<K, Result>>;

 public:
  SuppressOperator(KeyOf key_of, UntilWindowCloses policy)
      : Base(SuppressFunction<K, Result>(policy)), key_of_(std::move(key_of)), policy_(policy) {}

  void OnRecord(const Result& result, TimestampMs timestamp) override {
    CountOnce();
    this->CallWithKeyOf(result, key_of_, timestamp,
                        [&] { (*this->fn_)(result, *this->keyed_context_, this->collector_); });
    while (!policy_.Holds(this->fn_->records, this->fn_->bytes)) {
      if (policy_.overflow == SuppressOverflow::kFail) return FailFull();
      if (!this->FireEarliest()) return;
    }
  }
  void OnWatermark(TimestampMs watermark) override {
    CountOnce();
    Base::OnWatermark(watermark);
  }

 private:
  // What was restored.
  void CountOnce() {
    if (counted_) return;
    counted_ = true;
    if (policy_.bounded()) {
      this->ForEachKey([&](const K&) { this->fn_->CountAll(); });
    }
  }
  void FailFull() {
    this->context_->NoteFailingOperator();
    this->context_->Fail(ResourceExhausted(
        "suppress holds {} results of {} bytes in this subtask, more than it may ({}): raise max_records or max_bytes, "
        "or say on_overflow(emit_early)",
        this->fn_->records, this->fn_->bytes, policy_.Describe()));
  }

  const KeyOf key_of_;
  const UntilWindowCloses policy_;
  bool counted_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_SUPPRESS_H_
