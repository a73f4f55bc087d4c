#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "connectors/file/rolling_writer.h"
#include "penstock/connectors/file.h"
#include "runtime/core/status.h"

namespace penstock::file {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr size_t kTailBytes = 64 << 10;

template <class T>
class Writer final : public SinkWriter<T> {
 public:
  explicit Writer(std::string directory) : directory_(std::move(directory)) {}
  ~Writer() override { Close(); }

  absl::Status Open(Context& context) override {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) return FailedPrecondition("file sink: {} cannot be made: {}", directory_, error.message());
    path_ = fmt::format("{}/part-{}", directory_, context.subtask());
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) return FailedPrecondition("file sink: {} cannot be opened: {}", path_, strerror(errno));
    return RemoveTornLine();
  }

  absl::Status Write(const T& value, TimestampMs) override {
    const std::string_view line = LineOf(value);
    if (memchr(line.data(), '\n', line.size()) != nullptr) {
      return InvalidArgument("file sink: {}: a record has a line break; write another format", path_);
    }
    buffer_.append(line);
    buffer_ += '\n';
    return buffer_.size() < kBufferBytes ? absl::OkStatus() : Drain();
  }

  absl::Status Flush() override {
    PENSTOCK_RETURN_IF_ERROR(Drain());
    if (fdatasync(fd_) != 0) return Failure("syncing");
    return absl::OkStatus();
  }

  void Close() override {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  absl::Status Failure(std::string_view what) const {
    return Unavailable("file sink: {} {} failed: {}", what, path_, strerror(errno));
  }

  absl::Status Drain() {
    size_t done = 0;
    while (done < buffer_.size()) {
      const ssize_t wrote = write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) {
        buffer_.erase(0, done);
        return Failure("writing");
      }
      done += static_cast<size_t>(wrote);
    }
    buffer_.clear();
    return absl::OkStatus();
  }

  // What stands after the last line end was never flushed: its record comes again.
  absl::Status RemoveTornLine() {
    off_t end = lseek(fd_, 0, SEEK_END);
    char tail[kTailBytes];
    while (end > 0) {
      const auto size = static_cast<size_t>(std::min<off_t>(end, kTailBytes));
      const off_t from = end - static_cast<off_t>(size);
      const ssize_t got = pread(fd_, tail, size, from);
      if (got != static_cast<ssize_t>(size)) return Failure("reading");
      if (const void* found = memrchr(tail, '\n', size)) {
        end = from + (static_cast<const char*>(found) - tail) + 1;
        break;
      }
      end = from;
    }
    if (ftruncate(fd_, end) != 0) return Failure("truncating");
    return absl::OkStatus();
  }

  const std::string directory_;
  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace

absl::Status Sink::Validate() const {
  if (path.empty()) return InvalidArgument("file sink: .path is empty");
  if (delivery == Delivery::none) return InvalidArgument("file sink: .delivery is none: use Delivery::at_least_once");
  if (roll_bytes < 1) return InvalidArgument("file sink: .roll_bytes is {}: give a size", roll_bytes);
  return absl::OkStatus();
}

std::string Sink::Describe() const { return fmt::format("lines in {}", path); }

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const {
  if (delivery == Delivery::exactly_once) return MakeRollingWriter<std::string>(*this);
  return std::make_unique<Writer<std::string>>(path);
}
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const {
  if (delivery == Delivery::exactly_once) return MakeRollingWriter<Bytes>(*this);
  return std::make_unique<Writer<Bytes>>(path);
}

}  // namespace penstock::file
