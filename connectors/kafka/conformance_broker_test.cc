// Kafka's source and sinks run through the conformance suite, against a real broker.
#include <set>

#include "connectors/kafka/exactly_once/test_job.h"
#include "penstock/testing/connector_conformance.h"

namespace penstock::kafka {
namespace {

using Values = std::vector<std::string>;

TEST_CASE("the kafka source conforms", "[kafka][conformance]") {
  const std::string topic = NewTopic("conforming");
  Values expected;
  for (int partition = 0; partition < kPartitions; ++partition) {
    Publish(Brokers(), topic, Numbered(partition * 100, 20, partition));
    for (int i = 0; i < 20; ++i) expected.push_back(fmt::format("v{}", partition * 100 + i));
  }
  const Source source{.brokers = Brokers(), .topics = {topic}};
  int added = 1000;
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make =
          [&] {
            Source bounded = source;
            bounded.bounded = true;
            return bounded.CreateReader();
          },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
      .restore_points_max = 5,
      .make_endless = [&] { return source.CreateReader(); },
      .append =
          [&] {
            Publish(Brokers(), topic, Numbered(added, 1, added % kPartitions));
            return fmt::format("v{}", added++);
          },
  }));
}

Values Seen(const std::string& topic) {
  Values values = ReadAll({.brokers = Brokers(), .topics = {topic}});
  std::erase_if(values, [](const std::string& value) { return value.starts_with(kSentinel); });
  return values;
}

TEST_CASE("the at-least-once kafka sink conforms", "[kafka][conformance]") {
  const Sink sink{.brokers = Brokers(), .topic = NewTopic("at-least-once")};
  REQUIRE_OK(testing::CheckSink({.make = [&] { return sink.CreateWriter<std::string>(); },
                                 .read = [&] { return Seen(sink.topic); },
                                 .seeds = 3}));
}

TEST_CASE("the exactly-once kafka sink conforms", "[kafka][conformance]") {
  const Sink sink{.brokers = Brokers(), .topic = NewTopic("once"), .delivery = Delivery::exactly_once};
  REQUIRE_OK(testing::CheckSink({.make = [&] { return sink.CreateWriter<std::string>(); },
                                 .read = [&] { return Seen(sink.topic); },
                                 .delivery = Delivery::exactly_once,
                                 .seeds = 3,
                                 .before_read = [&] { AwaitStable(sink.topic); }}));
}

TEST_CASE("malformed descriptions are refused by name", "[kafka][conformance]") {
  REQUIRE_OK(testing::CheckSourceRefused(Source{.batch_size = 0}, {".brokers", ".topics", ".batch_size"}));
  REQUIRE_OK(
      testing::CheckSinkRefused<std::string>(Sink{.delivery = Delivery::none}, {".brokers", ".topic", ".delivery"}));
}

}  // namespace
}  // namespace penstock::kafka
