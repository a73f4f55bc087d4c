#include "examples/tools/events/verify.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "connectors/kafka/standalone_context.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::events {
namespace {

constexpr size_t kSamplesMax = 10;
constexpr std::chrono::milliseconds kSleep{50};

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) return NotFound("--expected {} cannot be read", path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) return InvalidArgument("--expected {} has no rows", path);
  return lines;
}

class Collector final : public SourceOutput<Bytes> {
 public:
  explicit Collector(Comparison& comparison) : comparison_(comparison) {}
  void Emit(SplitIndex split, const Bytes& value, TimestampMs timestamp) override {
    comparison_.Add(value.view());
    first_ms = first_ms == 0 ? timestamp : std::min(first_ms, timestamp);
    last_ms = std::max(last_ms, timestamp);
    caught_up_.erase(split);
  }
  SplitIndex AddSplit(std::string) override { return splits_++; }
  void SetDiscovering(bool) override {}
  void SetCaughtUp(SplitIndex split) override { caught_up_.insert(split); }
  void FinishSplit(SplitIndex) override {}
  void SetPosition(SplitIndex, int64_t, int64_t) override {}
  bool caught_up() const { return splits_ > 0 && static_cast<int>(caught_up_.size()) == splits_; }

  TimestampMs first_ms = 0;  // Kafka's times of the rows
  TimestampMs last_ms = 0;

 private:
  Comparison& comparison_;
  int splits_ = 0;
  std::set<SplitIndex> caught_up_;
};

// Reads until all expected rows are there and nothing has come for settle_s, or until the timeout.
absl::Status Collect(const VerifyOptions& options, Comparison& comparison, Collector& collector) {
  kafka::StandaloneContext context("penstock-events");
  const kafka::Source source{.brokers = options.brokers, .topics = {options.topic}};
  PENSTOCK_RETURN_IF_ERROR(source.Validate());
  const auto reader = source.CreateReader();
  PENSTOCK_RETURN_IF_ERROR(reader->Open(context, collector));
  const Clock& clock = context.clock();
  const int64_t end_ms = clock.MonotonicMs() + static_cast<int64_t>(options.timeout_s * 1000);
  int64_t quiet_since_ms = clock.MonotonicMs();
  int64_t rows = 0;
  absl::Status status;
  while (clock.MonotonicMs() < end_ms) {
    const auto result = reader->Poll(collector);
    if (!result.ok()) {
      status = result.status();
      break;
    }
    if (*result == PollResult::kDry) context.Sleep(kSleep);
    if (comparison.rows() != rows || !comparison.complete() || !collector.caught_up()) {
      rows = comparison.rows();
      quiet_since_ms = clock.MonotonicMs();
    }
    if (clock.MonotonicMs() - quiet_since_ms >= static_cast<int64_t>(options.settle_s * 1000)) break;
  }
  reader->Close();
  return status;
}

}  // namespace

Comparison::Comparison(const std::vector<std::string>& expected) {
  seen_.reserve(expected.size());
  for (const std::string& row : expected) {
    if (seen_.emplace(row, false).second) expected_checksum_.Add(row);
  }
  missing_ = static_cast<int64_t>(seen_.size());
}

void Comparison::Add(std::string_view row) {
  if (row.starts_with(kClosingSession)) return;
  ++rows_;
  const auto found = seen_.find(std::string(row));
  if (found == seen_.end()) {
    ++unexpected_count_;
    if (unexpected_.size() < kSamplesMax) unexpected_.emplace_back(row);
    return;
  }
  if (found->second) {
    ++duplicates_;
    return;
  }
  found->second = true;
  --missing_;
  checksum_.Add(row);
}

std::vector<std::string> Comparison::MissingSamples() const {
  std::vector<std::string> samples;
  for (const auto& [row, seen] : seen_) {
    if (!seen && samples.size() < kSamplesMax) samples.push_back(row);
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}

absl::StatusOr<bool> Verify(const VerifyOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<std::string> expected, ReadLines(options.expected));
  Comparison comparison(expected);
  Collector collector(comparison);
  PENSTOCK_RETURN_IF_ERROR(Collect(options, comparison, collector));
  const bool equal = comparison.equal(options.at_least_once);
  fmt::print("{}: {} rows, {} expected, {} missing, {} unexpected, {} duplicates; checksum {:016x}, expected {:016x}\n",
             equal ? "EQUAL" : "DIFFERENT", comparison.rows(), comparison.expected(), comparison.missing(),
             comparison.unexpected(), comparison.duplicates(), comparison.checksum(), comparison.expected_checksum());
  for (const std::string& row : comparison.MissingSamples()) fmt::print("  missing    {}\n", row);
  for (const std::string& row : comparison.unexpected_samples()) fmt::print("  unexpected {}\n", row);
  if (!options.json.empty()) {
    const nlohmann::json figures = {{"equal", equal},
                                    {"rows", comparison.rows()},
                                    {"expected", comparison.expected()},
                                    {"missing", comparison.missing()},
                                    {"unexpected", comparison.unexpected()},
                                    {"duplicates", comparison.duplicates()},
                                    {"checksum", fmt::format("{:016x}", comparison.checksum())},
                                    {"first_row_ms", collector.first_ms},
                                    {"last_row_ms", collector.last_ms}};
    std::ofstream(options.json) << figures.dump(2) << '\n';
  }
  return equal;
}

}  // namespace penstock::events
