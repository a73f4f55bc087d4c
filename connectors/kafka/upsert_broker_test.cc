// Tables in Kafka, against a real broker.
#include "connectors/kafka/exactly_once/test_job.h"
#include "penstock/connectors/kafka_upsert.h"
#include "penstock/testing/connector_conformance.h"

namespace penstock::kafka {
namespace {

using Values = std::vector<std::string>;
static_assert(reflect::Reflectable<Upsert>);

// A row of a table: text empty when it is to go.
struct Row {
  int id = 0;
  std::string text;
};

UpsertSink<Row> Table(const std::string& topic, Delivery delivery = Delivery::at_least_once) {
  return {.sink = {.brokers = Brokers(), .topic = topic, .delivery = delivery},
          .key = [](const Row& row) { return std::to_string(row.id); },
          .value = [](const Row& row) { return row.text.empty() ? std::nullopt : std::optional(row.text); }};
}

std::string Show(const Upsert& upsert) {
  return upsert.key.str() + (upsert.value ? "=" + upsert.value->str() : " deleted");
}

UpsertSource Changes(const std::string& topic, bool bounded = true) {
  return {.source = {.brokers = Brokers(), .topics = {topic}, .bounded = bounded}};
}

// Every change there is to see, in the order of each key.
Values ReadChanges(const std::string& topic, absl::Status* failure = nullptr) {
  FakeContext context;
  testing::FakeOutput<Upsert, std::string> output(&Show);
  const auto reader = Changes(topic).CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  const absl::Status read = testing::PollToEnd(*reader, output, context);
  if (failure != nullptr) {
    *failure = read;
  } else {
    REQUIRE_OK(read);
  }
  reader->Close();
  return output.values();
}

TEST_CASE("changes and tombstones go out and come back by key", "[kafka][upsert]") {
  const std::string topic = NewTopic("upserts");
  const UpsertSink<Row> table = Table(topic);
  REQUIRE_OK(table.Validate());
  FakeContext context;
  const auto writer = table.CreateWriter<Row>();
  REQUIRE_OK(writer->Open(context));
  for (const Row& row : {Row{1, "a"}, Row{2, "b"}, Row{1, ""}, Row{2, "c"}, Row{1, "d"}}) {
    REQUIRE_OK(writer->Write(row, kNoTimestamp));
  }
  REQUIRE_OK(writer->Flush());
  writer->Close();
  std::map<char, Values> by_key;
  for (const std::string& change : ReadChanges(topic)) by_key[change[0]].push_back(change);
  CHECK(by_key['1'] == Values{"1=a", "1 deleted", "1=d"});
  CHECK(by_key['2'] == Values{"2=b", "2=c"});
}

TEST_CASE("the upsert source and sinks conform", "[kafka][upsert][conformance]") {
  const std::string topic = NewTopic("upserts-conforming");
  std::vector<ProducerRecord> records;
  Values expected;
  for (int i = 0; i < 30; ++i) {
    const std::string key = std::to_string(i);
    records.push_back(
        {.key = key, .value = i % 3 == 0 ? std::nullopt : std::optional(key), .partition = i % kPartitions});
    expected.push_back(i % 3 == 0 ? key + " deleted" : key + "=" + key);
  }
  Publish(Brokers(), topic, records);
  REQUIRE_OK(testing::CheckSource<Upsert, std::string>({.make = [&] { return Changes(topic).CreateReader(); },
                                                        .keep = &Show,
                                                        .expected = expected,
                                                        .restore_points_max = 4}));

  const UpsertSink<Row> once = Table(NewTopic("upserts-once"), Delivery::exactly_once);
  REQUIRE_OK(
      testing::CheckSink<Row>({.make = [&] { return once.CreateWriter<Row>(); },
                               .read =
                                   [&] {
                                     Values seen = ReadChanges(once.sink.topic);
                                     std::erase_if(seen, [](const auto& each) { return each.starts_with(kSentinel); });
                                     return seen;
                                   },
                               .delivery = Delivery::exactly_once,
                               .record =
                                   [](int i) {
                                     return Row{i, i % 5 == 0 ? "" : "text"};
                                   },
                               .shown = [](int i) { return std::to_string(i) + (i % 5 == 0 ? " deleted" : "=text"); },
                               .seeds = 2,
                               .before_read = [&] { AwaitStable(once.sink.topic); }}));
}

TEST_CASE("a record without a key is an error by its place", "[kafka][upsert]") {
  const std::string topic = NewTopic("keyless");
  Publish(Brokers(), topic, Numbered(7, 1, 2));
  absl::Status failure;
  ReadChanges(topic, &failure);
  CHECK(absl::IsInvalidArgument(failure));
  CHECK_THAT(std::string(failure.message()), Catch::Contains(topic + "-2 offset 0"));
}

TEST_CASE("malformed upsert descriptions are refused by name", "[kafka][upsert]") {
  REQUIRE_OK(testing::CheckSinkRefused<Row>(UpsertSink<Row>{.sink = {.partitioner = "random"}},
                                            {".key", ".value", ".partitioner", ".brokers", ".topic"}));
  REQUIRE_OK(testing::CheckSourceRefused(UpsertSource{}, {".brokers", ".topics"}));
}

}  // namespace
}  // namespace penstock::kafka
