#include "jobmanager/checkpoint/savepoint.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_config.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

constexpr int64_t kCopyChunkBytes = 4 << 20;

std::string Join(std::string_view directory, std::string_view name) {
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

absl::StatusOr<std::map<std::string, int64_t>> SizesOf(Storage& storage, const std::set<std::string>& names) {
  std::set<std::string> folders;
  for (const std::string& name : names) folders.insert(name.substr(0, name.rfind('/') + 1));
  std::map<std::string, int64_t> sizes;
  for (const std::string& folder : folders) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, storage.List(folder));
    for (const StoredObject& object : objects) {
      if (names.contains(object.name)) sizes[object.name] = object.size_bytes;
    }
  }
  for (const std::string& name : names) {
    if (!sizes.contains(name)) return NotFound("{} is missing in {}", name, storage.Describe());
  }
  return sizes;
}

absl::Status CopyObject(const SavepointCopy& copy, Storage& to, const std::string& name, int64_t size,
                        const std::function<void(int64_t)>& advanced) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, to.Create(name));
  for (int64_t at = 0; at < size;) {
    if (copy.stop) return Cancelled("the JobManager stops");
    PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, copy.from.Read(name, at, std::min(kCopyChunkBytes, size - at)));
    if (bytes.empty()) return DataLoss("{} ends at byte {} instead of {}", name, at, size);
    PENSTOCK_RETURN_IF_ERROR(writer->Append(bytes));
    at += static_cast<int64_t>(bytes.size());
    advanced(static_cast<int64_t>(bytes.size()));
  }
  return writer->Commit();
}

}  // namespace

absl::StatusOr<std::string> CopySavepoint(const SavepointCopy& copy) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, copy.from.ReadAll(copy.point.manifest_name));
  PENSTOCK_ASSIGN_OR_RETURN(const proto::Manifest manifest, DecodeManifest(bytes, copy.point.manifest_name));
  std::set<std::string> names;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    for (const proto::SnapshotFile& file : subtask.files()) names.insert(file.name());
  }
  PENSTOCK_ASSIGN_OR_RETURN(const auto sizes, SizesOf(copy.from, names));
  auto all = static_cast<int64_t>(bytes.size());
  for (const auto& [name, size] : sizes) all += size;
  const std::string uid = JobDirectoryOf(manifest.job_uid()).substr(std::string_view("jobs/").size());
  const std::string target =
      Join(copy.directory, fmt::format("savepoint-{}-{}-{}", uid, manifest.checkpoint_id(), manifest.generation()));
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> to, OpenStorage(target, copy.options));
  int64_t copied = 0;
  copy.progress(copied, all);
  for (const auto& [name, size] : sizes) {
    PENSTOCK_RETURN_IF_ERROR(CopyObject(copy, *to, name, size, [&](int64_t more) {
      copied += more;
      copy.progress(copied, all);
    }));
  }
  PENSTOCK_RETURN_IF_ERROR(to->Write(CommitRecordName(copy.point.manifest_name),
                                     EncodeCommitRecord(manifest.checkpoint_id(), manifest.generation())));
  PENSTOCK_RETURN_IF_ERROR(to->Write(copy.point.manifest_name, bytes));
  copy.progress(all, all);
  return target;
}

void SavepointCopier::Copy(RestorePoint point, std::string directory, std::function<void(int64_t, int64_t)> progress,
                           std::function<void(absl::StatusOr<std::string>)> done) {
  actor_.Post([this, point = std::move(point), directory = std::move(directory), progress = std::move(progress),
               done = std::move(done)] {
    done(CopySavepoint({*storage_, options_, point, directory, progress, stop_}));
  });
}

}  // namespace penstock::jobmanager
