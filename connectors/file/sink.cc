#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "connectors/file/record_reader.h"
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
  explicit Writer(const Sink& sink) : directory_(sink.path), framing_(sink.framing) {}
  ~Writer() override { Close(); }

  absl::Status Open(Context& context) override {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) return Unavailable("file sink: {} cannot be made: {}", directory_, error.message());
    path_ = fmt::format("{}/part-{}", directory_, context.subtask());
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) return Unavailable("file sink: {} cannot be opened: {}", path_, strerror(errno));
    return framing_ == framing::Framing::kLines ? RemoveTornLine() : RemoveTornRecord();
  }

  absl::Status Write(const T& value, TimestampMs) override {
    PENSTOCK_RETURN_IF_ERROR(AppendRecord(framing_, LineOf(value), path_, buffer_));
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
    return TruncateTo(end);
  }
  // Where a record ends can only be told from the beginning.
  absl::Status RemoveTornRecord() {
    RecordReader reader(path_, framing_, SIZE_MAX);
    PENSTOCK_RETURN_IF_ERROR(reader.Open(0, 0));
    int64_t whole = 0;
    Bytes record;
    while (true) {
      const absl::StatusOr<bool> more = reader.Next(&record);
      if (!more.ok() && !absl::IsDataLoss(more.status())) return more.status();
      if (!more.ok() || !*more) return TruncateTo(whole);
      // A last CSV record without its line end counts for a reader, and not here.
      if (framing_ == framing::Framing::kCsv && !EndsWithLineEnd(reader.consumed())) return TruncateTo(whole);
      whole = reader.consumed();
    }
  }
  bool EndsWithLineEnd(int64_t end) const {
    char last = 0;
    return pread(fd_, &last, 1, end - 1) == 1 && last == '\n';
  }
  absl::Status TruncateTo(int64_t end) {
    if (ftruncate(fd_, end) != 0) return Failure("truncating");
    return absl::OkStatus();
  }

  const std::string directory_;
  const framing::Framing framing_;
  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace

absl::Status Sink::Validate() const {
  std::string problems;
  const auto require = [&](bool holds, const char* text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + std::string(text);
  };
  require(!path.empty(), ".path is empty");
  require(delivery != Delivery::none, ".delivery is none: use Delivery::at_least_once");
  require(roll_bytes >= 1, ".roll_bytes is below 1: give a size");
  return problems.empty() ? absl::OkStatus() : InvalidArgument("file sink: {}", problems);
}

std::string Sink::Describe() const { return fmt::format("files in {}", path); }

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const {
  if (delivery == Delivery::exactly_once) return MakeRollingWriter<std::string>(*this);
  return std::make_unique<Writer<std::string>>(*this);
}
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const {
  if (delivery == Delivery::exactly_once) return MakeRollingWriter<Bytes>(*this);
  return std::make_unique<Writer<Bytes>>(*this);
}

}  // namespace penstock::file
