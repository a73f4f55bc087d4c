#include "connectors/file/record_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/core/status.h"

namespace penstock::file {
namespace {

constexpr size_t kBlockBytes = 256 << 10;

}  // namespace

RecordReader::RecordReader(std::string path, framing::Framing framing, size_t record_bytes_max)
    : path_(std::move(path)), framing_(framing), limits_{.frame_bytes_max = record_bytes_max}, buffer_(kBlockBytes) {}

RecordReader::~RecordReader() {
  if (fd_ >= 0) close(fd_);
}

absl::Status RecordReader::Open(int64_t offset, int64_t records) {
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return NotFound("file {} cannot be opened: {}", path_, strerror(errno));
  struct stat info = {};
  if (fstat(fd_, &info) != 0 || (S_ISREG(info.st_mode) && info.st_size < offset)) {
    return FailedPrecondition("file {} was read to byte {}, but has only {} now", path_, offset, info.st_size);
  }
  if (offset > 0 && lseek(fd_, offset, SEEK_SET) < 0) {
    return Unavailable("file {} cannot be read from byte {}: {}", path_, offset, strerror(errno));
  }
  consumed_ = offset;
  records_ = records;
  return absl::OkStatus();
}

absl::StatusOr<bool> RecordReader::Next(Bytes* record) {
  while (true) {
    const std::string_view rest(buffer_.data() + begin_, used_ - begin_);
    const auto frame = framing::FirstFrame(framing_, rest, at_end_, limits_);
    if (!frame.ok()) {
      return MakeStatus(frame.status().code(), "file {}: record {}, which begins at byte {}: {}", path_, records_ + 1,
                        consumed_, MessageOf(frame.status()));
    }
    if (*frame) {
      *record = Bytes((*frame)->payload);
      begin_ += (*frame)->size_bytes;
      record_at_ = consumed_;
      consumed_ += static_cast<int64_t>((*frame)->size_bytes);
      ++records_;
      return true;
    }
    if (at_end_) return false;
    PENSTOCK_RETURN_IF_ERROR(Fill());
  }
}

absl::StatusOr<FileId> RecordReader::Identify() const {
  struct stat info = {};
  if (fstat(fd_, &info) != 0) return Unavailable("file {}: {}", path_, strerror(errno));
  return FileId::Of(info);
}

absl::Status RecordReader::Fill() {
  const size_t kept = used_ - begin_;
  memmove(buffer_.data(), buffer_.data() + begin_, kept);
  begin_ = 0;
  used_ = kept;
  if (buffer_.size() < used_ + kBlockBytes) buffer_.resize(std::max(buffer_.size() * 2, used_ + kBlockBytes));
  ssize_t got = 0;
  do {
    got = read(fd_, buffer_.data() + used_, buffer_.size() - used_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Unavailable("reading file {} failed: {}", path_, strerror(errno));
  at_end_ = got == 0;
  used_ += static_cast<size_t>(got);
  return absl::OkStatus();
}

}  // namespace penstock::file
