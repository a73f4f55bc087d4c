// How other threads reach a task, and the one place where a task sleeps (protocols.md D1, D2).
//
// Two classes of mail: *anytime* mail runs inside any wait and may not touch records (cancel, notices);
// *between-records* mail runs at the top of the loop only. Wake() carries nothing: it makes the waiting task look at
// its condition again. Threads: Post*, Wake, Cancel from any; the rest from the task's own. Bounded by kMailboxMax.
#ifndef PENSTOCK_RUNTIME_TASK_MAILBOX_H_
#define PENSTOCK_RUNTIME_TASK_MAILBOX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/record/task_wait.h"
#include "runtime/task/function_context.h"

namespace penstock {

inline constexpr size_t kMailboxMax = 4096;
inline constexpr int64_t kNoDeadline = INT64_MAX;

class Mailbox final : public TaskWait, public Waker {
 public:
  explicit Mailbox(const Clock& clock) : clock_(clock), started_ns_(clock.MonotonicNs()) {}

  bool PostAnytime(std::function<void()> mail) ABSL_LOCKS_EXCLUDED(mutex_);
  bool PostBetweenRecords(std::function<void()> mail) ABSL_LOCKS_EXCLUDED(mutex_);
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether Wake was called since ClearNudge: a source polls again then. Every Wake counts, also by others.
  bool nudged() const { return nudged_.load(std::memory_order_acquire); }
  void ClearNudge() { nudged_.store(false, std::memory_order_release); }
  // The task is to stop: every wait returns false from now on.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }

  bool has_between_records() const { return has_between_records_.load(std::memory_order_relaxed); }
  // At the top of the loop: anytime mail, too, since a busy task may never wait.
  void RunBetweenRecords() ABSL_LOCKS_EXCLUDED(mutex_);
  bool WaitUntil(WaitKind kind, std::string_view why, absl::FunctionRef<bool()> ready) override {
    return WaitUntilDeadline(kind, why, ready, kNoDeadline);
  }
  // As WaitUntil, and true also when the monotonic deadline has passed; an input wait ends for between-records mail
  // too.
  bool WaitUntilDeadline(WaitKind kind, std::string_view why, absl::FunctionRef<bool()> ready, int64_t deadline_ns)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The task's thread: waits for anything but input, for those who want to know what held a barrier up.
  struct OutputWait {
    std::string why;
    int64_t took_ns = 0;
  };
  void WatchWaits() { watch_began_ns_ = clock_.MonotonicNs(), longest_wait_ = OutputWait(); }
  const OutputWait& longest_wait() const { return longest_wait_; }  // since WatchWaits
  // The newest one, as far as it lasted beyond that time; 0: it did not.
  OutputWait LastWaitSince(int64_t since_ns) const;

  // Any thread. A wait that is going on counts up to now.
  struct Times {
    int64_t idle_ms = 0;
    int64_t backpressured_ms = 0;
    int64_t busy_ms = 0;
  };
  Times ReadTimes() const;
  int64_t idle_ns() const { return idle_ns_; }                 // without a wait that is going on
  std::string WaitingFor() const ABSL_LOCKS_EXCLUDED(mutex_);  // empty: it does not wait

 private:
  void NoteWait(std::string_view why, int64_t began_ns, int64_t ended_ns);
  bool Sleep(int64_t deadline_ns) ABSL_LOCKS_EXCLUDED(mutex_);  // false: the deadline has passed
  void RunAnytime() ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  const int64_t started_ns_;

  // The task's thread only.
  OutputWait longest_wait_;
  int64_t watch_began_ns_ = 0;
  std::string last_wait_why_;
  int64_t last_wait_began_ns_ = 0;
  int64_t last_wait_ended_ns_ = 0;

  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> anytime_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> between_records_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);

  std::atomic<bool> signalled_{false};
  std::atomic<bool> nudged_{false};
  std::atomic<bool> has_anytime_{false};
  std::atomic<bool> has_between_records_{false};
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> idle_ns_{0};
  std::atomic<int64_t> backpressured_ns_{0};
  std::atomic<int64_t> wait_began_ns_{0};  // 0: no wait
  std::atomic<int> wait_kind_{0};
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_MAILBOX_H_
