#include "runtime/core/storage/s3/s3_storage.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/core/storage/s3/s3_writer.h"

namespace penstock::s3 {
namespace {

constexpr int64_t kCopyChunkBytes = 1 << 20;
constexpr int64_t kDownloadBytes = 16 << 20;  // read at a time

// Removed again unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)), out_(path_, std::ios::binary | std::ios::trunc) {}
  ~TemporaryFile() {
    std::error_code ignored;
    if (!renamed_) std::filesystem::remove(path_, ignored);
  }
  absl::Status Append(std::string_view bytes) {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return Check("write");
  }
  absl::Status RenameTo(const std::string& path) {
    out_.close();
    PENSTOCK_RETURN_IF_ERROR(Check("write"));
    std::error_code error;
    std::filesystem::rename(path_, path, error);
    if (error) return Unavailable("cannot rename {} to {}: {}", path_, path, error.message());
    renamed_ = true;
    return absl::OkStatus();
  }

 private:
  absl::Status Check(std::string_view doing) const {
    if (out_) return absl::OkStatus();
    const int error = errno;
    if (error == ENOSPC || error == EDQUOT) return ResourceExhausted("cannot {} {}: no space left", doing, path_);
    return Unavailable("cannot {} {}: {}", doing, path_, std::strerror(error));
  }

  const std::string path_;
  std::ofstream out_;
  bool renamed_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<S3Storage>> S3Storage::Open(const std::string& uri, const Options& options,
                                                           std::unique_ptr<HttpTransport> transport,
                                                           Surroundings surroundings) {
  PENSTOCK_ASSIGN_OR_RETURN(Location location, Location::Parse(uri));
  PENSTOCK_ASSIGN_OR_RETURN(Endpoint endpoint, Endpoint::Of(options, location.bucket));
  if (options.access_key.empty() || options.secret_key.empty()) {
    return FailedPrecondition(
        "storage {} needs credentials: set s3.access-key and s3.secret-key, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY in the environment of the JobManager and of all TaskManagers",
        uri);
  }
  Requester requester(options, location.bucket, std::move(endpoint), *transport, std::move(surroundings));
  return std::unique_ptr<S3Storage>(
      new S3Storage(uri, std::move(location.prefix), options, std::move(transport), std::move(requester)));
}

absl::StatusOr<std::string> S3Storage::KeyOf(const std::string& name) const {
  PENSTOCK_RETURN_IF_ERROR(CheckObjectName(name));
  return prefix_ + name;
}

absl::StatusOr<std::unique_ptr<StorageWriter>> S3Storage::Create(const std::string& name) {
  PENSTOCK_ASSIGN_OR_RETURN(std::string key, KeyOf(name));
  return std::make_unique<S3Writer>(client_, std::move(key), options_);
}

absl::Status S3Storage::Write(const std::string& name, std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, Create(name));
  PENSTOCK_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Commit();
}

absl::StatusOr<bool> S3Storage::WriteIfAbsent(const std::string& name, std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string key, KeyOf(name));
  return client_.PutIfAbsent(key, bytes);
}

absl::StatusOr<std::string> S3Storage::Read(const std::string& name, int64_t offset, int64_t max_bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string key, KeyOf(name));
  PENSTOCK_ASSIGN_OR_RETURN(ObjectRange range, client_.Get(key, offset, max_bytes));
  return std::move(range.bytes);
}

absl::StatusOr<std::vector<StoredObject>> S3Storage::List(const std::string& prefix) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<ListedObject> listed, client_.List(prefix_ + prefix));
  std::vector<StoredObject> objects;
  for (const ListedObject& object : listed) {
    if (!object.key.starts_with(prefix_)) continue;
    std::string name = object.key.substr(prefix_.size());
    if (!CheckObjectName(name).ok()) continue;  // the mark that some tools make for a folder
    objects.push_back({std::move(name), object.size_bytes, object.modified_ms});
  }
  std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return objects;
}

absl::Status S3Storage::Delete(const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (const std::string& name : names) {
    PENSTOCK_ASSIGN_OR_RETURN(std::string key, KeyOf(name));
    keys.push_back(std::move(key));
  }
  return client_.Delete(keys);
}

absl::Status S3Storage::UploadFile(const std::string& name, const std::string& local_path) {
  std::ifstream in(local_path, std::ios::binary);
  if (!in) return NotFound("cannot open {}: {}", local_path, std::strerror(errno));
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, Create(name));
  std::string chunk(kCopyChunkBytes, '\0');
  while (in) {
    in.read(chunk.data(), kCopyChunkBytes);
    PENSTOCK_RETURN_IF_ERROR(writer->Append({chunk.data(), static_cast<size_t>(in.gcount())}));
  }
  if (in.bad()) return Unavailable("cannot read {}: {}", local_path, std::strerror(errno));
  return writer->Commit();
}

absl::Status S3Storage::DownloadFile(const std::string& name, const std::string& local_path) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string key, KeyOf(name));
  PENSTOCK_ASSIGN_OR_RETURN(ObjectRange range, client_.Get(key, 0, kDownloadBytes));
  TemporaryFile file(local_path + ".partial");
  int64_t done = 0;
  while (true) {
    PENSTOCK_RETURN_IF_ERROR(file.Append(range.bytes));
    done += static_cast<int64_t>(range.bytes.size());
    if (done >= range.object_bytes) return file.RenameTo(local_path);
    // Of the object that was begun, or Aborted.
    PENSTOCK_ASSIGN_OR_RETURN(range, client_.Get(key, done, kDownloadBytes, std::string(range.etag)));
    if (range.bytes.empty()) return DataLoss("{} became shorter while it was read", client_.requester().NameOf(key));
  }
}

}  // namespace penstock::s3
