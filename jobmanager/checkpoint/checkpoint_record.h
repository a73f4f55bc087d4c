// What is known of checkpoints: in storage, and for people. Plain data.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_RECORD_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_RECORD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/checkpoint.pb.h"

namespace penstock::jobmanager {

inline constexpr size_t kHistoryMax = 50;
inline constexpr size_t kRequestsMax = 16;
inline constexpr size_t kRequestsRemembered = 64;

// A decided checkpoint and where its manifest lies.
struct RestorePoint {
  uint64_t id = 0;
  std::string generation;
  std::string manifest_name;
  std::string directory;  // that its files are relative to
  std::string storage;    // URI, of a savepoint outside of the job's own storage; else empty
  bool is_savepoint = false;
  bool committed = false;  // a savepoint, and every sink has committed what it covers
  // The job was stopped with it. Of the job's own only: one that somebody begins from says nothing about the new job.
  bool ends_job = false;
  // Somebody has said that what sinks have committed since may be written again.
  bool allow_duplicates = false;

  // The same checkpoint, or a copy of it.
  bool SameAs(const RestorePoint& other) const { return id == other.id && generation == other.generation; }
  bool operator==(const RestorePoint&) const = default;
};

struct StoredCheckpoint {
  RestorePoint point;
  proto::Manifest::Kind kind = proto::Manifest::CHECKPOINT;
  std::set<std::string> files;
  std::string cluster_id;  // of who decided it
  uint64_t leader_epoch = 0;
  bool damaged = false;  // an attempt could not read its files
};

// What a job's directory holds.
struct StoredCheckpoints {
  uint64_t next_id = 0;                       // the smallest id that is undecided
  std::vector<StoredCheckpoint> checkpoints;  // oldest first; tombstones left out
  std::vector<std::string> damaged;           // manifests that could not be read, and why
  std::optional<uint64_t> newest_damaged;     // its id
  std::vector<std::string> orphans;           // files that no manifest names; none are listed when one is damaged
  std::string newest_cluster_id;              // of who decided the newest id, be it a tombstone
  uint64_t newest_leader_epoch = 0;
};

// What storage holds for a job, and what its first attempt begins from.
struct CheckpointStart {
  StoredCheckpoints stored;
  std::optional<RestorePoint> restore;
  // The job has run before, perhaps under a JobManager that still believes to lead: what that one decides until its
  // next id is sealed counts.
  bool goes_on = false;
  // Another JobManager of this cluster.id had it, so a larger epoch than one's own is that of a later leader.
  bool taken_over = false;
};

// A checkpoint that somebody asks for.
struct CheckpointRequest {
  uint64_t number = 0;  // given by the coordinator
  proto::Manifest::Kind kind = proto::Manifest::CHECKPOINT;
  proto::TriggerCheckpoint::Ending ending = proto::TriggerCheckpoint::GOES_ON;
  std::string directory;  // savepoint: where to copy it; empty: it stays where it is
};

enum class CheckpointOutcome { kInProgress, kCompleted, kAborted, kExpired };

// What has become of a request.
struct RequestRecord {
  CheckpointRequest request;
  CheckpointOutcome outcome = CheckpointOutcome::kInProgress;  // completed: copied, too, if it was to be
  bool triggered = false;
  bool decided = false;
  bool committed = false;      // savepoint: by every sink
  uint64_t checkpoint_id = 0;  // once triggered
  std::string failure;
  std::string location;  // once completed: what `run -s` takes
  int64_t copied_bytes = 0;
  int64_t copy_bytes = 0;
};

struct SubtaskRecord {
  int64_t ack_ms = 0;  // wall clock
  proto::SnapshotFigures figures;
};

struct CheckpointRecord {
  uint64_t id = 0;
  uint64_t request = 0;  // 0: nobody asked
  proto::Manifest::Kind kind = proto::Manifest::CHECKPOINT;
  CheckpointOutcome outcome = CheckpointOutcome::kInProgress;
  int64_t trigger_ms = 0;
  int64_t end_ms = -1;
  std::string failure;  // why it was given up
  bool discarded = false;
  std::string manifest_name;
  int subtasks = 0;
  int64_t written_bytes = 0;
  int64_t state_bytes = 0;
  std::map<std::pair<std::string, int32_t>, SubtaskRecord> acked;
};

struct CheckpointCounts {
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t in_progress = 0;
  int64_t restored = 0;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_RECORD_H_
