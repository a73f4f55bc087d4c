#include "runtime/state/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int64_t kReadChunkBytes = 1 << 20;

absl::Status IoError(std::string_view what, std::string_view path) {
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT) return ResourceExhausted("{} {}: {}", what, path, std::strerror(error));
  return Internal("{} {}: {}", what, path, std::strerror(error));
}

class MemoryStateFile final : public StateFile {
 public:
  MemoryStateFile(std::string name, std::vector<std::string> chunks, int64_t size, uint64_t checksum)
      : StateFile(std::move(name), size, checksum), chunks_(std::move(chunks)) {
    int64_t begin = 0;
    for (const std::string& chunk : chunks_) {
      begins_.push_back(begin);
      begin += static_cast<int64_t>(chunk.size());
    }
  }
  int64_t memory_bytes() const override { return size_bytes(); }
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const override {
    PENSTOCK_RETURN_IF_ERROR(CheckRange(offset, size));
    std::string bytes;
    bytes.reserve(static_cast<size_t>(size));
    size_t i = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), offset) - begins_.begin());
    for (i = i == 0 ? 0 : i - 1; size > 0; ++i) {
      const int64_t from = offset - begins_[i];
      const int64_t take = std::min(size, static_cast<int64_t>(chunks_[i].size()) - from);
      bytes.append(chunks_[i], static_cast<size_t>(from), static_cast<size_t>(take));
      offset += take;
      size -= take;
    }
    return bytes;
  }

 private:
  const std::vector<std::string> chunks_;
  std::vector<int64_t> begins_;
};

class LocalStateFile final : public StateFile {
 public:
  LocalStateFile(std::string name, std::string path, int64_t size, uint64_t checksum, bool owned)
      : StateFile(std::move(name), size, checksum), path_(std::move(path)), owned_(owned) {}
  ~LocalStateFile() override {
    if (owned_) unlink(path_.c_str());
  }
  std::string local_path() const override { return path_; }
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const override {
    PENSTOCK_RETURN_IF_ERROR(CheckRange(offset, size));
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return IoError("cannot open state file", path_);
    std::string bytes(static_cast<size_t>(size), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got = pread(fd, bytes.data() + done, bytes.size() - done, offset + static_cast<int64_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    close(fd);
    if (done < bytes.size())
      return DataLoss("state file {} ends at {} of {} bytes", path_, offset + done, size_bytes());
    return bytes;
  }

 private:
  const std::string path_;
  const bool owned_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return IoError("cannot write state file", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status StateFile::CheckRange(int64_t offset, int64_t size) const {
  if (offset < 0 || size < 0 || offset > size_bytes_ || size > size_bytes_ - offset) {
    return DataLoss("state file {} has {} bytes; {} at {} were asked for", name_, size_bytes_, size, offset);
  }
  return absl::OkStatus();
}

StateFilePtr MakeMemoryStateFile(std::string name, std::string bytes) {
  const int64_t size = static_cast<int64_t>(bytes.size());
  const uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size());
  std::vector<std::string> chunks;
  chunks.push_back(std::move(bytes));
  return std::make_shared<MemoryStateFile>(std::move(name), std::move(chunks), size, checksum);
}

StateFilePtr MakeLocalStateFile(std::string name, std::string path, int64_t size_bytes, uint64_t checksum, bool owned) {
  return std::make_shared<LocalStateFile>(std::move(name), std::move(path), size_bytes, checksum, owned);
}

struct SpillBuffer::Checksum {
  Checksum() : state(XXH3_createState()) { XXH3_64bits_reset(state); }
  ~Checksum() { XXH3_freeState(state); }
  XXH3_state_t* const state;
};

absl::StatusOr<StateFilePtr> OpenLocalStateFile(std::string name, const std::string& path, bool owned) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError("cannot open state file", path);
  XXH3_state_t* const state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::string chunk(kReadChunkBytes, '\0');
  int64_t size = 0;
  ssize_t got = 0;
  while ((got = read(fd, chunk.data(), chunk.size())) > 0) {
    XXH3_64bits_update(state, chunk.data(), static_cast<size_t>(got));
    size += got;
  }
  const uint64_t checksum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  close(fd);
  if (got < 0) return IoError("cannot read state file", path);
  return MakeLocalStateFile(std::move(name), path, size, checksum, owned);
}

SpillBuffer::SpillBuffer(std::string name, std::string directory, int64_t memory_bound_bytes)
    : name_(std::move(name)),
      directory_(std::move(directory)),
      memory_bound_bytes_(memory_bound_bytes),
      checksum_(std::make_unique<Checksum>()) {}

SpillBuffer::SpillBuffer(SpillBuffer&& other) noexcept
    : name_(other.name_),
      directory_(other.directory_),
      memory_bound_bytes_(other.memory_bound_bytes_),
      checksum_(std::move(other.checksum_)),
      chunks_(std::move(other.chunks_)),
      size_bytes_(other.size_bytes_),
      fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)) {}

SpillBuffer::~SpillBuffer() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(path_.c_str());
}

absl::Status SpillBuffer::Append(std::string_view bytes) {
  XXH3_64bits_update(checksum_->state, bytes.data(), bytes.size());
  size_bytes_ += static_cast<int64_t>(bytes.size());
  if (fd_ >= 0) return WriteAll(fd_, bytes, path_);
  if (!bytes.empty()) chunks_.emplace_back(bytes);
  if (size_bytes_ > memory_bound_bytes_ && !directory_.empty()) return Spill();
  return absl::OkStatus();
}

absl::Status SpillBuffer::Spill() {
  path_ = directory_ + "/" + name_;
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd_ < 0) return IoError("cannot create state file", path_);
  for (const std::string& chunk : chunks_) PENSTOCK_RETURN_IF_ERROR(WriteAll(fd_, chunk, path_));
  chunks_.clear();
  return absl::OkStatus();
}

absl::StatusOr<StateFilePtr> SpillBuffer::Seal() {
  const uint64_t checksum = XXH3_64bits_digest(checksum_->state);
  if (fd_ < 0) return std::make_shared<MemoryStateFile>(name_, std::move(chunks_), size_bytes_, checksum);
  const int closed = close(fd_);
  fd_ = -1;
  if (closed != 0) {
    const absl::Status status = IoError("cannot write state file", path_);
    unlink(path_.c_str());
    return status;
  }
  return MakeLocalStateFile(name_, path_, size_bytes_, checksum, true);
}

}  // namespace penstock
