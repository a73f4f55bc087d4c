#include "connectors/kafka/devbroker/guard.h"

#include <utility>

#include "connectors/kafka/admin.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr std::chrono::milliseconds kSleep{100};
constexpr std::chrono::milliseconds kDiscovery{100};

std::unique_ptr<SourceReader<Record>> MakeReader(std::string brokers) {
  return RecordSource{.brokers = std::move(brokers),
                      .topic_pattern = ".*",
                      .discovery_interval = kDiscovery,
                      .properties = {{"fetch.wait.max.ms", "10"}},
                      .batch_size = 1000}
      .CreateReader();
}

}  // namespace

Guard::Guard(std::string brokers) : brokers_(std::move(brokers)), reader_(MakeReader(brokers_)) {}

Guard::~Guard() { reader_->Close(); }

absl::Status Guard::Open() { return reader_->Open(context_, *this); }

absl::Status Guard::Step() {
  const absl::StatusOr<PollResult> result = reader_->Poll(*this);
  // A gap is not seen when the records had been fetched before the mock dropped them, so the size counts as well.
  if (lost_.empty() && fullest_bytes_ > kMockPartitionBytes) lost_ = fullest_;
  if (!lost_.empty()) {
    return DataLoss("partition {} was over {} bytes: the oldest records may be gone", lost_, kMockPartitionBytes);
  }
  if (result.status().code() == absl::StatusCode::kOutOfRange) {
    return DataLoss("a partition was over {} bytes, the oldest were dropped: {}", kMockPartitionBytes,
                    MessageOf(result.status()));
  }
  if (!result.ok()) return result.status();
  if (*result == PollResult::kDry) context_.Sleep(kSleep);
  return CheckFirstOffset();
}

absl::Status Guard::CheckFirstOffset() {
  // The guard may have read in time what the mock has dropped for all others since.
  if (fullest_bytes_ < kRefusePartitionBytes || fullest_bytes_ == checked_bytes_) return absl::OkStatus();
  checked_bytes_ = fullest_bytes_;
  const auto offsets = ListOffsets(brokers_, fullest_.substr(0, fullest_.rfind('-')));
  if (!offsets.ok()) return offsets.status();
  for (const auto& [partition, range] : *offsets) {
    if (range.first > 0) {
      return DataLoss(
          "partitions were over {} bytes (the fullest is {}): the {} oldest records of partition {} were dropped",
          kMockPartitionBytes, fullest_, range.first, partition);
    }
  }
  return absl::OkStatus();
}

SplitIndex Guard::AddSplit(std::string name) {
  sizes_.push_back({.name = std::move(name)});
  return static_cast<SplitIndex>(sizes_.size()) - 1;
}

void Guard::Emit(SplitIndex split, const Record& record, TimestampMs) {
  Size& size = sizes_[static_cast<size_t>(split)];
  if (record.offset != size.next) lost_ = size.name;
  size.next = record.offset + 1;
  size.bytes += kRecordOverheadBytes;
  if (record.key) size.bytes += static_cast<int64_t>(record.key->size());
  if (record.value) size.bytes += static_cast<int64_t>(record.value->size());
  record.headers.for_each([&](std::string_view name, std::optional<Bytes> value) {
    size.bytes += static_cast<int64_t>(name.size() + (value ? value->size() : 0));
  });
  if (size.bytes > fullest_bytes_) {
    fullest_bytes_ = size.bytes;
    fullest_ = size.name;
  }
}

}  // namespace penstock::kafka
