// A thread that repeats a step which may block for a few seconds (a metadata request), so that no task's thread does.
//
// Owner: whoever made it; Kick and Stop are for that thread. The step runs on the inner thread only and returns how
// long to wait before the next, or nothing when it is done for good. Stop waits for a step under way (bounded by the
// step's own request timeout, kRequestTimeoutMs), is idempotent and is also called by the destructor.
#ifndef PENSTOCK_CONNECTORS_KAFKA_RETRY_THREAD_H_
#define PENSTOCK_CONNECTORS_KAFKA_RETRY_THREAD_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "runtime/core/mutex.h"

namespace penstock::kafka {

inline constexpr int kRequestTimeoutMs = 3000;
inline constexpr std::chrono::milliseconds kBackoffMin{200};
inline constexpr std::chrono::milliseconds kBackoffMax{5000};

// 200 ms, doubled on each failure, at most 5 s.
class Backoff {
 public:
  std::chrono::milliseconds Next() {
    const auto now = next_;
    next_ = std::min(next_ * 2, kBackoffMax);
    return now;
  }
  void Reset() { next_ = kBackoffMin; }

 private:
  std::chrono::milliseconds next_ = kBackoffMin;
};

class RetryThread {
 public:
  using Step = std::function<std::optional<std::chrono::milliseconds>()>;

  explicit RetryThread(Step step);
  ~RetryThread();
  RetryThread(const RetryThread&) = delete;
  RetryThread& operator=(const RetryThread&) = delete;

  // Runs the next step now, unless the step is done for good.
  void Kick() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const Step step_;
  Mutex mutex_;
  CondVar wake_;
  bool kicked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: starts when everything above is ready
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_RETRY_THREAD_H_
