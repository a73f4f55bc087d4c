// Holds tasks in a wait of their own until the test lets them go.
#ifndef PENSTOCK_TESTS_SUPPORT_GATE_H_
#define PENSTOCK_TESTS_SUPPORT_GATE_H_

#include <memory>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/task/function_context.h"

namespace penstock::testing {

// Thread-safe.
class Gate {
 public:
  // On a task's thread: waits until Open, or until the task is to stop.
  void Pass(Context& context) {
    {
      MutexLock lock(&mutex_);
      if (open_) return;
      wakers_.push_back(context.waker());
    }
    context.WaitUntil("the test", [this] {
      MutexLock lock(&mutex_);
      return open_;
    });
  }
  void Open() {
    std::vector<std::shared_ptr<Waker>> wakers;
    {
      MutexLock lock(&mutex_);
      open_ = true;
      wakers.swap(wakers_);
    }
    for (const auto& waker : wakers) waker->Wake();
  }

 private:
  Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Waker>> wakers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_GATE_H_
