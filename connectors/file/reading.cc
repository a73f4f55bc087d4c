#include "connectors/file/reading.h"

#include "runtime/core/status.h"

namespace penstock::file {
namespace {

constexpr int kRecordsPerPoll = 512;

}  // namespace

absl::Status Reading::Begin(const std::string& path, const FilePosition& position) {
  path_ = path;
  begun_as_ = position.id;
  reader_ = std::make_unique<RecordReader>(path, source_.framing, source_.record_bytes_max);
  if (absl::Status opened = reader_->Open(position.bytes, position.records); !opened.ok()) {
    reader_.reset();
    return opened;
  }
  Bytes passed_over;
  while (reader_->records() < source_.header_records) {
    PENSTOCK_ASSIGN_OR_RETURN(const bool more, reader_->Next(&passed_over));
    if (!more) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Reading::Poll(SplitIndex split, SourceOutput<Bytes>& output) {
  for (int i = 0; i < kRecordsPerPoll; ++i) {
    Bytes record;
    PENSTOCK_ASSIGN_OR_RETURN(const bool more, reader_->Next(&record));
    if (!more) return true;
    output.Emit(split, record, kNoTimestamp);
    if (output.ShouldYield()) break;
  }
  output.SetPosition(split, reader_->consumed(), begun_as_.size_bytes);
  return false;
}

std::string Reading::DescribeCurrent() const {
  if (reader_ == nullptr) return "";
  const char* const what = source_.framing == framing::Framing::kLines ? "line" : "record";
  return fmt::format("{}, {} {}, from byte {}", path_, what, reader_->records(), reader_->record_at());
}

FilePosition Reading::Position() const {
  return {.bytes = reader_->consumed(), .records = reader_->records(), .id = begun_as_};
}

absl::StatusOr<FilePosition> Reading::End() {
  FilePosition position = Position();
  position.done = true;
  PENSTOCK_ASSIGN_OR_RETURN(position.id, reader_->Identify());
  reader_.reset();
  return position;
}

}  // namespace penstock::file
