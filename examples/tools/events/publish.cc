#include "examples/tools/events/publish.h"

#include <algorithm>
#include <utility>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/devbroker/guard.h"
#include "connectors/kafka/producer.h"
#include "connectors/kafka/standalone_context.h"
#include "examples/tools/events/oracle.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::events {
namespace {

constexpr int64_t kInThePastMs = 60 * 60 * 1000;
constexpr int kRunLength = 64;  // events in a row to one partition: batches fill, and the disorder stays bounded

absl::Status Check(const PublishOptions& options) {
  const GeneratorOptions& generator = options.generator;
  std::string problems;
  const auto require = [&](bool holds, std::string_view text) {
    if (!holds) problems += fmt::format("{}{}", problems.empty() ? "" : "; ", text);
  };
  require(generator.count > 0, "--count must be positive");
  require(generator.sessions > 0 && generator.sessions <= 1'000'000, "--sessions must be within 1 to 1000000");
  require(generator.windows > 0 && generator.windows <= 1000, "--windows must be within 1 to 1000");
  require(generator.size >= 160 && generator.size <= 900'000, "--size must be within 160 to 900000");
  require(generator.disorder_ms >= 0, "--disorder-ms must not be negative");
  const double shares = generator.malformed + generator.null + generator.no_session;
  require(generator.malformed >= 0 && generator.null >= 0 && generator.no_session >= 0 && shares <= 1,
          "--malformed, --null and --no-session are shares between 0 and 1, together at most 1");
  require(options.rate >= 0, "--rate must not be negative");
  if (!problems.empty()) return InvalidArgument("{}", problems);
  return absl::OkStatus();
}

// The mock cluster keeps 5 MB per partition and drops the oldest beyond: say no before.
absl::Status CheckRoom(const PublishOptions& options, const std::map<int32_t, kafka::OffsetRange>& offsets) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool mock, kafka::IsMockCluster(options.brokers));
  if (!mock) return absl::OkStatus();
  const auto partitions = static_cast<int64_t>(offsets.size());
  const auto size = static_cast<int64_t>(options.generator.size) + kafka::kRecordOverheadBytes;
  const int64_t most = kafka::kRefusePartitionBytes / size;
  const int64_t wanted = static_cast<int64_t>(options.generator.count) / partitions + kRunLength + 1;
  int64_t held = 0;
  for (const auto& [partition, range] : offsets) held = std::max(held, range.end);
  if (held + wanted <= most) return absl::OkStatus();
  return ResourceExhausted(
      "the dev broker has room for about {} more events of {} bytes in the {} partitions of '{}' (it keeps 5 MB per "
      "partition): publish fewer, restart it, or use a real Kafka",
      std::max<int64_t>(0, (most - held - kRunLength - 1) * partitions), options.generator.size, partitions,
      options.topic);
}

class Publisher {
 public:
  Publisher(const PublishOptions& options, int partitions)
      : options_(options),
        partitions_(partitions),
        generator_(options.generator),
        oracle_(options.generator),
        producer_({.brokers = options.brokers, .topic = options.topic, .properties = options.properties}) {}

  absl::Status Run() {
    PENSTOCK_RETURN_IF_ERROR(producer_.Open(context_));
    const int64_t start_ns = context_.clock().MonotonicNs();
    for (uint64_t index = 0; index < options_.generator.count; ++index) {
      if (options_.rate > 0 && index % kRunLength == 0) Pace(start_ns, index);
      PENSTOCK_RETURN_IF_ERROR(SendOne(index));
    }
    for (int partition = 0; options_.closing && partition < partitions_; ++partition) {
      PENSTOCK_RETURN_IF_ERROR(producer_.Send({.value = generator_.RenderClosing(partition), .partition = partition}));
    }
    PENSTOCK_RETURN_IF_ERROR(producer_.Flush());
    const double seconds = static_cast<double>(context_.clock().MonotonicNs() - start_ns) / 1e9;
    if (!options_.expected.empty()) PENSTOCK_RETURN_IF_ERROR(oracle_.WriteTo(options_.expected));
    Report(seconds);
    producer_.Close();
    return absl::OkStatus();
  }

 private:
  absl::Status SendOne(uint64_t index) {
    const Event event = generator_.Make(index);
    oracle_.Count(event);
    ++kinds_[static_cast<size_t>(event.kind)];
    const std::string_view text = generator_.Render(index, event);
    kafka::Outgoing record{.partition = static_cast<int32_t>(index / kRunLength % static_cast<uint64_t>(partitions_))};
    if (event.kind != EventKind::kNull) record.value = text;
    return producer_.Send(record);
  }

  void Pace(int64_t start_ns, uint64_t index) {
    const auto due_ns = start_ns + static_cast<int64_t>(1e9 * static_cast<double>(index) / options_.rate);
    while (true) {
      const int64_t left_ms = (due_ns - context_.clock().MonotonicNs()) / 1'000'000;
      if (left_ms <= 0) return;
      context_.Sleep(std::chrono::milliseconds(left_ms));
    }
  }

  void Report(double seconds) const {
    fmt::print(
        "published {} events to {} ({} partitions) in {:.2f} s, {:.0f}/s: {} good, {} malformed, {} null, {} "
        "without session; {} closing; event time from {} over {} windows; {} rows expected\n",
        options_.generator.count, options_.topic, partitions_, seconds,
        static_cast<double>(options_.generator.count) / seconds, kinds_[0], kinds_[1], kinds_[2], kinds_[3],
        options_.closing ? partitions_ : 0, options_.generator.start_ms, options_.generator.windows, oracle_.rows());
  }

  const PublishOptions& options_;
  const int partitions_;
  Generator generator_;
  Oracle oracle_;
  kafka::StandaloneContext context_{"penstock-events"};
  kafka::Producer producer_;
  int64_t kinds_[4] = {};
};

}  // namespace

absl::Status Publish(PublishOptions options) {
  PENSTOCK_RETURN_IF_ERROR(Check(options));
  GeneratorOptions& generator = options.generator;
  if (generator.start_ms == 0) {
    generator.start_ms = Clock::System().NowMs() - generator.windows * kWindowMs - kInThePastMs;
  }
  generator.start_ms -= generator.start_ms % kWindowMs;
  if (options.create_partitions > 0) {
    PENSTOCK_RETURN_IF_ERROR(kafka::CreateTopic(options.brokers, options.topic, options.create_partitions));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const auto offsets, kafka::ListOffsets(options.brokers, options.topic));
  PENSTOCK_RETURN_IF_ERROR(CheckRoom(options, offsets));
  const kafka::Sink check{.brokers = options.brokers, .topic = options.topic, .properties = options.properties};
  PENSTOCK_RETURN_IF_ERROR(check.Validate());
  options.properties.emplace("linger.ms", "50");
  options.properties.emplace("queue.buffering.max.kbytes", "262144");
  Publisher publisher(options, static_cast<int>(offsets.size()));
  return publisher.Run();
}

}  // namespace penstock::events
