// Malformed records of a real topic, with where they lie, into a dead-letter topic.
#include <penstock/connectors/kafka.h>
#include <penstock/formats/json.h>
#include <penstock/testing.h>

#include "connectors/kafka/test_support.h"
#include "runtime/core/status.h"
#include "tests/support/kafka_fixture.h"

namespace penstock {
namespace {

using testing::KafkaFixture;

struct Trade {
  std::string id;
  int64_t cents = 0;
};

struct DeadLetter {
  std::string value;
  std::string reason;
  std::string origin;
  bool operator==(const DeadLetter&) const = default;
};

std::vector<DeadLetter> DeadLetters(const std::string& brokers, const std::string& topic) {
  const collect::Results<DeadLetter> found;
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    env.source("dead", kafka::RecordSource{.brokers = brokers, .topics = {topic}, .bounded = true})
        .map([](const kafka::Record& record) {
          const auto header = [&](const char* name) { return record.headers.last(name).value_or(Bytes()).str(); };
          return DeadLetter{record.value.value_or(Bytes()).str(), header("penstock.reason"), header("penstock.origin")};
        })
        .sink("out", collect::Sink<DeadLetter>{found});
  });
  REQUIRE_OK(status);
  return found.values();
}

// Two good records, then one that is none, in partition 2.
std::string Prepare(const std::string& brokers) {
  const std::string topic = KafkaFixture::Shared().NewTopicName("trades");
  REQUIRE_OK(kafka::CreateTopic(brokers, topic, 3));
  std::vector<kafka::ProducerRecord> records;
  for (const char* text : {R"({"id":"a","cents":1})", R"({"id":"b","cents":2})", R"({"id":"c","cents":"3"})"}) {
    records.push_back({.value = text, .partition = 2});
  }
  kafka::Publish(brokers, topic, records);
  return topic;
}

TEST_CASE("a dead-letter topic has the record, the reason and where it came from", "[formats]") {
  const std::string brokers = KafkaFixture::Shared().brokers();
  const std::string topic = Prepare(brokers), dead = KafkaFixture::Shared().NewTopicName("dead");
  REQUIRE_OK(kafka::CreateTopic(brokers, dead, 1));
  const collect::Results<Trade> trades;
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    auto parsed = env.source("in", kafka::Source{.brokers = brokers, .topics = {topic}, .bounded = true})
                      .flat_map(json::parse<Trade>())
                      .on_error(side_output)
                      .name("parse");
    parsed.malformed()
        .map(kafka::dead_letter<Malformed>)
        .sink("dead letters", kafka::Sink{.brokers = brokers, .topic = dead});
    parsed.sink("out", collect::Sink<Trade>{trades});
  });
  REQUIRE_OK(status);
  CHECK(trades.size() == 2);
  const std::string origin = "topic " + topic + ", partition 2, offset 2";
  CHECK(DeadLetters(brokers, dead) ==
        std::vector<DeadLetter>{
            {R"({"id":"c","cents":"3"})", origin + ": JSON: cents: \"3\" is no int64 (byte 18)", origin}});
}

TEST_CASE("records that know where they lie say so behind an exchange", "[formats]") {
  const std::string brokers = KafkaFixture::Shared().brokers();
  const std::string topic = Prepare(brokers);
  const collect::Results<Malformed> malformed;
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    auto parsed = env.source("in", kafka::RecordSource{.brokers = brokers, .topics = {topic}, .bounded = true})
                      .rebalance()
                      .flat_map(json::parse<Trade>())
                      .on_error(side_output);
    parsed.malformed().sink("bad", collect::Sink<Malformed>{malformed});
  });
  REQUIRE_OK(status);
  REQUIRE(malformed.size() == 1);
  CHECK(malformed.values()[0].origin == "topic " + topic + ", partition 2, offset 2");
  CHECK(malformed.values()[0].record == R"({"id":"c","cents":"3"})");
}

}  // namespace
}  // namespace penstock
