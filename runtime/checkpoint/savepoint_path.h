// Finding a savepoint or checkpoint by the path that people give.
#ifndef PENSTOCK_RUNTIME_CHECKPOINT_SAVEPOINT_PATH_H_
#define PENSTOCK_RUNTIME_CHECKPOINT_SAVEPOINT_PATH_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "runtime/core/storage/storage.h"

namespace penstock {

struct FoundSavepoint {
  std::string storage;        // URI of the storage it lies in; empty: the job's own
  std::string manifest_name;  // the object
  proto::Manifest manifest;
  bool committed = false;  // a savepoint, and every sink has committed what it covers
};
// Whether that is on record beside the manifest of that name. DataLoss: the record is damaged.
absl::StatusOr<bool> IsCommitted(Storage& storage, const std::string& manifest_name, const proto::Manifest& manifest);
// own: of the job, at own_uri; null: there is none. path: an object of it; or the URI or absolute path of a manifest,
// or of the directory of a savepoint. NotFound and InvalidArgument say what is there instead.
absl::StatusOr<FoundSavepoint> FindSavepoint(const std::string& path, const std::string& own_uri, Storage* own,
                                             const StorageOptions& options);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CHECKPOINT_SAVEPOINT_PATH_H_
