#include "jobmanager/checkpoint/savepoint.h"

#include <algorithm>
#include <filesystem>
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
constexpr std::string_view kFileScheme = "file://";

std::string Join(std::string_view directory, std::string_view name) {
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

// One spelling of a place: without file:// and closing slashes.
std::string PlainPath(std::string_view uri) {
  if (uri.starts_with(kFileScheme)) uri.remove_prefix(kFileScheme.size());
  while (uri.size() > 1 && uri.ends_with('/')) uri.remove_suffix(1);
  return std::string(uri);
}

bool IsObjectName(std::string_view path) { return !path.starts_with('/') && path.find("://") == std::string::npos; }

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

// The storage that a manifest's path leads into, and its name there: "<root>/jobs/<uid>/manifests/<id>".
bool SplitManifestPath(const std::string path, std::string* root, std::string* name) {
  const size_t manifests = path.rfind("/manifests/");
  if (manifests == std::string::npos || !IdOfManifestName(path.substr(manifests + 1))) return false;
  const size_t jobs = path.rfind("/jobs/", manifests);
  if (jobs == std::string::npos) return false;
  *root = path.substr(0, jobs);
  *name = path.substr(jobs + 1);
  return true;
}

// The only manifest that the directory holds.
absl::StatusOr<std::string> OnlyManifestIn(Storage& storage, const std::string& path) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, storage.List("jobs/"));
  std::vector<std::string> manifests;
  for (const StoredObject& object : objects) {
    if (object.name.find("/manifests/") != std::string::npos && IdOfManifestName(object.name)) {
      manifests.push_back(object.name);
    }
  }
  if (manifests.empty()) {
    return NotFound("there is no savepoint in {}: give the location that `penstock savepoint` printed", path);
  }
  if (manifests.size() > 1) {
    return InvalidArgument("{} holds {} checkpoints: name the one to begin from, such as {}", path, manifests.size(),
                           Join(path, manifests.back()));
  }
  return manifests.front();
}

absl::StatusOr<FoundSavepoint> ReadFound(Storage& storage, FoundSavepoint found, const std::string& path) {
  const absl::StatusOr<std::string> bytes = storage.ReadAll(found.manifest_name);
  if (absl::IsNotFound(bytes.status())) {
    return NotFound("there is no savepoint at {}: {}", path, MessageOf(bytes.status()));
  }
  PENSTOCK_RETURN_IF_ERROR(bytes.status());
  PENSTOCK_ASSIGN_OR_RETURN(found.manifest, DecodeManifest(*bytes, found.manifest_name));
  return found;
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
  PENSTOCK_RETURN_IF_ERROR(to->Write(copy.point.manifest_name, bytes));
  copy.progress(all, all);
  return target;
}

absl::StatusOr<FoundSavepoint> FindSavepoint(const std::string& path, const std::string& own_uri, Storage& own,
                                             const StorageOptions& options) {
  FoundSavepoint found;
  if (IsObjectName(path)) {
    found.manifest_name = path;
    return ReadFound(own, std::move(found), path);
  }
  std::string root = PlainPath(path);
  const bool is_manifest = SplitManifestPath(root, &root, &found.manifest_name);
  const bool is_own = root == PlainPath(own_uri);
  if (is_own && is_manifest) return ReadFound(own, std::move(found), path);
  std::error_code error;
  // Opening makes a missing directory, and reading must not.
  if (root.starts_with('/') && !std::filesystem::is_directory(root, error)) {
    return NotFound("there is no savepoint at {}: no such directory on the JobManager's machine", path);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> storage, OpenStorage(root, options));
  if (!is_manifest) {
    PENSTOCK_ASSIGN_OR_RETURN(found.manifest_name, OnlyManifestIn(*storage, path));
  }
  if (!is_own) found.storage = root;
  return ReadFound(*storage, std::move(found), path);
}

void SavepointCopier::Copy(RestorePoint point, std::string directory, std::function<void(int64_t, int64_t)> progress,
                           std::function<void(absl::StatusOr<std::string>)> done) {
  actor_.Post([this, point = std::move(point), directory = std::move(directory), progress = std::move(progress),
               done = std::move(done)] {
    done(CopySavepoint({*storage_, options_, point, directory, progress, stop_}));
  });
}

}  // namespace penstock::jobmanager
