// Durable storage for checkpoints and jobs: immutable objects under slash-separated names.
//
// Thread-safe. Every call blocks for I/O, so never call it from a task's thread or an actor. What a call has reported
// as written is durable: it survives the machine (file: fsync of the file and its directory; S3: a 2xx answer). Errors
// name the operation and the object: NotFound, ResourceExhausted (no space), PermissionDenied, Unavailable (worth a
// retry), DataLoss.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_STORAGE_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_STORAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/storage/s3/options.h"

namespace penstock {

class Config;

// An object being written piece by piece. Nobody sees it before Commit; dropping the writer without it leaves nothing.
class StorageWriter {
 public:
  virtual ~StorageWriter() = default;
  virtual absl::Status Append(std::string_view bytes) = 0;
  virtual absl::Status Commit() = 0;
};

struct StoredObject {
  std::string name;
  int64_t size_bytes = 0;
  int64_t modified_ms = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;

  // Where it is, for people: "file:///var/lib/penstock".
  virtual std::string Describe() const = 0;

  // Replaces an object of that name.
  virtual absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string& name) = 0;
  virtual absl::Status Write(const std::string& name, std::string_view bytes) = 0;
  // The one atomic decision there is (protocols.md B1). False: an object of that name exists, and is untouched. When
  // the call fails the object may exist or not: read it.
  virtual absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) = 0;

  // At most max_bytes from the offset; fewer at the end of the object only.
  virtual absl::StatusOr<std::string> Read(const std::string& name, int64_t offset, int64_t max_bytes) = 0;
  absl::StatusOr<std::string> ReadAll(const std::string& name) { return Read(name, 0, INT64_MAX); }

  // All objects whose name begins with the prefix, in order of name.
  virtual absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) = 0;
  // Objects that are gone already are no error.
  virtual absl::Status Delete(const std::vector<std::string>& names) = 0;

  // The object as a file on this machine whose bytes never change, for reading or a link; empty: it is none.
  virtual std::string LocalPath(const std::string& name) const { return (void)name, std::string(); }

  // Between the storage and a local file.
  virtual absl::Status UploadFile(const std::string& name, const std::string& local_path) = 0;
  virtual absl::Status DownloadFile(const std::string& name, const std::string& local_path) = 0;
};

// What storages need besides their address.
struct StorageOptions {
  s3::Options s3;

  // The keys s3.*, and what this process's environment has in their place.
  static StorageOptions From(const Config& config);
};

// file:///path, a path, or s3://bucket/prefix. InvalidArgument: a scheme that is not known.
absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& uri, const StorageOptions& options);

// That WriteIfAbsent decides, by deciding a name of its own twice: FailedPrecondition names the storage that lets the
// second one win, too. Also finds out whether the storage is there and may be written to and deleted from.
absl::Status ProbeStorage(Storage& storage);

// No empty parts, no "." or "..", no leading slash: an object's name never leads out of its storage.
absl::Status CheckObjectName(std::string_view name);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_STORAGE_H_
