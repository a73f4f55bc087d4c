// Runs the blocking calls of one sink, one at a time, so that its task's thread never waits in them (protocols.md D4).
//
// Owner: the task's thread, but for what says otherwise. Calls should end soon once stopping() is true; Stop waits for
// the one under way.
#ifndef PENSTOCK_RUNTIME_TASK_COMMITTER_H_
#define PENSTOCK_RUNTIME_TASK_COMMITTER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "runtime/core/actor.h"
#include "runtime/core/mutex.h"
#include "runtime/task/function_context.h"

namespace penstock {

// How long calls may go on after the task has been told to stop: to abort what is open.
inline constexpr int64_t kCloseGraceMs = 3'000;

class Committer {
 public:
  Committer(const Clock& clock, std::shared_ptr<Waker> waker)
      : clock_(clock), waker_(std::move(waker)), actor_("commit", clock) {}
  ~Committer() { Stop(); }

  // Wakes the task when the call is over. REQUIRES: the outcome of the one before has been taken.
  void Start(std::function<absl::Status()> call);
  // The outcome of the call, once; nothing while it runs.
  std::optional<absl::Status> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the call under way, waits for that and drops its outcome.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `last` after the call under way, if any, and ends.
  void Stop(std::function<void()> last = nullptr);

  // Any thread.
  bool stopping() const { return clock_.MonotonicMs() >= stop_at_ms_.load(std::memory_order_relaxed); }
  // What the call waits for, for people.
  void SetNote(std::string note) ABSL_LOCKS_EXCLUDED(mutex_);
  std::string note() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Clock& clock_;
  const std::shared_ptr<Waker> waker_;
  std::atomic<int64_t> stop_at_ms_{INT64_MAX};
  mutable Mutex mutex_;
  std::optional<absl::Status> outcome_ ABSL_GUARDED_BY(mutex_);
  std::string note_ ABSL_GUARDED_BY(mutex_);
  Actor actor_;  // last: its thread uses all of the above
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_COMMITTER_H_
