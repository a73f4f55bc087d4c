// The thread on which a job's checkpoints are read from, decided in and deleted from storage.
//
// Thread-safe; calls return at once, answers come on the store's thread. A decision is tried again until storage has
// answered, with a growing pause up to kRetryMaxMs: only its outcome lets the job go on. Lifetime: Stop() before what
// the callbacks use dies; what is open then is not answered.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_STORE_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/checkpoint_record.h"
#include "runtime/core/actor.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

inline constexpr int64_t kStoreRetryMinMs = 50;
inline constexpr int64_t kStoreRetryMaxMs = 5'000;

// True: the object is ours. When storage gives no clear answer, what lies there tells, so two writers must never write
// the same bytes under one name.
absl::StatusOr<bool> PutIfAbsent(Storage& storage, const std::string& name, const std::string& bytes);

// What a job's directory holds. A manifest that cannot be read is named, not skipped in silence.
absl::StatusOr<StoredCheckpoints> ReadCheckpoints(Storage& storage, const std::string& directory);
RestorePoint PointOf(const proto::Manifest& manifest, const std::string& name);
// The manifest at `name`, whether a job's own or a copied savepoint.
absl::StatusOr<StoredCheckpoint> ReadManifestAt(Storage& storage, const std::string& name);

class CheckpointStore {
 public:
  CheckpointStore(std::shared_ptr<Storage> storage, const Clock& clock)
      : storage_(std::move(storage)), actor_("storage", clock) {}
  ~CheckpointStore() { Stop(); }
  void Stop() { actor_.Stop(); }

  const std::shared_ptr<Storage>& storage() const { return storage_; }

  void Read(std::string directory, std::function<void(absl::StatusOr<StoredCheckpoints>)> done);
  // trouble: called on each failed try with what went wrong.
  void Decide(std::string name, std::string bytes, std::function<void(bool won)> done,
              std::function<void(std::string)> trouble);
  // Best effort: what cannot be deleted is logged and left.
  void Delete(std::vector<std::string> names);

 private:
  void TryDecide(std::string name, std::string bytes, int64_t pause_ms, std::function<void(bool)> done,
                 std::function<void(std::string)> trouble);

  const std::shared_ptr<Storage> storage_;
  Actor actor_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_CHECKPOINT_STORE_H_
