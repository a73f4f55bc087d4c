// An actor: one thread that owns some state, and the queue by which others reach it.
//
// Owner: the thread of the actor runs every posted function; members of the owning object are touched by it alone.
// Lifetime: Stop() refuses new posts, runs what is queued, and joins; idempotent; also called by the destructor.
// Limits: the queue is bounded by kActorQueueMax; Post refuses beyond it.
#ifndef PENSTOCK_RUNTIME_CORE_ACTOR_H_
#define PENSTOCK_RUNTIME_CORE_ACTOR_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"

namespace penstock {

inline constexpr size_t kActorQueueMax = 1 << 20;

class Actor {
 public:
  // The name shows in thread lists (first 15 characters).
  Actor(std::string name, const Clock& clock);
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Any thread. False after Stop() or when the queue is full; then fn is not run.
  bool Post(std::function<void()> fn) ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread. Runs fn on the actor's thread no earlier than delay from now. Dropped by Stop().
  bool PostAfter(std::chrono::milliseconds delay, std::function<void()> fn) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs fn on the actor's thread and waits for it. Must not be called on the actor's thread. False after Stop().
  bool Call(std::function<void()> fn) ABSL_LOCKS_EXCLUDED(mutex_);

  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool OnOwnThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const std::string name_;
  const Clock& clock_;

  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::multimap<int64_t, std::function<void()>> timers_ ABSL_GUARDED_BY(mutex_);  // by due time, monotonic ns
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: starts when everything above is ready
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_ACTOR_H_
