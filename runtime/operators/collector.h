// Collector<T>: where a user function puts its results.
//
// Owner: the task's thread; valid during the call it was given to. Emitting may block (backpressure).
#ifndef PENSTOCK_RUNTIME_OPERATORS_COLLECTOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_COLLECTOR_H_

#include "runtime/record/receiver.h"

namespace penstock {

template <class T>
class Collector {
 public:
  explicit Collector(Receiver<T>* out) : out_(out) {}
  // With the timestamp of the record being processed.
  void emit(const T& value) { out_->OnRecord(value, timestamp_); }
  void emit(const T& value, TimestampMs timestamp) { out_->OnRecord(value, timestamp); }

  void set_receiver(Receiver<T>* out) { out_ = out; }
  void set_timestamp(TimestampMs timestamp) { timestamp_ = timestamp; }

 private:
  Receiver<T>* out_;
  TimestampMs timestamp_ = kNoTimestamp;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_COLLECTOR_H_
