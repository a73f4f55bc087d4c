// Receiver<T>: whoever takes the elements of a stream of T inside a task: the next operator of the chain, or the writer
// of an edge. One virtual call per record, on a typed value.
//
// Owner: the task's thread. A call may block in the task's mailbox wait (backpressure); nothing is re-entered.
// Barriers and end of input are handled by the task between records and never come through here.
#ifndef PENSTOCK_RUNTIME_RECORD_RECEIVER_H_
#define PENSTOCK_RUNTIME_RECORD_RECEIVER_H_

#include "runtime/record/time.h"

namespace penstock {

class ReceiverBase {
 public:
  virtual ~ReceiverBase() = default;
  // No record with a timestamp <= watermark follows, save late ones. Never goes back.
  virtual void OnWatermark(TimestampMs watermark) = 0;
  // idle: this stream does not hold time back until it becomes active again.
  virtual void OnIdle(bool idle) = 0;
};

template <class T>
class Receiver : public ReceiverBase {
 public:
  // View members of value are valid until the call returns. timestamp may be kNoTimestamp.
  virtual void OnRecord(const T& value, TimestampMs timestamp) = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_RECEIVER_H_
