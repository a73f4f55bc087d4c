// AsyncResult<Out>: how an asynchronous call hands in what it found, from whichever thread it ends on.
//
// Thread-safe, copyable, cheap. Complete or fail each call once; what comes twice, after the call's time is up or after
// the task has ended is dropped. One that is forgotten counts as not answered, and times out.
#ifndef PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_RESULT_H_
#define PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_RESULT_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"
#include "runtime/task/function_context.h"

namespace penstock {

// What has come in since the task looked last. Bounded by the operator's capacity.
template <class Out>
class AsyncInbox {
 public:
  struct Answer {
    uint64_t call = 0;
    int attempt = 0;
    absl::StatusOr<std::vector<Out>> results;
    std::exception_ptr exception;  // of user code, for the task to throw
  };

  explicit AsyncInbox(std::shared_ptr<Waker> waker) : waker_(std::move(waker)) {}
  void Put(Answer answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (closed_) return;
      answers_.push_back(std::move(answer));
    }
    has_some_.store(true, std::memory_order_release);
    waker_->Wake();
  }
  bool has_some() const { return has_some_.load(std::memory_order_acquire); }
  std::vector<Answer> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    has_some_.store(false, std::memory_order_relaxed);
    MutexLock lock(&mutex_);
    return std::exchange(answers_, {});
  }
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    closed_ = true;
    answers_.clear();
  }

 private:
  const std::shared_ptr<Waker> waker_;
  std::atomic<bool> has_some_{false};
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mutex_);
};

template <class Out>
class AsyncResult {
 public:
  // keep_alive: the function, which calls that are under way may still use.
  AsyncResult(std::shared_ptr<AsyncInbox<Out>> inbox, uint64_t call, int attempt, std::shared_ptr<void> keep_alive)
      : inbox_(std::move(inbox)), call_(call), attempt_(attempt), keep_alive_(std::move(keep_alive)) {}

  void complete(Out result) const {
    std::vector<Out> results;
    results.push_back(std::move(result));
    complete(std::move(results));
  }
  void complete(std::vector<Out> results) const { inbox_->Put({call_, attempt_, std::move(results), nullptr}); }
  // Tried again as the options say; then the record has failed.
  void fail(absl::Status status) const {
    if (status.ok()) status = absl::UnknownError("fail() was called with an OK status");
    inbox_->Put({call_, attempt_, std::move(status), nullptr});
  }
  // Fails the task, as an exception of any user code does.
  void fail(std::exception_ptr exception) const {
    inbox_->Put({call_, attempt_, absl::UnknownError("exception"), std::move(exception)});
  }

 private:
  std::shared_ptr<AsyncInbox<Out>> inbox_;
  uint64_t call_;
  int attempt_;
  std::shared_ptr<void> keep_alive_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_RESULT_H_
