// The Kafka source against a real broker.
#include <algorithm>
#include <set>

#include "connectors/kafka/client.h"
#include "connectors/kafka/metadata.h"
#include "connectors/kafka/test_support.h"
#include "tests/support/kafka_fixture.h"

namespace penstock::kafka {
namespace {

using testing::BytesOutput;
using testing::FakeContext;
using testing::FakeOutput;
using testing::KafkaFixture;
using testing::PollToEnd;
using testing::PollUntil;
using Values = std::vector<std::string>;

std::string Brokers() { return KafkaFixture::Shared().brokers(); }

std::string NewTopic(const std::string& stem, int partitions) {
  const std::string topic = KafkaFixture::Shared().NewTopicName(stem);
  REQUIRE_OK(CreateTopic(Brokers(), topic, partitions));
  return topic;
}

// An unbounded reader that is open, with what it emits.
struct OpenSource {
  explicit OpenSource(const Source& source, int subtask = 0, int parallelism = 1) : context(subtask, parallelism) {
    REQUIRE_OK(source.Validate());
    reader = source.CreateReader();
    REQUIRE_OK(reader->Open(context, output));
  }
  ~OpenSource() { reader->Close(); }
  bool Until(const std::function<bool()>& done) { return PollUntil<Bytes>(*reader, output, context, done, &failure); }
  bool UntilCount(size_t count) {
    return Until([&] { return output.records.size() >= count; });
  }
  FakeContext context;
  FakeOutput<Bytes, std::string> output = BytesOutput();
  std::unique_ptr<SourceReader<Bytes>> reader;
  absl::Status failure;
};

TEST_CASE("a bounded read gives every record once, in order within partitions, and finishes", "[kafka]") {
  const std::string topic = NewTopic("bounded", 3);
  for (int partition = 0; partition < 3; ++partition) {
    Publish(Brokers(), topic, Numbered(partition * 1000, 500, partition));
  }
  const Source source{.brokers = Brokers(), .topics = {topic}, .bounded = true};
  FakeContext context;
  auto output = BytesOutput();
  const auto reader = source.CreateReader();
  output.on_emit = [&output] { REQUIRE((output.discovering || output.splits.size() == 3)); };
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE(output.discovering);
  REQUIRE_OK(PollToEnd(*reader, output, context));
  REQUIRE_FALSE(output.discovering);
  REQUIRE(output.records.size() == 1500);
  REQUIRE(output.splits.size() == 3);
  REQUIRE(output.finished.size() == 3);
  std::map<SplitIndex, Values> by_split;
  for (const auto& each : output.records) {
    by_split[each.split].push_back(each.value);
    REQUIRE(each.timestamp > 1'600'000'000'000);
  }
  for (int partition = 0; partition < 3; ++partition) {
    const auto name = fmt::format("{}-{}", topic, partition);
    const auto split = std::find(output.splits.begin(), output.splits.end(), name) - output.splits.begin();
    Values expected;
    for (int i = 0; i < 500; ++i) expected.push_back(fmt::format("v{}", partition * 1000 + i));
    REQUIRE(by_split[static_cast<SplitIndex>(split)] == expected);
    REQUIRE(output.positions[static_cast<SplitIndex>(split)] == std::pair<int64_t, int64_t>(500, 500));
  }
  reader->Close();
}

TEST_CASE("a bounded read does not see what is written after its start", "[kafka]") {
  const std::string topic = NewTopic("bounded-later", 1);
  Publish(Brokers(), topic, Numbered(0, 10));
  const Source source{.brokers = Brokers(), .topics = {topic}, .bounded = true, .batch_size = 1};
  FakeContext context;
  auto output = BytesOutput();
  const auto reader = source.CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE(PollUntil<Bytes>(*reader, output, context, [&] { return output.records.size() == 1; }));
  Publish(Brokers(), topic, Numbered(10, 10));
  REQUIRE_OK(PollToEnd(*reader, output, context));
  REQUIRE(output.records.size() == 10);
}

TEST_CASE("an empty topic ends a bounded read at once", "[kafka]") {
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {NewTopic("empty", 2)}}).empty());
}

TEST_CASE("subtasks share the partitions without overlap", "[kafka]") {
  const std::string topic = NewTopic("shared", 5);
  for (int partition = 0; partition < 5; ++partition) Publish(Brokers(), topic, Numbered(partition, 1, partition));
  std::multiset<std::string> seen;
  for (int subtask = 0; subtask < 3; ++subtask) {
    const Source source{.brokers = Brokers(), .topics = {topic}, .bounded = true};
    FakeContext context(subtask, 3);
    auto output = BytesOutput();
    const auto reader = source.CreateReader();
    REQUIRE_OK(reader->Open(context, output));
    REQUIRE_OK(PollToEnd(*reader, output, context));
    for (const std::string& value : output.values()) seen.insert(value);
  }
  REQUIRE(seen == std::multiset<std::string>{"v0", "v1", "v2", "v3", "v4"});
}

TEST_CASE("start modes", "[kafka]") {
  const std::string topic = NewTopic("starts", 1);
  std::vector<ProducerRecord> records = Numbered(0, 10);
  for (int i = 0; i < 10; ++i) records[static_cast<size_t>(i)].timestamp = 1'700'000'000'000 + i * 1000;
  Publish(Brokers(), topic, records);
  const auto read = [&](StartFrom start, std::string group = "") {
    return ReadAll({.brokers = Brokers(), .topics = {topic}, .start = std::move(start), .group_id = std::move(group)});
  };
  SECTION("earliest") { REQUIRE(read(StartFrom::earliest()).size() == 10); }
  SECTION("latest, bounded: nothing") { REQUIRE(read(StartFrom::latest()).empty()); }
  SECTION("timestamp") {
    REQUIRE(read(StartFrom::timestamp(1'700'000'007'000)) == Values{"v7", "v8", "v9"});
    REQUIRE(read(StartFrom::timestamp(1'700'000'006'001)) == Values{"v7", "v8", "v9"});
    REQUIRE(read(StartFrom::timestamp(1'800'000'000'000)).empty());
  }
  SECTION("explicit offsets") { REQUIRE(read(StartFrom::offsets({{{topic, 0}, 8}})) == Values{"v8", "v9"}); }
  SECTION("group, and its fallback") {
    REQUIRE_OK(CommitOffsets(Brokers(), "group-a", {{{topic, 0}, 6}}));
    REQUIRE(read(StartFrom::group(), "group-a") == Values{"v6", "v7", "v8", "v9"});
    REQUIRE(read(StartFrom::group(StartFrom::earliest()), "group-none").size() == 10);
    REQUIRE(read(StartFrom::group(StartFrom::latest()), "group-none").empty());
    REQUIRE(read(StartFrom::group(StartFrom::timestamp(1'700'000'009'000)), "group-none") == Values{"v9"});
  }
  SECTION("latest, unbounded: only what comes") {
    OpenSource source({.brokers = Brokers(), .topics = {topic}, .start = StartFrom::latest()});
    REQUIRE(source.Until([&] { return source.output.caught_up.size() == 1; }));
    Publish(Brokers(), topic, Numbered(10, 2));
    REQUIRE(source.UntilCount(2));
    REQUIRE(source.output.values() == Values{"v10", "v11"});
  }
}

TEST_CASE("an offset that a partition does not have is an error with partition and offsets", "[kafka]") {
  const std::string topic = NewTopic("out-of-range", 1);
  Publish(Brokers(), topic, Numbered(0, 3));
  OpenSource source({.brokers = Brokers(), .topics = {topic}, .start = StartFrom::offsets({{{topic, 0}, 77}})});
  REQUIRE_FALSE(source.UntilCount(1));
  REQUIRE(source.failure.code() == absl::StatusCode::kOutOfRange);
  const std::string text(source.failure.message());
  REQUIRE_THAT(text, Catch::Contains(topic + "-0") && Catch::Contains("offsets 0 to 3") && Catch::Contains("77"));
}

TEST_CASE("lag and caught up", "[kafka]") {
  const std::string topic = NewTopic("lag", 1);
  Publish(Brokers(), topic, Numbered(0, 100));
  OpenSource source({.brokers = Brokers(), .topics = {topic}, .batch_size = 10});
  REQUIRE(source.UntilCount(10));
  REQUIRE(source.output.positions[0] == std::pair<int64_t, int64_t>(10, 100));
  REQUIRE(source.output.caught_up.empty());
  REQUIRE(source.Until([&] { return source.output.caught_up.size() == 1; }));
  REQUIRE(source.output.positions[0] == std::pair<int64_t, int64_t>(100, 100));
  Publish(Brokers(), topic, Numbered(100, 1));
  REQUIRE(source.UntilCount(101));
  REQUIRE(source.Until([&] { return source.output.caught_up.size() == 1; }));
}

TEST_CASE("tombstones are skipped and counted; records of a RecordSource have everything", "[kafka]") {
  const std::string topic = NewTopic("records", 1);
  Publish<ProducerRecord>(
      Brokers(), topic,
      {{.key = "k", .value = "v", .headers = {{"h", "1"}, {"h", "2"}}, .timestamp = 1'700'000'000'123},
       {.key = "k", .value = std::nullopt},
       {.value = ""}});
  FakeContext context;
  auto bytes = BytesOutput();
  const auto reader = Source{.brokers = Brokers(), .topics = {topic}, .bounded = true}.CreateReader();
  REQUIRE_OK(reader->Open(context, bytes));
  REQUIRE_OK(PollToEnd(*reader, bytes, context));
  REQUIRE(bytes.values() == Values{"v", ""});
  REQUIRE(context.counter("kafkaTombstonesSkipped").value() == 1);

  // Each record also goes through its Serde, as between two tasks.
  FakeOutput<Record, std::string> output([](const Record& emitted) {
    ByteWriter bytes;
    Serde<Record>::Write(emitted, bytes);
    ByteReader in(bytes.view());
    Record record;
    REQUIRE(Serde<Record>::Read(in, record));
    std::string headers;
    record.headers.for_each([&](std::string_view name, std::optional<Bytes> value) {
      headers += std::string(name) + "=" + value.value_or(Bytes("null", 4)).str() + ";";
    });
    return fmt::format("{}/{}/{}-{}@{}/{}/{}", record.key ? record.key->str() : "-",
                       record.value ? record.value->str() : "tombstone", record.topic, record.partition, record.offset,
                       headers, record.headers.last("h").value_or(Bytes("none", 4)).str());
  });
  const auto records = RecordSource{.brokers = Brokers(), .topics = {topic}, .bounded = true}.CreateReader();
  REQUIRE_OK(records->Open(context, output));
  REQUIRE_OK(PollToEnd(*records, output, context));
  REQUIRE(output.values() == Values{"k/v/" + topic + "-0@0/h=1;h=2;/2", "k/tombstone/" + topic + "-0@1//none",
                                    "-//" + topic + "-0@2//none"});
  REQUIRE(output.records[0].timestamp == 1'700'000'000'123);
}

TEST_CASE("new partitions and new topics are found and read from their beginning", "[kafka]") {
  const std::string stem = KafkaFixture::Shared().NewTopicName("pattern");
  REQUIRE_OK(CreateTopic(Brokers(), stem + "-a", 1));
  OpenSource source({.brokers = Brokers(),
                     .topic_pattern = stem + "-[ab]",
                     .start = StartFrom::latest(),
                     .discovery_interval = std::chrono::milliseconds(100)});
  REQUIRE(source.Until([&] { return source.output.caught_up.size() == 1; }));
  REQUIRE_OK(AddPartitions(Brokers(), stem + "-a", 2));
  Publish(Brokers(), stem + "-a", Numbered(1, 1, 1));
  REQUIRE_OK(CreateTopic(Brokers(), stem + "-b", 1));
  Publish(Brokers(), stem + "-b", Numbered(2, 1, 0));
  REQUIRE_OK(CreateTopic(Brokers(), stem + "-c", 1));
  Publish(Brokers(), stem + "-c", Numbered(3, 1, 0));
  REQUIRE(source.UntilCount(2));
  REQUIRE(source.Until([&] { return source.output.caught_up.size() == 3; }));
  Values values = source.output.values();
  std::sort(values.begin(), values.end());
  REQUIRE(values == Values{"v1", "v2"});
}

TEST_CASE("a missing topic is named in the status until it is created", "[kafka]") {
  const std::string topic = KafkaFixture::Shared().NewTopicName("missing");
  OpenSource source({.brokers = Brokers(), .topics = {topic}, .start = StartFrom::latest()});
  REQUIRE(source.Until([&] { return !source.context.note.empty(); }));
  REQUIRE_THAT(source.context.note, Catch::Contains(topic) && Catch::Contains("does not exist"));
  REQUIRE_OK(CreateTopic(Brokers(), topic, 1));
  Publish(Brokers(), topic, Numbered(0, 1));
  REQUIRE(source.UntilCount(1));
  REQUIRE(source.context.note.empty());
}

TEST_CASE("a record of 1 MB passes both ways", "[kafka]") {
  const std::string topic = NewTopic("big", 1);
  const std::string big(1 << 20, 'x');
  Publish<std::string>(Brokers(), topic, {big, "small"}, {{"message.max.bytes", "4000000"}});
  const Values values = ReadAll({.brokers = Brokers(), .topics = {topic}});
  REQUIRE(values == Values{big, "small"});
}

TEST_CASE("a slow reader gets on at once after its queue was full", "[kafka]") {
  // Without waking the fetchers librdkafka would pause for up to a second each time.
  const std::string topic = NewTopic("refill", 1);
  Publish<std::string>(Brokers(), topic, Values(20'000, std::string(1000, 'x')));
  OpenSource source({.brokers = Brokers(),
                     .topics = {topic},
                     .properties = {{"queued.max.messages.kbytes", "1000"}, {"fetch.message.max.bytes", "100000"}}});
  source.output.on_emit = [] {  // slower than the broker, so that the queue is full most of the time
    const int64_t until_ns = Clock::System().MonotonicNs() + 20'000;
    while (Clock::System().MonotonicNs() < until_ns) {
    }
  };
  REQUIRE(source.UntilCount(1));
  const int64_t start = Clock::System().MonotonicMs();
  REQUIRE(source.UntilCount(20'000));
  REQUIRE(Clock::System().MonotonicMs() - start < 5'000);  // 20 refills; most of a second each without
}

TEST_CASE("the source recovers when the broker goes and comes back", "[kafka]") {
  const std::string topic = NewTopic("restart", 2);
  Publish(Brokers(), topic, Numbered(0, 100));
  OpenSource source({.brokers = Brokers(), .topics = {topic}});
  REQUIRE(source.UntilCount(100));
  KafkaFixture::Shared().Stop();
  REQUIRE(source.Until([&] { return !source.context.note.empty(); }));
  REQUIRE_THAT(source.context.note, Catch::Contains(Brokers()) && Catch::Contains("retrying"));
  KafkaFixture::Shared().Start();
  REQUIRE(source.Until([&] { return source.context.note.empty(); }));
  Publish(Brokers(), topic, Numbered(100, 50));
  REQUIRE(source.UntilCount(150));
  Values values = source.output.values();
  REQUIRE(std::set<std::string>(values.begin(), values.end()).size() == 150);
}

// By partition, once it is what is expected.
bool GroupComesTo(testing::FakeContext& context, SourceReader<Bytes>& reader,
                  testing::FakeOutput<Bytes, std::string>& output, const std::string& group, const std::string& topic,
                  const std::map<int32_t, int64_t>& expected) {
  return context.WaitUntil("the group's offsets", [&] {
    REQUIRE_OK(reader.Poll(output).status());
    const auto offsets = GroupOffsets(Brokers(), group, topic);
    return offsets.ok() && *offsets == expected;
  });
}

TEST_CASE("a decided checkpoint commits its offsets to the group, whatever happens to the group", "[kafka]") {
  const std::string topic = NewTopic("group-commits", 2);
  const std::string group = topic + "-group";
  Publish(Brokers(), topic, Numbered(0, 10, 0));
  Publish(Brokers(), topic, Numbered(10, 4, 1));
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = Source{.brokers = Brokers(), .topics = {topic}, .group_id = group}.CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  const auto read = [&](size_t count) {
    return context.WaitUntil("records", [&] {
      REQUIRE_OK(reader->Poll(output).status());
      return output.records.size() == count;
    });
  };
  std::vector<std::string> positions;
  REQUIRE(read(14));
  REQUIRE_OK(reader->Snapshot(7, &positions));
  Publish(Brokers(), topic, Numbered(14, 3, 1));
  REQUIRE(read(17));
  reader->OnDecided(7);  // what was read since is not committed
  REQUIRE(GroupComesTo(context, *reader, output, group, topic, {{0, 10}, {1, 4}}));
  auto conf = MakeConf(ClientKind::kConsumer, Brokers(), {}, {{"group.id", group}}, nullptr);
  REQUIRE_OK(conf.status());
  const auto onlooker = MakeClient(ClientKind::kConsumer, *std::move(conf));
  REQUIRE_OK(onlooker.status());
  const auto committed = CommittedOffsets(onlooker->get(), {{topic, 0}});
  REQUIRE_OK(committed.status());
  REQUIRE(committed->at({topic, 0}).note == "attempt 1");

  // Somebody sets the group back, then deletes it: the job reads on, and the next checkpoint puts it right.
  REQUIRE_OK(CommitOffsets(Brokers(), group, {{{topic, 0}, 0}, {{topic, 1}, 0}}));
  REQUIRE_OK(DeleteGroup(Brokers(), group));
  Publish(Brokers(), topic, Numbered(17, 1, 0));
  REQUIRE(read(18));
  REQUIRE_OK(reader->Snapshot(8, &positions));
  REQUIRE_OK(reader->Snapshot(9, &positions));
  reader->OnDecided(9);
  REQUIRE(GroupComesTo(context, *reader, output, group, topic, {{0, 11}, {1, 7}}));
  REQUIRE(context.warnings.empty());
  reader->Close();
}

}  // namespace
}  // namespace penstock::kafka
