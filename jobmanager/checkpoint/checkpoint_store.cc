#include "jobmanager/checkpoint/checkpoint_store.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/savepoint_path.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

absl::StatusOr<bool> PutIfAbsent(Storage& storage, const std::string& name, const std::string& bytes) {
  const absl::StatusOr<bool> written = storage.WriteIfAbsent(name, bytes);
  if (written.ok() && *written) return true;
  const absl::StatusOr<std::string> there = storage.ReadAll(name);
  if (there.ok()) return *there == bytes;
  return written.ok() ? there.status() : written.status();
}

RestorePoint PointOf(const proto::Manifest& manifest, const std::string& name) {
  const size_t directory_end = name.rfind("/manifests/");
  return {.id = manifest.checkpoint_id(),
          .generation = manifest.generation(),
          .manifest_name = name,
          .directory = directory_end == std::string::npos ? "" : name.substr(0, directory_end),
          .storage = "",
          .is_savepoint = manifest.kind() == proto::Manifest::SAVEPOINT,
          .ends_job = manifest.ends_job()};
}

static absl::StatusOr<StoredCheckpoint> ReadManifestAt(Storage& storage, const std::string& name) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, storage.ReadAll(name));
  PENSTOCK_ASSIGN_OR_RETURN(const proto::Manifest manifest, DecodeManifest(bytes, name));
  StoredCheckpoint stored;
  stored.kind = manifest.kind();
  stored.cluster_id = manifest.cluster_id();
  stored.leader_epoch = manifest.leader_epoch();
  stored.point = PointOf(manifest, name);
  PENSTOCK_ASSIGN_OR_RETURN(stored.point.committed, IsCommitted(storage, name, manifest));
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    for (const proto::SnapshotFile& file : subtask.files()) stored.files.insert(file.name());
  }
  return stored;
}

absl::StatusOr<StoredCheckpoints> ReadCheckpoints(Storage& storage, const std::string& directory) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, storage.List(ManifestDirectory(directory)));
  StoredCheckpoints result;
  for (const StoredObject& object : objects) {
    const std::optional<uint64_t> id = IdOfManifestName(object.name);
    if (!id) continue;
    result.next_id = std::max(result.next_id, *id + 1);
    absl::StatusOr<StoredCheckpoint> stored = ReadManifestAt(storage, object.name);
    if (absl::IsNotFound(stored.status())) continue;  // deleted since it was listed
    if (absl::IsDataLoss(stored.status()) || absl::IsUnimplemented(stored.status())) {
      result.damaged.push_back(MessageOf(stored.status()));
      result.newest_damaged = std::max(result.newest_damaged.value_or(0), *id);
      continue;
    }
    PENSTOCK_RETURN_IF_ERROR(stored.status());
    result.newest_cluster_id = stored->cluster_id;
    result.newest_leader_epoch = stored->leader_epoch;
    if (stored->kind != proto::Manifest::TOMBSTONE) result.checkpoints.push_back(*std::move(stored));
  }
  if (!result.damaged.empty()) return result;
  std::set<std::string> named;
  for (const StoredCheckpoint& checkpoint : result.checkpoints) {
    named.insert(checkpoint.files.begin(), checkpoint.files.end());
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> files, storage.List(directory + "/data/"));
  for (const StoredObject& file : files) {
    if (!named.contains(file.name)) result.orphans.push_back(file.name);
  }
  return result;
}

void CheckpointStore::Read(std::string directory, std::function<void(absl::StatusOr<StoredCheckpoints>)> done) {
  actor_.Post([this, directory = std::move(directory), done = std::move(done)] {
    done(ReadCheckpoints(*storage_, directory));
  });
}

void CheckpointStore::Decide(std::string name, std::string bytes, std::function<void(bool)> done,
                             std::function<void(std::string)> trouble) {
  actor_.Post([this, name = std::move(name), bytes = std::move(bytes), done = std::move(done),
               trouble = std::move(trouble)]() mutable {
    TryDecide(std::move(name), std::move(bytes), kStoreRetryMinMs, std::move(done), std::move(trouble));
  });
}

void CheckpointStore::TryDecide(std::string name, std::string bytes, int64_t pause_ms, std::function<void(bool)> done,
                                std::function<void(std::string)> trouble) {
  const absl::StatusOr<bool> won = PutIfAbsent(*storage_, name, bytes);
  if (won.ok()) return done(*won);
  PENSTOCK_LOG(warn, "{}: {}; trying again", name, MessageOf(won.status()));
  trouble(MessageOf(won.status()));
  actor_.PostAfter(std::chrono::milliseconds(pause_ms),
                   [this, name = std::move(name), bytes = std::move(bytes), pause_ms, done = std::move(done),
                    trouble = std::move(trouble)]() mutable {
                     TryDecide(std::move(name), std::move(bytes), std::min(pause_ms * 2, kStoreRetryMaxMs),
                               std::move(done), std::move(trouble));
                   });
}

void CheckpointStore::Delete(std::vector<std::string> names) {
  actor_.Post([this, names = std::move(names)] {
    if (const absl::Status status = storage_->Delete(names); !status.ok()) {
      PENSTOCK_LOG(warn, "{} objects of old checkpoints could not all be deleted: {}", names.size(), MessageOf(status));
    }
  });
}

}  // namespace penstock::jobmanager
