// The Kafka sink against a real broker.
#include <algorithm>
#include <thread>

#include "connectors/kafka/test_support.h"
#include "tests/support/kafka_fixture.h"

namespace penstock::kafka {
namespace {

using testing::FakeContext;
using testing::KafkaFixture;
using Values = std::vector<std::string>;

std::string Brokers() { return KafkaFixture::Shared().brokers(); }

std::string NewTopic(const std::string& stem, int partitions) {
  const std::string topic = KafkaFixture::Shared().NewTopicName(stem);
  REQUIRE_OK(CreateTopic(Brokers(), topic, partitions));
  return topic;
}

Values Sorted(Values values) {
  std::sort(values.begin(), values.end());
  return values;
}

struct Order {
  int id;
  std::string what;
};

TEST_CASE("Flush returns when everything is delivered", "[kafka]") {
  const std::string topic = NewTopic("flush", 4);
  FakeContext context;
  const auto writer = Sink{.brokers = Brokers(), .topic = topic}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 1000; ++i) REQUIRE_OK(writer->Write("x", kNoTimestamp));
    REQUIRE_OK(writer->Flush());
    const auto offsets = ListOffsets(Brokers(), topic);
    REQUIRE_OK(offsets.status());
    int64_t total = 0;
    for (const auto& [partition, range] : *offsets) total += range.end;
    REQUIRE(total == round * 1000);
  }
  writer->Close();
}

TEST_CASE("a full queue makes the writer wait, and nothing is lost", "[kafka]") {
  const std::string topic = NewTopic("full", 1);
  FakeContext context;
  const Sink sink{.brokers = Brokers(), .topic = topic, .properties = {{"queue.buffering.max.messages", "50"}}};
  const auto writer = sink.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  for (int i = 0; i < 5000; ++i) REQUIRE_OK(writer->Write(std::to_string(i), kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  REQUIRE(context.waited_for.contains("room in the Kafka queue"));
  const Values values = ReadAll({.brokers = Brokers(), .topics = {topic}});
  REQUIRE(values.size() == 5000);
  for (size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == std::to_string(i));
}

TEST_CASE("own types with key, headers and partition; headers of the sink; event time", "[kafka]") {
  const std::string topic = NewTopic("own", 3);
  const SinkOf<Order> sink{
      .sink = {.brokers = Brokers(), .topic = topic, .headers = {{"from", "test"}}, .write_timestamps = true},
      .key = [](const Order& order) { return std::to_string(order.id); },
      .value = [](const Order& order) -> std::optional<std::string> {
        return order.what.empty() ? std::nullopt : std::optional(order.what);
      },
      .headers = [](const Order& order) -> std::vector<std::pair<std::string, std::string>> {
        return {{"id", std::to_string(order.id)}};
      },
      .partition = [](const Order& order) { return order.id % 3; }};
  REQUIRE_OK(sink.Validate());
  FakeContext context;
  const auto writer = sink.CreateWriter<Order>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_OK(writer->Write({4, "tea"}, 1'700'000'000'001));
  REQUIRE_OK(writer->Write({5, ""}, 1'700'000'000'002));
  REQUIRE_OK(writer->Flush());

  testing::FakeOutput<Record, std::string> output([](const Record& record) {
    return fmt::format("{} {} {} {} {} {}", record.partition, record.key->str(),
                       record.value ? record.value->str() : "tombstone", record.headers.last("from")->str(),
                       record.headers.last("id")->str(), record.timestamp);
  });
  const auto reader = RecordSource{.brokers = Brokers(), .topics = {topic}, .bounded = true}.CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE_OK(testing::PollToEnd(*reader, output, context));
  REQUIRE(Sorted(output.values()) == Values{"1 4 tea test 4 1700000000001", "2 5 tombstone test 5 1700000000002"});
}

TEST_CASE("a missing topic is named in the status, and written to when it is created", "[kafka]") {
  const std::string topic = KafkaFixture::Shared().NewTopicName("sink-missing");
  FakeContext context;
  std::string seen;
  context.on_wait = [&] {
    if (seen.empty() && !context.note.empty()) {
      seen = context.note;
      REQUIRE_OK(CreateTopic(Brokers(), topic, 1));
    }
    return true;
  };
  const auto writer = Sink{.brokers = Brokers(), .topic = topic}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_OK(writer->Write("at last", kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  REQUIRE_THAT(seen, Catch::Contains(topic) && Catch::Contains("does not exist"));
  REQUIRE(context.note.empty());
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {topic}}) == Values{"at last"});
}

TEST_CASE("waiting for a topic ends when the task is cancelled", "[kafka]") {
  FakeContext context;
  context.cancel = true;
  const auto writer = Sink{.brokers = Brokers(), .topic = "never-there"}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE(writer->Write("x", kNoTimestamp).code() == absl::StatusCode::kCancelled);
  writer->Close();
}

TEST_CASE("a failed delivery surfaces at the next call and names topic and error", "[kafka]") {
  const std::string topic = KafkaFixture::Shared().NewTopicName("refused");
  REQUIRE_OK(CreateTopic(Brokers(), topic, 1, {{"max.message.bytes", "1000"}}));
  FakeContext context;
  const auto writer = Sink{.brokers = Brokers(), .topic = topic}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_OK(writer->Write(std::string(5000, 'x'), kNoTimestamp));
  const absl::Status flushed = writer->Flush();
  REQUIRE_FALSE(flushed.ok());
  REQUIRE_THAT(std::string(flushed.message()), Catch::Contains(topic) && Catch::Contains("partition 0") &&
                                                   Catch::Contains("too large", Catch::CaseSensitive::No));
  REQUIRE_FALSE(writer->Write("x", kNoTimestamp).ok());
  writer->Close();
}

TEST_CASE("the sink recovers when the broker goes and comes back, and nothing is lost", "[kafka]") {
  const std::string topic = NewTopic("sink-restart", 2);
  FakeContext context;
  const auto writer = Sink{.brokers = Brokers(), .topic = topic}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  for (int i = 0; i < 100; ++i) REQUIRE_OK(writer->Write(std::to_string(i), kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  KafkaFixture::Shared().Stop();
  for (int i = 100; i < 200; ++i) REQUIRE_OK(writer->Write(std::to_string(i), kNoTimestamp));
  bool started = false;
  context.on_wait = [&] {
    if (!started && !context.note.empty()) {
      started = true;
      KafkaFixture::Shared().Start();
    }
    return true;
  };
  REQUIRE_OK(writer->Flush());
  REQUIRE(started);
  REQUIRE(context.note.empty());
  writer->Close();
  const Values values = ReadAll({.brokers = Brokers(), .topics = {topic}});
  REQUIRE(std::set<std::string>(values.begin(), values.end()).size() == 200);
}

TEST_CASE("Close does not wait for a broker that is gone", "[kafka]") {
  FakeContext context;
  context.wait_max_ms = 100;
  const auto writer = Sink{.brokers = "127.0.0.1:1", .topic = "t"}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_FALSE(writer->Write("x", kNoTimestamp).ok());
  const int64_t start = Clock::System().MonotonicMs();
  writer->Close();
  REQUIRE(Clock::System().MonotonicMs() - start < 8'000);
}

}  // namespace
}  // namespace penstock::kafka
