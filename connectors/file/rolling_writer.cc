#include "connectors/file/rolling_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"
#include "runtime/task/two_phase_sink.h"

namespace penstock::file {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr size_t kSinkIdChars = 8;
constexpr int64_t kLeftoverAgeMs = 24 * 3'600'000;
constexpr std::string_view kHiddenPrefix = ".part-";

absl::Status Failure(std::string_view what, const std::string& path) {
  return Unavailable("file sink: {} {} failed: {}", what, path, strerror(errno));
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failure("opening", path);
  const int synced = fsync(fd);
  close(fd);
  return synced == 0 ? absl::OkStatus() : Failure("syncing", path);
}

// A committable is the hidden name of a file; the name that readers see is the same without the dot.
template <class T>
class RollingSink final : public TwoPhaseSink<T> {
 public:
  explicit RollingSink(const Sink& sink)
      : directory_(sink.path), framing_(sink.framing), roll_bytes_(sink.roll_bytes) {}
  ~RollingSink() override { Close(); }

  absl::Status Open(Context& context, const AttemptOrigin& origin, const std::string& sink_uid) override {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (error) return Unavailable("file sink: {} cannot be made: {}", directory_, error.message());
    // Of no other sink, so that several may share a directory.
    sink_id_ = Sha256Of(fmt::format("{}\n{}\n{}", origin.cluster_id, origin.job_uid, sink_uid)).substr(0, kSinkIdChars);
    stem_ = fmt::format("{}{}-{}-{}", kHiddenPrefix, sink_id_, origin.generation, context.subtask());
    if (context.subtask() == 0) clock_ = &context.clock();
    return absl::OkStatus();
  }

  absl::Status Write(const T& value, TimestampMs) override {
    if (fd_ < 0) PENSTOCK_RETURN_IF_ERROR(NewFile());
    PENSTOCK_RETURN_IF_ERROR(AppendRecord(framing_, LineOf(value), directory_, buffer_));
    if (buffer_.size() >= kBufferBytes) PENSTOCK_RETURN_IF_ERROR(Drain());
    return file_bytes_ + static_cast<int64_t>(buffer_.size()) < roll_bytes_ ? absl::OkStatus() : EndFile();
  }

  absl::StatusOr<std::vector<Committable>> Prepare(uint64_t) override {
    // Not before the first barrier: sources begin once every subtask has committed what it was restored with
    // (protocols.md B6), which may be as old as the job was down.
    if (clock_ != nullptr) RemoveLeftovers(std::exchange(clock_, nullptr)->NowMs());
    if (fd_ >= 0) PENSTOCK_RETURN_IF_ERROR(EndFile());
    if (!ended_.empty()) PENSTOCK_RETURN_IF_ERROR(SyncDirectory(directory_));
    return std::exchange(ended_, {});
  }

  absl::Status Commit(const Committable& hidden) override {
    if (!hidden.starts_with(kHiddenPrefix) || hidden.find('/') != std::string::npos) {
      return DataLoss("file sink: '{}' is no file of a file sink", hidden);
    }
    const std::string from = directory_ + "/" + hidden;
    const std::string to = directory_ + "/" + hidden.substr(1);
    if (rename(from.c_str(), to.c_str()) == 0) return SyncDirectory(directory_);
    if (errno != ENOENT) return Failure("renaming", from);
    if (access(to.c_str(), F_OK) == 0) return absl::OkStatus();  // an attempt before us has done it
    return DataLoss("file sink: {} is gone: it was written for the checkpoint that is being committed", from);
  }

  void Close() override {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  absl::Status NewFile() {
    name_ = fmt::format("{}-{}", stem_, files_++);
    const std::string path = directory_ + "/" + name_;
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    file_bytes_ = 0;
    return fd_ >= 0 ? absl::OkStatus() : Failure("making", path);
  }

  absl::Status Drain() {
    size_t done = 0;
    while (done < buffer_.size()) {
      const ssize_t wrote = write(fd_, buffer_.data() + done, buffer_.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return Failure("writing", directory_ + "/" + name_);
      done += static_cast<size_t>(wrote);
    }
    file_bytes_ += static_cast<int64_t>(done);
    buffer_.clear();
    return absl::OkStatus();
  }

  absl::Status EndFile() {
    PENSTOCK_RETURN_IF_ERROR(Drain());
    const bool synced = fdatasync(fd_) == 0;
    if (close(std::exchange(fd_, -1)) != 0 || !synced) return Failure("syncing", directory_ + "/" + name_);
    ended_.push_back(name_);
    return absl::OkStatus();
  }

  // What dead attempts have written for checkpoints that were never decided. What is younger may belong to an attempt
  // that is not dead yet.
  void RemoveLeftovers(int64_t now_ms) const {
    std::error_code error;
    const std::string prefix = fmt::format("{}{}-", kHiddenPrefix, sink_id_);
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      struct stat about = {};
      if (stat(entry.path().c_str(), &about) != 0) continue;
      if (now_ms - about.st_mtime * 1000 > kLeftoverAgeMs) unlink(entry.path().c_str());
    }
  }

  const std::string directory_;
  const framing::Framing framing_;
  const int64_t roll_bytes_;
  const Clock* clock_ = nullptr;  // until leftovers are removed, which is the business of one subtask
  std::string sink_id_;
  std::string stem_;
  std::string name_;  // of the file being written
  int fd_ = -1;
  int64_t file_bytes_ = 0;
  int64_t files_ = 0;
  std::string buffer_;
  std::vector<Committable> ended_;  // since the last barrier
};

}  // namespace

template <class T>
std::unique_ptr<SinkWriter<T>> MakeRollingWriter(const Sink& sink) {
  return std::make_unique<TwoPhaseWriter<T>>(std::make_unique<RollingSink<T>>(sink));
}

template std::unique_ptr<SinkWriter<std::string>> MakeRollingWriter(const Sink& sink);
template std::unique_ptr<SinkWriter<Bytes>> MakeRollingWriter(const Sink& sink);

}  // namespace penstock::file
