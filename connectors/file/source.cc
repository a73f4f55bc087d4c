// The file source: its description, and the reader of what there is when the job starts.
#include <algorithm>
#include <map>
#include <vector>

#include "connectors/file/file_id.h"
#include "connectors/file/reading.h"
#include "penstock/connectors/file.h"
#include "runtime/core/status.h"

namespace penstock::file {
namespace {

class BoundedReader final : public SourceReader<Bytes> {
 public:
  explicit BoundedReader(const Source& source) : source_(source), reading_(source_) {}

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
    PENSTOCK_ASSIGN_OR_RETURN(const Listing listing,
                              ListFiles({source_.path, source_.name_pattern, source_.recursive}));
    if (listing.empty()) return NotFound("file source: {} has no files", source_.path);
    size_t number = 0;
    for (const auto& [path, id] : listing) {
      if (number++ % static_cast<size_t>(context.parallelism()) != static_cast<size_t>(context.subtask())) continue;
      const auto restored = restored_.find(path);
      const FilePosition position = restored != restored_.end() ? restored->second : FilePosition{.id = id};
      files_.push_back({.path = path, .split = output.AddSplit(path), .position = position});
      if (position.done) output.FinishSplit(files_.back().split);
    }
    SkipDone();
    return absl::OkStatus();
  }

  absl::StatusOr<PollResult> Poll(SourceOutput<Bytes>& output) override {
    if (current_ == files_.size()) return PollResult::kFinished;
    File& file = files_[current_];
    if (!reading_.open()) PENSTOCK_RETURN_IF_ERROR(reading_.Begin(file.path, file.position));
    PENSTOCK_ASSIGN_OR_RETURN(const bool at_end, reading_.Poll(file.split, output));
    if (!at_end) return PollResult::kMore;
    PENSTOCK_ASSIGN_OR_RETURN(file.position, reading_.End());
    output.FinishSplit(file.split);
    SkipDone();
    return current_ == files_.size() ? PollResult::kFinished : PollResult::kMore;
  }

  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    if (reading_.open()) files_[current_].position = reading_.Position();
    for (const File& file : files_) positions->push_back(EncodePosition(file.position, file.path));
    return absl::OkStatus();
  }

  std::string DescribeCurrent() const override { return reading_.DescribeCurrent(); }

  void Close() override { reading_.Close(); }

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
  Reading reading_;  // of the current file
};

}  // namespace

absl::Status Source::Validate() const {
  std::string problems;
  const auto require = [&](bool holds, const char* text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + std::string(text);
  };
  require(!path.empty(), ".path is empty");
  require(record_bytes_max > 0, ".record_bytes_max is 0");
  require(header_records >= 0, ".header_records is negative");
  require(watch_interval.count() >= 0, ".watch_interval is negative");
  require(watch_interval.count() > 0 || when_changed == WhenChanged::kIgnore,
          ".when_changed needs .watch_interval: a bounded source looks once");
  return problems.empty() ? absl::OkStatus() : InvalidArgument("file source: {}", problems);
}

std::string Source::Describe() const {
  static constexpr const char* kRecords[] = {"lines", "CSV records", "length-prefixed records"};
  return fmt::format("{} of {}{}{}", kRecords[static_cast<int>(framing)], path,
                     name_pattern.empty() ? "" : "/" + name_pattern,
                     watch_interval.count() > 0 ? fmt::format(", watched every {} ms", watch_interval.count()) : "");
}

std::unique_ptr<SourceReader<Bytes>> Source::CreateReader() const {
  if (watch_interval.count() > 0) return MakeWatchingReader(*this);
  return std::make_unique<BoundedReader>(*this);
}

}  // namespace penstock::file
