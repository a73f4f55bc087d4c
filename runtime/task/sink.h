// The contract of a sink: who writes records out of a job.
//
// A *sink description* is a copyable struct S (kafka::Sink{...}) with
//   absl::Status Validate() const;                              // at graph build
//   std::string Describe() const;
//   Delivery DeliveryGuarantee() const;
//   template <class T> std::unique_ptr<SinkWriter<T>> CreateWriter() const;   // constrained to the T it can write
// A writer is used by its task's thread alone.
#ifndef PENSTOCK_RUNTIME_TASK_SINK_H_
#define PENSTOCK_RUNTIME_TASK_SINK_H_

#include "absl/status/status.h"
#include "runtime/record/time.h"
#include "runtime/task/function_context.h"

namespace penstock {

enum class Delivery { none, at_least_once, exactly_once };

template <class T>
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual absl::Status Open(Context& context) = 0;
  // May wait for room by context.WaitUntil. View members of value are valid until it returns. A background failure
  // (a delivery report) surfaces at the next call. A non-OK status fails the task.
  virtual absl::Status Write(const T& value, TimestampMs timestamp) = 0;
  // Returns when everything written so far is delivered (waits by context.WaitUntil). Called at end of input and
  // before a barrier is acknowledged.
  virtual absl::Status Flush() = 0;
  virtual void Close() = 0;  // also after failure; does not wait for deliveries
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_SINK_H_
