// What REST may ask the JobManager to do. Implemented by the dispatcher; every call may come from any thread and
// blocks until the dispatcher has answered (never for a worker).
#ifndef PENSTOCK_JOBMANAGER_COMMANDS_H_
#define PENSTOCK_JOBMANAGER_COMMANDS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/checkpoint_record.h"
#include "proto/control.pb.h"
#include "proto/graph.pb.h"

namespace penstock::jobmanager {

// What a job begins from (protocols.md A1): one whose uid has checkpoints is refused unless one of these is said.
struct RestoreRequest {
  bool resume = false;              // the newest checkpoint of its uid
  std::string path;                 // this manifest, or the directory of a savepoint
  bool allow_empty = false;         // without state, although there is some
  bool allow_non_restored = false;  // state of operators that the job has no more is left behind
  bool allow_duplicates = false;    // another than the newest checkpoint, with an exactly-once sink
};

struct JobSubmission {
  proto::JobGraph graph;
  std::string digest;  // sha256 hex of the program or bundle, already in the ProgramStore
  bool is_bundle = false;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> config;  // -Dkey=value of the submission, handed to the workers
  RestoreRequest restore;
};

class Commands {
 public:
  virtual ~Commands() = default;
  // The new job is in the cluster snapshot before this returns. InvalidArgument: the graph is refused, the message has
  // every reason; AlreadyExists: a live job has the same uid; FailedPrecondition: the program is not uploaded, or is of
  // another machine or control version (both named).
  virtual absl::StatusOr<std::string> Submit(const JobSubmission& submission) = 0;
  // NotFound for an unknown job; OK when it is already ending or has ended.
  virtual absl::Status Cancel(const std::string& job_id) = 0;
  // A checkpoint or savepoint, now. The record of that number in the job's snapshot says what becomes of it. NotFound;
  // FailedPrecondition: the job takes no checkpoints, does not run, or stops already.
  virtual absl::StatusOr<uint64_t> RequestCheckpoint(const std::string& job_id, const CheckpointRequest& request) = 0;
  // The job goes on at the parallelism of `graph`, which its program has planned anew: a checkpoint that ends the
  // attempt is taken, and the next attempt begins from it. Returns the number of that checkpoint's request. NotFound;
  // FailedPrecondition: it takes no checkpoints, does not run, is another job's graph, or needs more slots than there
  // are.
  virtual absl::StatusOr<uint64_t> Rescale(const std::string& job_id, const proto::JobGraph& graph) = 0;
  // Reads a log file of a TaskManager host ("taskmanager.log", "<job>-<attempt>.stderr", ...) or lists them.
  // `done` runs on a thread of the JobManager, exactly once, at the latest after kLogReadTimeout.
  virtual void ReadTaskManagerLog(const std::string& taskmanager_id, const proto::ReadLog& request,
                                  std::function<void(absl::StatusOr<proto::LogChunk>)> done) = 0;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_COMMANDS_H_
