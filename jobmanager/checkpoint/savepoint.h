// Savepoints outside of a job's own storage: how one gets there. runtime/checkpoint/savepoint_path.h finds it again.
//
// A copied savepoint is a storage of its own, with one manifest and the objects that it names under the same names as
// before, and the record that sinks have committed what it covers. So it can be moved or copied to any place as a
// whole.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_SAVEPOINT_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_SAVEPOINT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/checkpoint_record.h"
#include "runtime/core/actor.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

struct SavepointCopy {
  Storage& from;
  const StorageOptions& options;  // how the directory is reached
  RestorePoint point;
  std::string directory;                                      // URI; the savepoint becomes a directory in it
  std::function<void(int64_t copied, int64_t all)> progress;  // bytes
  const std::atomic<bool>& stop;
};
// REQUIRES: every sink has committed what the savepoint covers. The URI of the copy. The manifest comes last: without
// it there is no savepoint. Blocks; Cancelled when stopped.
absl::StatusOr<std::string> CopySavepoint(const SavepointCopy& copy);

// Copies on a thread of its own, one after the other. Made and used by the job's thread. Lifetime: Stop() before what
// the callbacks use dies; it ends a copy half-way.
class SavepointCopier {
 public:
  SavepointCopier(std::shared_ptr<Storage> storage, StorageOptions options, const Clock& clock)
      : storage_(std::move(storage)), options_(std::move(options)), actor_("savepoints", clock) {}
  ~SavepointCopier() { Stop(); }
  void Stop() {
    stop_ = true;
    actor_.Stop();
  }
  void Copy(RestorePoint point, std::string directory, std::function<void(int64_t, int64_t)> progress,
            std::function<void(absl::StatusOr<std::string>)> done);

 private:
  const std::shared_ptr<Storage> storage_;
  const StorageOptions options_;  // of the storages that savepoints are copied to
  std::atomic<bool> stop_{false};
  Actor actor_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_SAVEPOINT_H_
