// Storage in a directory, which all machines of the cluster see (or which only one machine uses).
//
// Thread-safe. A temporary file beside the object, fsync, rename or link(), fsync of the directory.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_FILE_STORAGE_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_FILE_STORAGE_H_

#include "runtime/core/storage/storage.h"

namespace penstock {

class FileStorage final : public Storage {
 public:
  // Makes the directory when it is missing; FailedPrecondition when that is impossible or it cannot be written to.
  static absl::StatusOr<std::unique_ptr<FileStorage>> Open(const std::string& directory);

  std::string Describe() const override { return "file://" + directory_; }
  absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string& name) override;
  absl::Status Write(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<std::string> Read(const std::string& name, int64_t offset, int64_t max_bytes) override;
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override;
  absl::Status Delete(const std::vector<std::string>& names) override;
  std::string LocalPath(const std::string& name) const override { return PathOf(name).value_or(""); }
  absl::Status UploadFile(const std::string& name, const std::string& local_path) override;
  absl::Status DownloadFile(const std::string& name, const std::string& local_path) override;

 private:
  explicit FileStorage(std::string directory) : directory_(std::move(directory)) {}
  class FileWriter;

  static absl::StatusOr<std::unique_ptr<FileWriter>> OpenWriter(const std::string& path);
  static absl::Status CopyInto(const std::string& from, FileWriter& writer);
  absl::StatusOr<std::unique_ptr<FileWriter>> WriterFor(const std::string& name);
  absl::StatusOr<std::string> PathOf(const std::string& name) const;

  const std::string directory_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_FILE_STORAGE_H_
