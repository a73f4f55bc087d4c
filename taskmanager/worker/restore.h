// What one subtask begins from: its part of a manifest. Pure.
#ifndef PENSTOCK_TASKMANAGER_WORKER_RESTORE_H_
#define PENSTOCK_TASKMANAGER_WORKER_RESTORE_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "runtime/core/storage/storage.h"
#include "runtime/task/task_info.h"
#include "runtime/task/task_snapshot.h"

namespace penstock::worker {

// A manifest with its handles decoded, for all subtasks of a worker.
class RestoreSource {
 public:
  // DataLoss: a handle that does not decode, or of a format that is not known.
  // copies_dir: where copies of the job's state files may lie on this machine.
  static absl::StatusOr<RestoreSource> From(const proto::Manifest& manifest, std::shared_ptr<Storage> storage,
                                            const std::string& copies_dir = "");

  // uids: of the operators in the subtask's chain. State is found by uid: chains may be cut differently now.
  // FailedPrecondition: the state was cut into another number of key groups.
  absl::StatusOr<std::unique_ptr<const TaskRestore>> For(const TaskInfo& info,
                                                         const std::vector<std::string>& uids) const;

 private:
  struct Old {
    std::string vertex_id;
    int subtask = 0;
    proto::TaskHandle handle;
    std::set<std::string> uids;  // of the chain that handed it in
    std::optional<KeyedSnapshot> keyed;
    std::map<std::string, std::map<std::string, OperatorState>> operators;  // by uid and name
  };
  std::map<std::pair<std::string, std::string>, int> CountCopies() const;
  static absl::StatusOr<OperatorState> Decode(const proto::OperatorStateHandle& handle, const OpenStateFile& open);

  std::vector<Old> subtasks_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_RESTORE_H_
