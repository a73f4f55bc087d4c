// The Kafka connector against librdkafka's mock cluster, and the dev broker's guard.
#include "connectors/kafka/devbroker/guard.h"
#include "connectors/kafka/devbroker/mock_cluster.h"
#include "connectors/kafka/exactly_once/preflight.h"
#include "connectors/kafka/test_support.h"
#include "penstock/testing/connector_conformance.h"

namespace penstock::kafka {
namespace {

using Values = std::vector<std::string>;

std::unique_ptr<MockCluster> StartCluster() {
  auto cluster = MockCluster::Start();
  REQUIRE_OK(cluster.status());
  return std::move(*cluster);
}

TEST_CASE("kafka source conforms", "[kafka]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("in", 4));
  Values expected;
  for (int partition = 0; partition < 4; ++partition) {
    Publish(cluster->brokers(), "in", Numbered(partition * 10'000, 1000, partition));
    for (int i = 0; i < 1000; ++i) expected.push_back(fmt::format("v{}", partition * 10'000 + i));
  }
  const Source source{.brokers = cluster->brokers(), .topics = {"in"}};
  int added = 0;
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make =
          [&] {
            Source bounded = source;
            bounded.bounded = true;
            return bounded.CreateReader();
          },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
      .restore_points_max = 6,
      .make_endless = [&] { return source.CreateReader(); },
      .append =
          [&] {
            Publish(cluster->brokers(), "in", Numbered(100'000 + added, 1, added % 4));
            return fmt::format("v{}", 100'000 + added++);
          },
  }));
}

TEST_CASE("kafka sink conforms", "[kafka]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("out", 4));
  const Sink sink{
      .brokers = cluster->brokers(), .topic = "out", .properties = {{"queue.buffering.max.messages", "100"}}};
  REQUIRE_OK(testing::CheckSink({.make = [&] { return sink.CreateWriter<std::string>(); },
                                 .read = [&] { return ReadAll({.brokers = cluster->brokers(), .topics = {"out"}}); },
                                 .seeds = 5,
                                 .stall = [&](bool stalled) { cluster->SetDown(stalled); },
                                 .stalled_records_max = 1000}));
}

TEST_CASE("exactly-once delivery is refused on the mock, which has no real transactions", "[kafka]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("out", 1));
  const Sink sink{.brokers = cluster->brokers(), .topic = "out", .delivery = Delivery::exactly_once};
  const auto limits = CheckBroker(
      sink, {}, [](const std::string&) {}, [] { return false; });
  CHECK(limits.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(limits.status().message()),
             Catch::Contains(cluster->brokers()) && Catch::Contains("use at-least-once here"));
}

TEST_CASE("explicit offsets, latest, and what comes later, on the mock", "[kafka]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("t", 1));
  Publish(cluster->brokers(), "t", Numbered(0, 5));
  const Source source{.brokers = cluster->brokers(), .topics = {"t"}};
  Source from_three = source;
  from_three.start = StartFrom::offsets({{{"t", 0}, 3}});
  REQUIRE(ReadAll(from_three) == Values{"v3", "v4"});
  Source from_latest = source;
  from_latest.start = StartFrom::latest();
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = from_latest.CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE(testing::PollUntil<Bytes>(*reader, output, context, [&] { return output.caught_up.size() == 1; }));
  Publish(cluster->brokers(), "t", Numbered(5, 1));
  REQUIRE(testing::PollUntil<Bytes>(*reader, output, context, [&] { return !output.records.empty(); }));
  REQUIRE(output.values() == Values{"v5"});
  reader->Close();
}

TEST_CASE("a broker that goes down and comes up again", "[kafka]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("t", 2));
  testing::FakeContext context;
  const auto writer = Sink{.brokers = cluster->brokers(), .topic = "t"}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  for (int i = 0; i < 100; ++i) {
    if (i == 50) {
      REQUIRE_OK(writer->Flush());
      cluster->SetDown(true);
    }
    REQUIRE_OK(writer->Write(std::to_string(i), kNoTimestamp));
  }
  context.on_wait = [&] {
    if (!context.note.empty()) cluster->SetDown(false);
    return true;
  };
  REQUIRE_OK(writer->Flush());
  writer->Close();
  REQUIRE(ReadAll({.brokers = cluster->brokers(), .topics = {"t"}}).size() == 100);
}

TEST_CASE("the guard knows how full the partitions are and refuses writes in time", "[devbroker]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("t", 1));
  Guard guard(cluster->brokers());
  REQUIRE_OK(guard.Open());
  const Values records(1000, std::string(1000, 'x'));
  const auto publish = [&] { Publish(cluster->brokers(), "t", records); };
  const auto step_to = [&](int64_t bytes) {
    const int64_t end = Clock::System().MonotonicMs() + 30'000;
    while (guard.fullest_bytes() < bytes && Clock::System().MonotonicMs() < end) REQUIRE_OK(guard.Step());
    REQUIRE(guard.fullest_bytes() >= bytes);
  };
  publish();
  step_to(1'000'000);
  REQUIRE(guard.fullest() == "t-0");
  REQUIRE(guard.fullest_bytes() < 1'200'000);
  for (int i = 0; i < 3; ++i) publish();
  step_to(kRefusePartitionBytes);
  cluster->RefuseWrites();
  testing::FakeContext context;
  const auto writer = Sink{.brokers = cluster->brokers(), .topic = "t"}.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_OK(writer->Write("no", kNoTimestamp));
  REQUIRE_THAT(std::string(writer->Flush().message()), Catch::Contains("Policy violation"));
  writer->Close();
  REQUIRE(ReadAll({.brokers = cluster->brokers(), .topics = {"t"}}).size() == 4000);
}

TEST_CASE("the guard says when records were dropped", "[devbroker]") {
  const auto cluster = StartCluster();
  REQUIRE_OK(cluster->CreateTopic("t", 1));
  Guard guard(cluster->brokers());
  REQUIRE_OK(guard.Open());
  Publish(cluster->brokers(), "t", Values(10, "x"));
  while (guard.fullest_bytes() == 0) REQUIRE_OK(guard.Step());
  Publish(cluster->brokers(), "t", Values(9000, std::string(1000, 'x')));
  absl::Status status;
  const int64_t end = Clock::System().MonotonicMs() + 30'000;
  while (status.ok() && Clock::System().MonotonicMs() < end) status = guard.Step();
  REQUIRE(status.code() == absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace penstock::kafka
