// The one way in which a task blocks (protocols.md D1), as the layers below the task see it. The mailbox implements it.
#ifndef PENSTOCK_RUNTIME_RECORD_TASK_WAIT_H_
#define PENSTOCK_RUNTIME_RECORD_TASK_WAIT_H_

#include <string_view>

#include "absl/functional/function_ref.h"

namespace penstock {

// What a wait is charged to: input is idle time, everything else is backpressure.
enum class WaitKind { kInput, kOutput };

class TaskWait {
 public:
  virtual ~TaskWait() = default;
  // Returns true once ready() holds, false once the task is to stop. ready is evaluated on the task's thread, first at
  // once and then after each wake-up. `why` shows in status while the task waits.
  virtual bool WaitUntil(WaitKind kind, std::string_view why, absl::FunctionRef<bool()> ready) = 0;
  virtual bool cancelled() const = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_TASK_WAIT_H_
