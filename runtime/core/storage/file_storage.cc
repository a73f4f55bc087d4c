#include "runtime/core/storage/file_storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "runtime/core/status.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporaryMark = ".tmp-";
constexpr int64_t kCopyChunkBytes = 1 << 20;
constexpr int64_t kWriteBackBytes = 8 << 20;
constexpr int kDirectoryRacesMax = 3;

absl::Status ErrnoStatus(std::string_view doing, std::string_view path, int error) {
  const auto message = fmt::format("cannot {} {}: {}", doing, path, std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string directory = fs::path(path).parent_path();
  const Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || fsync(fd.get()) != 0) return ErrnoStatus("sync directory", directory, errno);
  return absl::OkStatus();
}

// Makes missing directories durable, too: each new one is synced in its parent.
absl::Status MakeDirectories(const fs::path& directory) {
  if (mkdir(directory.c_str(), 0755) == 0) return SyncDirectoryOf(directory);
  if (errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT || !directory.has_relative_path())
    return ErrnoStatus("make directory", directory.string(), errno);
  if (absl::Status status = MakeDirectories(directory.parent_path()); !status.ok()) return status;
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus("make directory", directory.string(), errno);
  }
  return SyncDirectoryOf(directory);
}

std::string TemporaryFor(const std::string& path) {
  static std::atomic<uint64_t> next{0};
  return fmt::format("{}{}{}-{}", path, kTemporaryMark, getpid(), next++);
}

int64_t ModifiedMs(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

}  // namespace

class FileStorage::FileWriter final : public StorageWriter {
 public:
  FileWriter(std::string path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  ~FileWriter() override {
    if (!committed_) unlink(temporary_.c_str());
  }

  absl::Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus("write", temporary_, errno);
      bytes.remove_prefix(static_cast<size_t>(written));
      written_bytes_ += written;
    }
    WriteBack();
    return absl::OkStatus();
  }
  absl::Status Commit() override {
    if (fsync(fd_.get()) != 0) return ErrnoStatus("sync", temporary_, errno);
    if (rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus("rename to", path_, errno);
    committed_ = true;
    return SyncDirectoryOf(path_);
  }
  // link() fails when the name exists: the decision (protocols.md B1). The temporary goes with this writer.
  absl::StatusOr<bool> CommitIfAbsent() {
    if (fsync(fd_.get()) != 0) return ErrnoStatus("sync", temporary_, errno);
    if (link(temporary_.c_str(), path_.c_str()) != 0) {
      if (errno == EEXIST) return false;
      return ErrnoStatus("link to", path_, errno);
    }
    PENSTOCK_RETURN_IF_ERROR(SyncDirectoryOf(path_));
    return true;
  }

 private:
  // A large file goes to the disk while it is written, a little behind: or its fsync would hold up those of others.
  void WriteBack() {
    if (written_bytes_ - begun_bytes_ < kWriteBackBytes) return;
    sync_file_range(fd_.get(), 0, begun_bytes_, SYNC_FILE_RANGE_WAIT_BEFORE);
    sync_file_range(fd_.get(), begun_bytes_, written_bytes_ - begun_bytes_, SYNC_FILE_RANGE_WRITE);
    begun_bytes_ = written_bytes_;
  }

  const std::string path_;
  const std::string temporary_;
  const Fd fd_;
  int64_t written_bytes_ = 0;
  int64_t begun_bytes_ = 0;  // up to which writing back has begun
  bool committed_ = false;
};

absl::StatusOr<std::unique_ptr<FileStorage::FileWriter>> FileStorage::OpenWriter(const std::string& path) {
  std::string temporary = TemporaryFor(path);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("create", temporary, errno);
  return std::make_unique<FileWriter>(path, std::move(temporary), fd);
}

absl::Status FileStorage::CopyInto(const std::string& from, FileWriter& writer) {
  const Fd in(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.ok()) return ErrnoStatus("open", from, errno);
  std::string chunk(kCopyChunkBytes, '\0');
  while (true) {
    const ssize_t got = read(in.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", from, errno);
    if (got == 0) return writer.Commit();
    PENSTOCK_RETURN_IF_ERROR(writer.Append({chunk.data(), static_cast<size_t>(got)}));
  }
}

absl::StatusOr<std::unique_ptr<FileStorage>> FileStorage::Open(const std::string& directory) {
  const std::string absolute = fs::absolute(directory).lexically_normal();
  if (absl::Status status = MakeDirectories(absolute); !status.ok()) {
    return FailedPrecondition("storage {}: {}", absolute, MessageOf(status));
  }
  if (access(absolute.c_str(), R_OK | W_OK | X_OK) != 0) {
    return FailedPrecondition("storage {} cannot be read and written: {}", absolute, std::strerror(errno));
  }
  return std::unique_ptr<FileStorage>(new FileStorage(absolute));
}

absl::StatusOr<std::string> FileStorage::PathOf(const std::string& name) const {
  PENSTOCK_RETURN_IF_ERROR(CheckObjectName(name));
  return fs::path(directory_) / name;
}

absl::StatusOr<std::unique_ptr<FileStorage::FileWriter>> FileStorage::WriterFor(const std::string& name) {
  PENSTOCK_RETURN_IF_ERROR(CheckObjectName(name));
  const std::string path = fs::path(directory_) / name;
  absl::Status status;
  // Somebody else may delete the last object of the directory, and it with that, just now.
  for (int i = 0; i < kDirectoryRacesMax; ++i) {
    PENSTOCK_RETURN_IF_ERROR(MakeDirectories(fs::path(path).parent_path()));
    auto writer = OpenWriter(path);
    if (writer.ok() || !absl::IsNotFound(writer.status())) return writer;
    status = writer.status();
  }
  return status;
}

absl::StatusOr<std::unique_ptr<StorageWriter>> FileStorage::Create(const std::string& name) {
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<StorageWriter> writer, WriterFor(name));
  return writer;
}

absl::Status FileStorage::Write(const std::string& name, std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, Create(name));
  PENSTOCK_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Commit();
}

absl::StatusOr<bool> FileStorage::WriteIfAbsent(const std::string& name, std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<FileWriter> writer, WriterFor(name));
  PENSTOCK_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->CommitIfAbsent();
}

absl::StatusOr<std::string> FileStorage::Read(const std::string& name, int64_t offset, int64_t max_bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return ErrnoStatus("open", path, errno);
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus("stat", path, errno);
  const int64_t size = std::clamp<int64_t>(info.st_size - offset, 0, max_bytes);
  std::string bytes(static_cast<size_t>(size), '\0');
  int64_t done = 0;
  while (done < size) {
    const ssize_t got = pread(fd.get(), bytes.data() + done, static_cast<size_t>(size - done), offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path, errno);
    if (got == 0) return DataLoss("{} became shorter while it was read", path);
    done += got;
  }
  return bytes;
}

absl::StatusOr<std::vector<StoredObject>> FileStorage::List(const std::string& prefix) {
  const fs::path root = directory_;
  const fs::path start = root / fs::path(prefix).parent_path();
  std::vector<StoredObject> objects;
  std::error_code error;
  fs::recursive_directory_iterator entries(start, error);
  if (error == std::errc::no_such_file_or_directory) return objects;
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    std::error_code gone;  // another process may delete meanwhile
    if (!entries->is_regular_file(gone) || gone) continue;
    std::string name = entries->path().lexically_relative(root);
    if (!name.starts_with(prefix) || name.find(kTemporaryMark) != std::string::npos) continue;
    const auto size = entries->file_size(gone);
    if (gone) continue;
    objects.push_back({std::move(name), static_cast<int64_t>(size), ModifiedMs(entries->path())});
  }
  if (error) return Unavailable("cannot list {}: {}", start.string(), error.message());
  std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return objects;
}

absl::Status FileStorage::Delete(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
    if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) return ErrnoStatus("delete", path, errno);
    // A directory that has become empty goes, too; rmdir refuses any other.
    for (fs::path parent = fs::path(path).parent_path(); parent != directory_; parent = parent.parent_path()) {
      if (rmdir(parent.c_str()) != 0) break;
    }
  }
  return absl::OkStatus();
}

absl::Status FileStorage::UploadFile(const std::string& name, const std::string& local_path) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<FileWriter> writer, WriterFor(name));
  return CopyInto(local_path, *writer);
}

absl::Status FileStorage::DownloadFile(const std::string& name, const std::string& local_path) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<FileWriter> writer, OpenWriter(local_path));
  return CopyInto(path, *writer);
}

}  // namespace penstock
