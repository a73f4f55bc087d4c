// What went wrong with a job, and which of it was the cause. Pure.
//
// When a process dies, its peers fail too, and their reports may come first. So the failures of one attempt are
// ordered by cause, then time: what a task or a dead process says about itself stands before what others noticed.
// Limits: the newest kFailuresKept are kept.
#ifndef PENSTOCK_JOBMANAGER_JOB_FAILURE_LOG_H_
#define PENSTOCK_JOBMANAGER_JOB_FAILURE_LOG_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "jobmanager/snapshot.h"

namespace penstock::jobmanager {

// Failure.exception_type of a task that failed only because another one, or its process, went away.
inline constexpr const char* kPeerLost = "PeerLost";

enum class Cause {
  kPrimary,    // the process that died, or the task that threw, says so itself
  kSecondary,  // somebody else's end was noticed: a lost connection, a missing heartbeat
};
// Of a failure that a task reports.
Cause CauseOf(const proto::Failure& failure);

class FailureLog {
 public:
  void Add(uint32_t attempt, Cause cause, FailureSnapshot failure);
  // The most likely root cause of the attempt's end; nothing when it did not fail.
  std::optional<FailureSnapshot> RootOf(uint32_t attempt) const;
  // Whether the attempt could not read what it was to begin from.
  bool CheckpointWasDamaged(uint32_t attempt) const;
  // Newest attempt first; inside an attempt the root cause first.
  std::vector<FailureSnapshot> List() const;

 private:
  struct Entry {
    uint32_t attempt;
    Cause cause;
    FailureSnapshot failure;
  };
  std::deque<Entry> entries_;  // as they came
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_FAILURE_LOG_H_
