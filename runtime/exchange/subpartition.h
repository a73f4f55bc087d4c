// The queue of finished buffers from one producer to one consumer, on the producer's side.
//
// Thread-safe: the producer's task pushes; one consumer (the local gate's task, or a link's writer) pops. Bounded by
// the producer's buffer quota. Shared by both ends.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_
#define PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_

#include <deque>
#include <functional>

#include "runtime/core/mutex.h"
#include "runtime/record/buffer_pool.h"

namespace penstock {

class Subpartition {
 public:
  // `on_data` is called after a push (on the producer's thread), and once at once when data is there already.
  void Subscribe(std::function<void()> on_data) ABSL_LOCKS_EXCLUDED(mutex_);
  void Push(Buffer buffer) ABSL_LOCKS_EXCLUDED(mutex_);
  // An empty Buffer when there is none. backlog: buffers that remain.
  Buffer Pop(int* backlog) ABSL_LOCKS_EXCLUDED(mutex_);
  int size() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The consumer is gone: drops what is queued and everything that follows.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::deque<Buffer> queue_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_data_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_SUBPARTITION_H_
