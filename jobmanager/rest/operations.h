// Flink's asynchronous operations: what a client's trigger id stands for. Thread-safe.
//
// Only the request's number is kept; what became of it is in the job's snapshot. Limits: kOperationsMax, the oldest go
// first; one is forgotten kOperationKeptMs after it was triggered and seen as ended.
#ifndef PENSTOCK_JOBMANAGER_REST_OPERATIONS_H_
#define PENSTOCK_JOBMANAGER_REST_OPERATIONS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

inline constexpr size_t kOperationsMax = 1'000;
inline constexpr int64_t kOperationKeptMs = 5 * 60'000;

struct Operation {
  std::string trigger_id;
  std::string job_id;
  std::string kind;  // "savepoints" or "checkpoints": the route that tells of it
  uint64_t request = 0;
  int64_t ended_ms = -1;  // monotonic; when it was first seen as ended
};

class Operations {
 public:
  explicit Operations(const Clock& clock) : clock_(clock) {}

  // The trigger id under which it can be asked for: the operation's own, or a new one.
  std::string Add(Operation operation) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Operation> Find(const std::string& job_id, const std::string& trigger_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on it is kept for kOperationKeptMs.
  void SetEnded(const std::string& trigger_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Expire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::deque<Operation> operations_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_OPERATIONS_H_
