// Who an attempt is, and what it began from: what everything that outlives the attempt is named after.
//
// Immutable; lives as long as the attempt's tasks.
#ifndef PENSTOCK_RUNTIME_TASK_ATTEMPT_ORIGIN_H_
#define PENSTOCK_RUNTIME_TASK_ATTEMPT_ORIGIN_H_

#include <cstdint>
#include <optional>
#include <string>

namespace penstock {

// What a sink does whose commits Kafka has forgotten (offsets.retention.minutes): sink.exactly-once.missing-marker.
enum class MissingMarker { kFail, kRewrite, kSkip };

struct AttemptOrigin {
  struct Restored {
    uint64_t id = 0;
    std::string generation;
    std::string parent_generation;  // what that generation began from; empty: it began without state
    std::string cluster_id;         // of the job that took the checkpoint
    std::string job_uid;
    // A savepoint whose output is known to be committed, whatever has become of markers and logs since.
    bool committed = false;
  };

  bool checkpoints = false;  // the job takes any; else only at_least_once is possible
  std::string cluster_id;
  std::string job_uid;
  std::string generation;  // of this attempt; minted for it
  std::optional<Restored> restored;
  bool allow_duplicates = false;  // begin from another checkpoint than the newest
  MissingMarker missing_marker = MissingMarker::kFail;
  // The widest that an operator has run since the restored checkpoint was taken: what wider attempts left open.
  int widest_parallelism = 0;
  int64_t checkpoint_interval_ms = 0;  // 0: only when asked for
  int64_t checkpoint_timeout_ms = 0;
  std::string local_directory;  // for logs that outgrow memory; empty: none
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_ATTEMPT_ORIGIN_H_
