#include "jobmanager/rest/program_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "runtime/core/bundle.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

namespace fs = std::filesystem;

absl::Status CheckDigest(const std::string& digest) {
  if (IsSha256Hex(digest)) return absl::OkStatus();
  return InvalidArgument("'{}' is no SHA-256 digest (64 lower-case hex digits)", digest);
}

int64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? -1 : static_cast<int64_t>(size);
}

}  // namespace

ProgramStore::ProgramStore(std::string directory, int64_t program_bytes_max)
    : directory_(std::move(directory)), program_bytes_max_(program_bytes_max) {}

absl::StatusOr<std::unique_ptr<ProgramStore>> ProgramStore::Open(const std::string& directory,
                                                                 int64_t program_bytes_max) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error || access(directory.c_str(), W_OK) != 0) {
    return PermissionDenied("the program folder '{}' can't be written; set web.upload.dir", directory);
  }
  return std::unique_ptr<ProgramStore>(new ProgramStore(fs::absolute(directory).string(), program_bytes_max));
}

absl::StatusOr<ProgramSource::Program> ProgramStore::Find(const std::string& digest) {
  PENSTOCK_RETURN_IF_ERROR(CheckDigest(digest));
  const std::string path = PathOf(digest);
  if (SizeOf(path) < 0) return NotFound("program {} is not uploaded", digest);
  return Program{path, LooksLikeBundle(path)};
}

absl::StatusOr<ProgramStore::Progress> ProgramStore::ProgressOf(const std::string& digest) {
  PENSTOCK_RETURN_IF_ERROR(CheckDigest(digest));
  if (const int64_t size = SizeOf(PathOf(digest)); size >= 0) return Progress{size, true};
  if (const int64_t size = SizeOf(PartOf(digest)); size >= 0) return Progress{size, false};
  return NotFound("nothing of program {} is uploaded", digest);
}

absl::StatusOr<std::unique_ptr<ProgramUpload>> ProgramStore::BeginUpload(const std::string& digest, int64_t offset,
                                                                         int64_t total) {
  PENSTOCK_RETURN_IF_ERROR(CheckDigest(digest));
  if (total > program_bytes_max_) {
    return ResourceExhausted("a program of {} bytes is larger than web.upload.max-size ({} bytes)", total,
                             program_bytes_max_);
  }
  if (total <= 0 || offset < 0 || offset > total) {
    return InvalidArgument("offset {} and length {} do not fit together", offset, total);
  }
  MutexLock lock(&mutex_);
  if (SizeOf(PathOf(digest)) >= 0) return AlreadyExists("program {} is uploaded already", digest);
  const std::string part = PartOf(digest);
  const int64_t present = std::max<int64_t>(SizeOf(part), 0);
  if (offset != 0 && offset != present) {
    return OutOfRange("the upload of {} goes on at offset {}, not {}", digest, present, offset);
  }
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (offset == 0 ? O_TRUNC : 0), 0600);
  if (fd < 0) return Unavailable("can't write '{}': {}", part, std::strerror(errno));
  const uint64_t generation = next_generation_++;
  writers_[digest] = generation;
  return std::unique_ptr<ProgramUpload>(new ProgramUpload(this, digest, generation, offset, total, fd));
}

absl::Status ProgramStore::Restore(const std::string& digest,
                                   const std::function<absl::Status(const std::string& path)>& fill) {
  PENSTOCK_RETURN_IF_ERROR(CheckDigest(digest));
  if (SizeOf(PathOf(digest)) >= 0) return absl::OkStatus();
  const std::string path = PathOf(digest) + ".restored";
  PENSTOCK_RETURN_IF_ERROR(fill(path));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(path));
  if (found != digest) {
    unlink(path.c_str());
    return DataLoss("the stored program {} is damaged: its digest is {}", digest, found);
  }
  if (chmod(path.c_str(), 0700) != 0 || rename(path.c_str(), PathOf(digest).c_str()) != 0) {
    return Unavailable("can't store program {}: {}", digest, std::strerror(errno));
  }
  return absl::OkStatus();
}

ProgramUpload::ProgramUpload(ProgramStore* store, std::string digest, uint64_t generation, int64_t offset,
                             int64_t total, int fd)
    : store_(store), digest_(std::move(digest)), generation_(generation), total_(total), offset_(offset), fd_(fd) {}

ProgramUpload::~ProgramUpload() {
  close(fd_);
  MutexLock lock(&store_->mutex_);
  const auto writer = store_->writers_.find(digest_);
  if (writer != store_->writers_.end() && writer->second == generation_) store_->writers_.erase(writer);
}

absl::Status ProgramUpload::Write(std::string_view bytes) {
  if (offset_ + static_cast<int64_t>(bytes.size()) > total_) {
    return ResourceExhausted("the upload of {} is longer than the {} bytes announced", digest_, total_);
  }
  // Under the lock, so that nothing of an older upload lands after a newer one has begun.
  MutexLock lock(&store_->mutex_);
  if (store_->writers_[digest_] != generation_) {
    return Aborted("another upload of {} has taken over", digest_);
  }
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), offset_);
    if (written < 0) return Unavailable("can't store program {}: {}", digest_, std::strerror(errno));
    offset_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ProgramUpload::Finish() {
  if (offset_ < total_) return false;
  const std::string part = store_->PartOf(digest_);
  PENSTOCK_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(part));
  MutexLock lock(&store_->mutex_);
  if (store_->writers_[digest_] != generation_) return Aborted("another upload of {} has taken over", digest_);
  if (found != digest_) {
    unlink(part.c_str());
    return DataLoss("the upload is damaged: its digest is {}, not {}; it was removed", found, digest_);
  }
  fchmod(fd_, 0700);
  if (fsync(fd_) != 0 || rename(part.c_str(), store_->PathOf(digest_).c_str()) != 0) {
    return Unavailable("can't store program {}: {}", digest_, std::strerror(errno));
  }
  return true;
}

}  // namespace penstock::jobmanager
