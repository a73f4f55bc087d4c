#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "penstock/connectors/file.h"
#include "runtime/core/status.h"

namespace penstock::file {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr int kLinesPerPoll = 512;

// The lines of one open file, by blocks.
class LineReader {
 public:
  LineReader(std::string path, size_t line_bytes_max)
      : path_(std::move(path)), line_bytes_max_(line_bytes_max), buffer_(kBlockBytes) {}
  ~LineReader() {
    if (fd_ >= 0) close(fd_);
  }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Begins at an offset that is the beginning of a line, with so many lines before it.
  absl::Status Open(int64_t offset, int64_t lines) {
    fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) return NotFound("file source: {} cannot be opened: {}", path_, strerror(errno));
    struct stat info = {};
    if (fstat(fd_, &info) != 0 || (S_ISREG(info.st_mode) && info.st_size < offset)) {
      return DataLoss("file source: {} was read to byte {}, but has only {} now", path_, offset, info.st_size);
    }
    if (offset > 0 && lseek(fd_, offset, SEEK_SET) < 0) {
      return Unavailable("file source: {} cannot be read from byte {}: {}", path_, offset, strerror(errno));
    }
    consumed_ = offset;
    lines_ = lines;
    return absl::OkStatus();
  }
  int64_t consumed() const { return consumed_; }
  int64_t lines() const { return lines_; }

  // The next line, valid until the next call; false at the end of the file.
  absl::StatusOr<bool> Next(Bytes* line) {
    while (true) {
      const void* found = memchr(buffer_.data() + scanned_, '\n', used_ - scanned_);
      if (found != nullptr) {
        const auto end = static_cast<size_t>(static_cast<const char*>(found) - buffer_.data());
        Take(end, end + 1, line);
        return true;
      }
      scanned_ = used_;
      if (at_end_) {
        if (begin_ == used_) return false;
        Take(used_, used_, line);
        return true;
      }
      PENSTOCK_RETURN_IF_ERROR(Fill());
    }
  }

 private:
  void Take(size_t end, size_t next, Bytes* line) {
    ++lines_;
    size_t size = end - begin_;
    if (size > 0 && buffer_[begin_ + size - 1] == '\r') --size;
    *line = Bytes(buffer_.data() + begin_, size);
    consumed_ += static_cast<int64_t>(next - begin_);
    begin_ = scanned_ = next;
  }

  absl::Status Fill() {
    const size_t kept = used_ - begin_;
    if (kept > line_bytes_max_) {
      return OutOfRange("file source: {}: line {} is longer than {} bytes", path_, lines_ + 1, line_bytes_max_);
    }
    memmove(buffer_.data(), buffer_.data() + begin_, kept);
    scanned_ -= begin_;
    begin_ = 0;
    used_ = kept;
    if (buffer_.size() < used_ + kBlockBytes) buffer_.resize(std::max(buffer_.size() * 2, used_ + kBlockBytes));
    ssize_t got = 0;
    do {
      got = read(fd_, buffer_.data() + used_, buffer_.size() - used_);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return Unavailable("file source: reading {} failed: {}", path_, strerror(errno));
    at_end_ = got == 0;
    used_ += static_cast<size_t>(got);
    return absl::OkStatus();
  }

  const std::string path_;
  const size_t line_bytes_max_;
  int fd_ = -1;
  std::vector<char> buffer_;
  size_t begin_ = 0;    // of the line to come
  size_t scanned_ = 0;  // no line end before
  size_t used_ = 0;
  int64_t lines_ = 0;
  int64_t consumed_ = 0;  // bytes of the file that have been handed out
  bool at_end_ = false;
};

// How far a file has been read. As text: "<done> <bytes> <lines> <path>".
struct FilePosition {
  bool done = false;
  int64_t bytes = 0;
  int64_t lines = 0;
};

std::string EncodePosition(const FilePosition& position, const std::string& path) {
  return fmt::format("{} {} {} {}", position.done ? 1 : 0, position.bytes, position.lines, path);
}

bool DecodePosition(const std::string& text, FilePosition* position, std::string* path) {
  int done = 0;
  int path_at = 0;
  if (std::sscanf(text.c_str(), "%d %" SCNd64 " %" SCNd64 " %n", &done, &position->bytes, &position->lines, &path_at) !=
      3) {
    return false;
  }
  position->done = done != 0;
  *path = text.substr(static_cast<size_t>(path_at));
  return !path->empty();
}

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path) {
  std::error_code error;
  std::vector<std::string> files;
  if (std::filesystem::is_directory(path, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      const std::string name = entry.path().filename();
      if (entry.is_regular_file(error) && !name.starts_with('.')) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else if (std::filesystem::exists(path, error)) {
    files.push_back(path);
  }
  if (error) return NotFound("file source: {}: {}", path, error.message());
  if (files.empty()) return NotFound("file source: {} is neither a file nor a directory with files", path);
  return files;
}

class Reader final : public SourceReader<Bytes> {
 public:
  explicit Reader(const Source& source) : source_(source) {}

  absl::Status Restore(const std::vector<std::string>& positions) override {
    for (const std::string& text : positions) {
      FilePosition position;
      std::string path;
      if (!DecodePosition(text, &position, &path)) return DataLoss("file source: '{}' is no position of a file", text);
      restored_[path] = position;
    }
    return absl::OkStatus();
  }

  absl::Status Open(Context& context, SourceOutput<Bytes>& output) override {
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFiles(source_.path));
    for (size_t i = 0; i < files.size(); ++i) {
      if (i % static_cast<size_t>(context.parallelism()) != static_cast<size_t>(context.subtask())) continue;
      files_.push_back({.path = files[i], .split = output.AddSplit(files[i]), .position = restored_[files[i]]});
      if (files_.back().position.done) output.FinishSplit(files_.back().split);
    }
    SkipDone();
    return absl::OkStatus();
  }

  absl::StatusOr<PollResult> Poll(SourceOutput<Bytes>& output) override {
    if (current_ == files_.size()) return PollResult::kFinished;
    if (lines_ == nullptr) {
      lines_ = std::make_unique<LineReader>(files_[current_].path, source_.line_bytes_max);
      const FilePosition& position = files_[current_].position;
      PENSTOCK_RETURN_IF_ERROR(lines_->Open(position.bytes, position.lines));
    }
    for (int i = 0; i < kLinesPerPoll; ++i) {
      Bytes line;
      PENSTOCK_ASSIGN_OR_RETURN(const bool more, lines_->Next(&line));
      if (!more) {
        output.FinishSplit(files_[current_].split);
        files_[current_].position = {true, lines_->consumed(), lines_->lines()};
        lines_.reset();
        SkipDone();
        return current_ == files_.size() ? PollResult::kFinished : PollResult::kMore;
      }
      output.Emit(files_[current_].split, line, kNoTimestamp);
      if (output.ShouldYield()) break;
    }
    return PollResult::kMore;
  }

  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    if (lines_ != nullptr) files_[current_].position = {false, lines_->consumed(), lines_->lines()};
    for (const File& file : files_) positions->push_back(EncodePosition(file.position, file.path));
    return absl::OkStatus();
  }

  void Close() override { lines_.reset(); }

 private:
  struct File {
    std::string path;
    SplitIndex split;
    FilePosition position;
  };
  void SkipDone() {
    while (current_ < files_.size() && files_[current_].position.done) ++current_;
  }

  const Source source_;
  std::map<std::string, FilePosition> restored_;
  std::vector<File> files_;
  size_t current_ = 0;
  std::unique_ptr<LineReader> lines_;  // of the current file
};

}  // namespace

absl::Status Source::Validate() const {
  if (path.empty()) return InvalidArgument("file source: .path is empty");
  if (line_bytes_max == 0) return InvalidArgument("file source: .line_bytes_max is 0");
  return absl::OkStatus();
}

std::string Source::Describe() const { return fmt::format("lines of {}", path); }

std::unique_ptr<SourceReader<Bytes>> Source::CreateReader() const { return std::make_unique<Reader>(*this); }

}  // namespace penstock::file
