// The one way to ask for the time. Passed in wherever time matters, so that tests own it.
#ifndef PENSTOCK_RUNTIME_CORE_CLOCK_H_
#define PENSTOCK_RUNTIME_CORE_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace penstock {

// Thread-safe. Implementations outlive their users.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowMs() const = 0;        // milliseconds since the epoch (wall clock; may jump)
  virtual int64_t MonotonicNs() const = 0;  // never goes back; origin unspecified
  int64_t MonotonicMs() const { return MonotonicNs() / 1'000'000; }

  static const Clock& System();
};

// Stands still until advanced. Wall and monotonic time move together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_ms = 0) : now_ms_(now_ms) {}
  int64_t NowMs() const override { return now_ms_.load(); }
  int64_t MonotonicNs() const override { return now_ms_.load() * 1'000'000; }
  void AdvanceMs(int64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::atomic<int64_t> now_ms_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_CLOCK_H_
