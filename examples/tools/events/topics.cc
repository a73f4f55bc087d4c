#include "examples/tools/events/topics.h"

#include <map>
#include <vector>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/standalone_context.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::events {
namespace {

constexpr std::chrono::milliseconds kSleep{50};

class Printer final : public SourceOutput<Bytes> {
 public:
  explicit Printer(int most) : left_(most) {}
  void Emit(SplitIndex, const Bytes& value, TimestampMs) override {
    if (left_-- > 0) fmt::print("{}\n", value.view());
  }
  SplitIndex AddSplit(std::string) override { return 0; }
  void SetDiscovering(bool) override {}
  void SetCaughtUp(SplitIndex) override {}
  void FinishSplit(SplitIndex) override {}
  void SetPosition(SplitIndex, int64_t, int64_t) override {}
  bool done() const { return left_ <= 0; }

 private:
  int left_;
};

}  // namespace

absl::Status PrintCount(const std::string& brokers, const std::string& topic) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto offsets, kafka::ListOffsets(brokers, topic));
  int64_t total = 0;
  for (const auto& [partition, range] : offsets) total += range.end - range.first;
  fmt::print("{} {}\n", topic, total);
  for (const auto& [partition, range] : offsets) fmt::print("  {}-{} {}\n", topic, partition, range.end - range.first);
  return absl::OkStatus();
}

absl::Status PrintLag(const std::string& brokers, const std::string& topic, const std::string& group) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto offsets, kafka::ListOffsets(brokers, topic));
  std::map<int32_t, int64_t> committed;
  if (!group.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(committed, kafka::GroupOffsets(brokers, group, topic));
  }
  for (const auto& [partition, range] : offsets) {
    if (group.empty()) {
      fmt::print("{}-{} first {} end {}\n", topic, partition, range.first, range.end);
      continue;
    }
    const int64_t at = committed.contains(partition) ? committed.at(partition) : range.first;
    fmt::print("{}-{} first {} end {} committed {} lag {}\n", topic, partition, range.first, range.end, at,
               range.end - at);
  }
  return absl::OkStatus();
}

absl::Status SetGroup(const std::string& brokers, const std::string& topic, const std::string& group, int64_t offset) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto ranges, kafka::ListOffsets(brokers, topic));
  std::map<kafka::TopicPartition, int64_t> offsets;
  for (const auto& [partition, range] : ranges) offsets[{topic, partition}] = offset;
  return kafka::CommitOffsets(brokers, group, offsets);
}

absl::Status Show(const std::string& brokers, const std::string& topic, int count, double timeout_s) {
  const kafka::Source source{.brokers = brokers, .topics = {topic}};
  PENSTOCK_RETURN_IF_ERROR(source.Validate());
  kafka::StandaloneContext context("penstock-events");
  Printer printer(count);
  const auto reader = source.CreateReader();
  PENSTOCK_RETURN_IF_ERROR(reader->Open(context, printer));
  const int64_t end_ms = context.clock().MonotonicMs() + static_cast<int64_t>(timeout_s * 1000);
  while (!printer.done()) {
    if (context.clock().MonotonicMs() > end_ms) {
      return DeadlineExceeded("topic '{}' did not give {} records in {} s", topic, count, timeout_s);
    }
    const auto result = reader->Poll(printer);
    if (!result.ok()) return result.status();
    if (*result == PollResult::kDry) context.Sleep(kSleep);
  }
  return absl::OkStatus();
}

}  // namespace penstock::events
