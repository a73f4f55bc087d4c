#include "runtime/task/sink_log.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/state/state_file.h"

namespace penstock {
namespace {

constexpr int64_t kMemoryBytesMax = 4 << 20;    // of a log, before it goes to a local file
constexpr size_t kChunkBytes = 64 << 10;        // appended to the file at once
constexpr int64_t kReplayChunkBytes = 1 << 20;  // read at once
constexpr size_t kLengthBytes = 4;

class SpillingLog final : public SinkLog {
 public:
  SpillingLog(std::string name, std::string directory, int64_t bytes_max)
      : name_(name), bytes_max_(bytes_max), buffer_(std::move(name), std::move(directory), kMemoryBytesMax) {}

  absl::Status Append(std::string_view record) override {
    if (size_bytes() + static_cast<int64_t>(kLengthBytes + record.size()) > bytes_max_) {
      return ResourceExhausted(
          "the sink's log {} would outgrow its quota of {} bytes within one checkpoint interval: shorten "
          "execution.checkpointing.interval or raise sink.exactly-once.log-size-max",
          name_, bytes_max_);
    }
    const auto length = static_cast<uint32_t>(record.size());
    char prefix[kLengthBytes];
    std::memcpy(prefix, &length, kLengthBytes);
    chunk_.append(prefix, kLengthBytes);
    chunk_.append(record);
    return chunk_.size() < kChunkBytes ? absl::OkStatus() : Flush();
  }
  int64_t size_bytes() const override { return buffer_.size_bytes() + static_cast<int64_t>(chunk_.size()); }
  absl::StatusOr<SealedLog> Seal() override {
    PENSTOCK_RETURN_IF_ERROR(Flush());
    PENSTOCK_ASSIGN_OR_RETURN(StateFilePtr file, buffer_.Seal());
    return SealedLog(std::move(file));
  }

 private:
  absl::Status Flush() {
    const absl::Status status = buffer_.Append(chunk_);
    chunk_.clear();
    return status;
  }

  const std::string name_;
  const int64_t bytes_max_;
  SpillBuffer buffer_;
  std::string chunk_;
};

// The whole records at the head of `pending` are visited and taken off.
absl::Status VisitWhole(std::string& pending, const std::function<absl::Status(std::string_view)>& visit) {
  size_t at = 0;
  while (pending.size() - at >= kLengthBytes) {
    uint32_t length = 0;
    std::memcpy(&length, pending.data() + at, kLengthBytes);
    if (pending.size() - at - kLengthBytes < length) break;
    PENSTOCK_RETURN_IF_ERROR(visit(std::string_view(pending).substr(at + kLengthBytes, length)));
    at += kLengthBytes + length;
  }
  pending.erase(0, at);
  return absl::OkStatus();
}

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

int64_t SealedLog::size_bytes() const { return file_->size_bytes(); }
const std::string& SealedLog::name() const { return file_->name(); }

absl::Status SealedLog::Replay(const std::function<absl::Status(std::string_view record)>& visit) const {
  const std::unique_ptr<XXH3_state_t, FreeState> checksum(XXH3_createState());
  XXH3_64bits_reset(checksum.get());
  std::string pending;
  for (int64_t at = 0; at < file_->size_bytes();) {
    const int64_t size = std::min(kReplayChunkBytes, file_->size_bytes() - at);
    PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, file_->Read(at, size));
    XXH3_64bits_update(checksum.get(), bytes.data(), bytes.size());
    pending += bytes;
    at += size;
    PENSTOCK_RETURN_IF_ERROR(VisitWhole(pending, visit));
  }
  if (!pending.empty() || XXH3_64bits_digest(checksum.get()) != file_->checksum()) {
    return DataLoss("the sink's log {} is damaged: its checksum differs from the one in the checkpoint", name());
  }
  return absl::OkStatus();
}

std::unique_ptr<SinkLog> MakeSinkLog(std::string name, std::string directory, int64_t bytes_max) {
  return std::make_unique<SpillingLog>(std::move(name), std::move(directory), bytes_max);
}

}  // namespace penstock
