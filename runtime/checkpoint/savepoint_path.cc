#include "runtime/checkpoint/savepoint_path.h"

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"

namespace penstock {
namespace {

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
  PENSTOCK_ASSIGN_OR_RETURN(found.committed, IsCommitted(storage, found.manifest_name, found.manifest));
  return found;
}

}  // namespace

absl::StatusOr<bool> IsCommitted(Storage& storage, const std::string& manifest_name, const proto::Manifest& manifest) {
  if (manifest.kind() != proto::Manifest::SAVEPOINT) return false;
  const std::string name = CommitRecordName(manifest_name);
  const absl::StatusOr<std::string> bytes = storage.ReadAll(name);
  if (absl::IsNotFound(bytes.status())) return false;
  PENSTOCK_RETURN_IF_ERROR(bytes.status());
  PENSTOCK_RETURN_IF_ERROR(CheckCommitRecord(*bytes, name, manifest));
  return true;
}

absl::StatusOr<FoundSavepoint> FindSavepoint(const std::string& path, const std::string& own_uri, Storage* own,
                                             const StorageOptions& options) {
  FoundSavepoint found;
  if (IsObjectName(path) && own != nullptr) {
    found.manifest_name = path;
    return ReadFound(*own, std::move(found), path);
  }
  std::string root = IsObjectName(path) ? std::filesystem::absolute(path).string() : PlainPath(path);
  const bool is_manifest = SplitManifestPath(root, &root, &found.manifest_name);
  const bool is_own = own != nullptr && root == PlainPath(own_uri);
  if (is_own && is_manifest) return ReadFound(*own, std::move(found), path);
  std::error_code error;
  // Opening makes a missing directory, and reading must not.
  if (root.starts_with('/') && !std::filesystem::is_directory(root, error)) {
    return NotFound("there is no savepoint at {}: no such directory on this machine", path);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> storage, OpenStorage(root, options));
  if (!is_manifest) {
    PENSTOCK_ASSIGN_OR_RETURN(found.manifest_name, OnlyManifestIn(*storage, path));
  }
  if (!is_own) found.storage = root;
  return ReadFound(*storage, std::move(found), path);
}

}  // namespace penstock
