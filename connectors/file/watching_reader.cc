// The reader of a directory that is watched. The directory is looked through on a thread of its own; reading is the
// task's.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "connectors/file/file_id.h"
#include "connectors/file/reading.h"
#include "penstock/connectors/file.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/metrics/metrics.h"
#include "runtime/task/committer.h"

namespace penstock::file {
namespace {

// A file that was read is forgotten when so many looks in a row have not found it: one look may miss a file.
constexpr int kMissesMax = 3;

class WatchingReader final : public SourceReader<Bytes> {
 public:
  explicit WatchingReader(const Source& source) : source_(source), reading_(source_) {}
  ~WatchingReader() override { Close(); }

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
    context_ = &context;
    changed_ = &context.counter("filesChanged");
    read_ = &context.counter("filesRead");
    split_ = output.AddSplit("files of " + source_.path);
    for (auto& [path, position] : std::exchange(restored_, {})) {
      if (!Mine(path)) continue;
      files_[path].position = position;
      if (!position.done) queue_.push_back(path);
    }
    SortQueue();
    looker_ = std::make_unique<Committer>(context.clock(), context.waker());
    return absl::OkStatus();
  }

  absl::StatusOr<PollResult> Poll(SourceOutput<Bytes>& output) override {
    PENSTOCK_RETURN_IF_ERROR(Look());
    if (!reading_.open() && !queue_.empty()) PENSTOCK_RETURN_IF_ERROR(BeginNext());
    if (!reading_.open() && !queue_.empty()) return PollResult::kMore;
    if (!reading_.open()) {
      if (looks_ >= 2 && unsettled_ == 0) output.SetCaughtUp(split_);
      return PollResult::kDry;
    }
    PENSTOCK_ASSIGN_OR_RETURN(const bool at_end, reading_.Poll(split_, output));
    if (!at_end) return PollResult::kMore;
    PENSTOCK_ASSIGN_OR_RETURN(files_[queue_.front()].position, reading_.End());
    queue_.pop_front();
    read_->Add();
    return PollResult::kMore;
  }

  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    if (reading_.open()) files_[reading_.path()].position = reading_.Position();
    for (const auto& [path, file] : files_) positions->push_back(EncodePosition(file.position, path));
    return absl::OkStatus();
  }

  std::string DescribeCurrent() const override { return reading_.DescribeCurrent(); }

  void Close() override {
    if (looker_ != nullptr) looker_->Stop();
    looker_.reset();
    reading_.Close();
  }

 private:
  struct File {
    FilePosition position;
    FileId changed_as;  // noticed already
    int misses = 0;     // looks in a row that have not found it
  };

  bool Mine(const std::string& path) const { return OwnerOf(path, context_->parallelism()) == context_->subtask(); }

  // A file that has gone before any of it was read was perhaps renamed; one of which a part was read is missed.
  absl::Status BeginNext() {
    const std::string path = queue_.front();
    const absl::Status begun = reading_.Begin(path, files_[path].position);
    if (!absl::IsNotFound(begun) || files_[path].position.bytes > 0) return begun;
    context_->log_warn(fmt::format("file source: {} has gone before it was read", path));
    files_.erase(path);
    queue_.pop_front();
    return absl::OkStatus();
  }

  // Begins a look when one is due, and takes up what one has found.
  absl::Status Look() {
    const int64_t now_ms = context_->clock().MonotonicMs();
    if (looking_) {
      const std::optional<absl::Status> outcome = looker_->Take();
      if (!outcome) return absl::OkStatus();
      looking_ = false;
      next_look_ms_ = now_ms + source_.watch_interval.count();
      if (absl::IsResourceExhausted(*outcome)) return *outcome;
      context_->set_status_note(outcome->ok() ? "" : fmt::format("file source: {}; retrying", MessageOf(*outcome)));
      if (outcome->ok()) TakeUp(*found_);
      return absl::OkStatus();
    }
    if (now_ms < next_look_ms_) return absl::OkStatus();
    looking_ = true;
    looker_->Start([options = ListOptions{source_.path, source_.name_pattern, source_.recursive},
                    found = found_]() -> absl::Status {
      PENSTOCK_ASSIGN_OR_RETURN(*found, ListFiles(options));
      return absl::OkStatus();
    });
    return absl::OkStatus();
  }

  void TakeUp(const Listing& found) {
    ++looks_;
    unsettled_ = 0;
    Listing seen;
    for (const auto& [path, id] : found) {
      if (!Mine(path)) continue;
      const auto known = files_.find(path);
      if (known != files_.end()) {
        known->second.misses = 0;
        if (!known->second.position.done || known->second.position.id == id) continue;
        if (known->second.position.id.size_bytes < 0) {
          known->second.position.id = id;
          continue;
        }
        if (std::exchange(known->second.changed_as, id) != id) NoteChange(path);
        if (source_.when_changed == WhenChanged::kIgnore) continue;
      }
      const auto before = seen_.find(path);
      if (before != seen_.end() && before->second == id) {
        files_[path] = {.position = {.id = id}};
        queue_.push_back(path);
      } else {
        seen.emplace(path, id);
        ++unsettled_;
      }
    }
    seen_ = std::move(seen);
    ForgetGone(found);
    SortQueue();
  }

  void NoteChange(const std::string& path) {
    changed_->Add();
    if (source_.when_changed != WhenChanged::kIgnore) return;
    context_->log_warn(fmt::format("file source: {} has changed since it was read; it is not read again", path));
  }

  void ForgetGone(const Listing& found) {
    for (auto file = files_.begin(); file != files_.end();) {
      const bool gone = file->second.position.done && !found.contains(file->first);
      file = gone && ++file->second.misses >= kMissesMax ? files_.erase(file) : std::next(file);
    }
  }

  // The oldest first, but for the one in hand.
  void SortQueue() {
    const auto order = [this](const std::string& path) {
      const FilePosition& position = files_.at(path).position;
      // What a former attempt has begun comes before what is new.
      return std::tuple(position.records == 0, position.id.modified_ns, path);
    };
    std::sort(queue_.begin() + (reading_.open() ? 1 : 0), queue_.end(),
              [&](const std::string& a, const std::string& b) { return order(a) < order(b); });
  }

  const Source source_;
  std::map<std::string, FilePosition> restored_;
  Context* context_ = nullptr;
  Counter* changed_ = nullptr;
  Counter* read_ = nullptr;
  SplitIndex split_ = 0;
  std::map<std::string, File> files_;  // taken up, by path
  std::deque<std::string> queue_;      // of them, those to be read; the first may be in hand
  Listing seen_;                       // by the last look for the first time, or changed since
  size_t unsettled_ = 0;
  int64_t looks_ = 0;
  bool looking_ = false;
  int64_t next_look_ms_ = 0;
  std::shared_ptr<Listing> found_ = std::make_shared<Listing>();  // the looker's while looking_
  Reading reading_;
  std::unique_ptr<Committer> looker_;
};

}  // namespace

std::unique_ptr<SourceReader<Bytes>> MakeWatchingReader(const Source& source) {
  return std::make_unique<WatchingReader>(source);
}

}  // namespace penstock::file
