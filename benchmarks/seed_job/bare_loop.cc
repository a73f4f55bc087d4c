// Reference programs: what one core can do with the same topic without an engine.
//
//   bare_loop --brokers B --topic events-raw --mode consume|source|parse|count
//
// consume: librdkafka alone. source: penstock's Kafka source, records dropped. parse: consume + simdjson on demand.
// count: parse + a count per (session, 5-minute window) in flat hash maps. Prints one JSON line.
#include <librdkafka/rdkafka.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "connectors/kafka/admin.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/standalone_context.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr size_t kBatch = 1000;
constexpr int64_t kWindowMs = 300'000;

class Counter {
 public:
  void Parse(std::string_view text) {
    simdjson::ondemand::document document;
    // The library reads a little past the text; librdkafka's buffers have no padding, so the text is copied.
    copy_.assign(text);
    copy_.append(simdjson::SIMDJSON_PADDING, ' ');
    const simdjson::padded_string_view padded(copy_.data(), text.size(), copy_.size());
    session_ = {};
    if (parser_.iterate(padded).get(document) != simdjson::SUCCESS) return;
    if (document.find_field("session_id").get_string().get(session_) != simdjson::SUCCESS) return;
    if (document.find_field("ts").get_int64().get(time_ms_) != simdjson::SUCCESS) session_ = {};
  }
  void Count() {
    if (session_.empty()) return;
    auto& window = windows_[time_ms_ / kWindowMs];
    ++window[absl::string_view(session_.data(), session_.size())];
  }
  size_t rows() const {
    size_t rows = 0;
    for (const auto& [start, counts] : windows_) rows += counts.size();
    return rows;
  }

 private:
  simdjson::ondemand::parser parser_;
  std::string copy_;
  std::string_view session_;
  int64_t time_ms_ = 0;
  std::map<int64_t, absl::flat_hash_map<std::string, int64_t>> windows_;
};

// librdkafka alone. Its queues are large, so that it never pauses.
absl::Status ConsumeBare(const std::string& brokers, const std::string& topic,
                         const std::map<int32_t, kafka::OffsetRange>& offsets,
                         const std::function<void(std::string_view)>& visit) {
  PENSTOCK_ASSIGN_OR_RETURN(
      kafka::ConfPtr conf,
      kafka::MakeConf(kafka::ClientKind::kConsumer, brokers,
                      {{"queued.min.messages", "10000000"}, {"queued.max.messages.kbytes", "1048576"}}, {}, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(const kafka::ClientPtr client,
                            kafka::MakeClient(kafka::ClientKind::kConsumer, std::move(conf)));
  PENSTOCK_ASSIGN_OR_RETURN(const kafka::TopicPtr handle, kafka::MakeTopic(client.get(), topic));
  const kafka::QueuePtr queue(rd_kafka_queue_new(client.get()));
  int64_t left = 0;
  for (const auto& [partition, range] : offsets) {
    left += range.end - range.first;
    rd_kafka_consume_start_queue(handle.get(), partition, range.first, queue.get());
  }
  std::vector<rd_kafka_message_t*> messages(kBatch);
  while (left > 0) {
    const ssize_t taken = rd_kafka_consume_batch_queue(queue.get(), 100, messages.data(), kBatch);
    for (ssize_t i = 0; i < taken; ++i) {
      const rd_kafka_message_t& message = *messages[static_cast<size_t>(i)];
      if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        --left;
        visit({static_cast<const char*>(message.payload), message.len});
      }
      rd_kafka_message_destroy(messages[static_cast<size_t>(i)]);
    }
  }
  for (const auto& [partition, range] : offsets) rd_kafka_consume_stop(handle.get(), partition);
  return absl::OkStatus();
}

class Dropping final : public SourceOutput<Bytes> {
 public:
  void Emit(SplitIndex, const Bytes&, TimestampMs) override {}
  SplitIndex AddSplit(std::string) override { return splits_++; }
  void SetDiscovering(bool) override {}
  void SetCaughtUp(SplitIndex) override {}
  void FinishSplit(SplitIndex) override {}
  void SetPosition(SplitIndex, int64_t, int64_t) override {}

 private:
  int splits_ = 0;
};

absl::Status ConsumeBySource(const std::string& brokers, const std::string& topic,
                             const kafka::Properties& properties) {
  kafka::StandaloneContext context("bare-loop");
  Dropping output;
  const kafka::Source source{.brokers = brokers, .topics = {topic}, .bounded = true, .properties = properties};
  PENSTOCK_RETURN_IF_ERROR(source.Validate());
  const auto reader = source.CreateReader();
  PENSTOCK_RETURN_IF_ERROR(reader->Open(context, output));
  while (true) {
    PENSTOCK_ASSIGN_OR_RETURN(const PollResult result, reader->Poll(output));
    if (result == PollResult::kFinished) return absl::OkStatus();
    if (result == PollResult::kDry) context.Sleep(std::chrono::milliseconds(100));
  }
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

absl::Status Run(const std::string& brokers, const std::string& topic, const std::string& mode,
                 const std::vector<std::string>& texts) {
  kafka::Properties properties;
  for (const std::string& text : texts) properties[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  PENSTOCK_ASSIGN_OR_RETURN(const auto offsets, kafka::ListOffsets(brokers, topic));
  int64_t events = 0;
  for (const auto& [partition, range] : offsets) events += range.end - range.first;
  Counter counter;
  const Clock& clock = Clock::System();
  const int64_t start_ns = clock.MonotonicNs();
  if (mode == "source") {
    PENSTOCK_RETURN_IF_ERROR(ConsumeBySource(brokers, topic, properties));
  } else {
    std::function<void(std::string_view)> visit = [](std::string_view) {};
    if (mode == "parse") visit = [&](std::string_view text) { counter.Parse(text); };
    if (mode == "count") {
      visit = [&](std::string_view text) {
        counter.Parse(text);
        counter.Count();
      };
    }
    PENSTOCK_RETURN_IF_ERROR(ConsumeBare(brokers, topic, offsets, visit));
  }
  const double seconds = static_cast<double>(clock.MonotonicNs() - start_ns) / 1e9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(R"({{"mode":"{}","events":{},"seconds":{:.3f},"cpu_seconds":{:.3f},"rss_mb":{},"rows":{}}})"
             "\n",
             mode, events, seconds, CpuSeconds(), usage.ru_maxrss / 1024, counter.rows());
  return absl::OkStatus();
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  std::string brokers, topic = "events-raw", mode = "count";
  CLI::App app("What one core can do with a topic without an engine");
  app.add_option("--brokers", brokers)->required();
  app.add_option("--topic", topic)->capture_default_str();
  app.add_option("--mode", mode)->check(CLI::IsMember({"consume", "source", "parse", "count"}));
  std::vector<std::string> properties;
  app.add_option("-X,--property", properties, "name=value for librdkafka (mode source)");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = penstock::Run(brokers, topic, mode, properties);
  if (status.ok()) return 0;
  fmt::print(stderr, "bare_loop: {}\n", penstock::MessageOf(status));
  return 1;
}
