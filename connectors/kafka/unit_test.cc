// What of the Kafka connector can be tested without a broker.
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/escaping.h"
#include "connectors/kafka/assignment.h"
#include "connectors/kafka/exactly_once/bounded_call.h"
#include "connectors/kafka/exactly_once/identity.h"
#include "connectors/kafka/exactly_once/log_record.h"
#include "connectors/kafka/exactly_once/marker.h"
#include "connectors/kafka/retry_thread.h"
#include "connectors/kafka/test_support.h"
#include "connectors/kafka/topic_pattern.h"

namespace penstock::kafka {
namespace {

std::string Problems(const absl::Status& status) {
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST_CASE("partitions are dealt evenly and by a rule that does not change", "[kafka]") {
  for (const int parallelism : {1, 2, 3, 7}) {
    std::vector<int> owned(static_cast<size_t>(parallelism));
    for (int32_t partition = 0; partition < 42; ++partition) {
      const int owner = OwnerOf("events-raw", partition, parallelism);
      REQUIRE(owner >= 0);
      REQUIRE(owner < parallelism);
      ++owned[static_cast<size_t>(owner)];
    }
    for (const int count : owned) REQUIRE((count == 42 / parallelism));
  }
  // Golden values: jobs rely on them.
  REQUIRE(TopicHash("") == 14695981039346656037ull);
  REQUIRE(TopicHash("a") == 0xaf63dc4c8601ec8cull);
  REQUIRE(OwnerOf("a", 0, 4) == 0);
  REQUIRE(OwnerOf("a", 5, 4) == 1);
}

TEST_CASE("topic patterns match whole names, and never Kafka's own topics", "[kafka]") {
  const TopicPattern pattern("orders-[ab]|.*-out");
  REQUIRE(pattern.error().empty());
  REQUIRE(pattern.Matches("orders-a"));
  REQUIRE(pattern.Matches("x-out"));
  REQUIRE_FALSE(pattern.Matches("orders-ab"));
  REQUIRE_FALSE(pattern.Matches("my-orders-a"));
  REQUIRE_FALSE(TopicPattern(".*").Matches("__consumer_offsets"));
  REQUIRE_FALSE(TopicPattern("a(").error().empty());
}

TEST_CASE("a source names all its problems in one message", "[kafka]") {
  const Source source{.topics = {""},
                      .topic_pattern = "a(",
                      .start = StartFrom::group(),
                      .discovery_interval = std::chrono::milliseconds(-1),
                      .properties = {{"no.such.property", "1"}, {"fetch.wait.max.ms", "x"}, {"group.id", "g"}},
                      .batch_size = 0};
  const std::string text = Problems(source.Validate());
  for (const char* part : {".brokers is empty", "either .topics or .topic_pattern", "name in .topics is empty",
                           "no regular expression", "needs .group_id", ".discovery_interval", ".batch_size 0",
                           "no.such.property", "fetch.wait.max.ms", "use .group_id"}) {
    REQUIRE_THAT(text, Catch::Contains(part));
  }
  REQUIRE_OK((Source{.brokers = "b:1", .topics = {"t"}}.Validate()));
  REQUIRE_OK((RecordSource{.brokers = "b:1", .topic_pattern = "t.*"}.Validate()));
}

TEST_CASE("a sink names all its problems in one message", "[kafka]") {
  const Sink sink{.delivery = Delivery::exactly_once, .properties = {{"linger.ms", "-7"}}, .partitioner = "dice"};
  const std::string text = Problems(sink.Validate());
  for (const char* part : {".brokers is empty", ".topic is empty", "linger.ms", "partitioner"}) {
    REQUIRE_THAT(text, Catch::Contains(part));
  }
  REQUIRE_OK((Sink{.brokers = "b:1", .topic = "t"}.Validate()));
  REQUIRE_THAT(Problems(SinkOf<int>{.sink = {.brokers = "b:1", .topic = "t"}}.Validate()), Catch::Contains(".value"));
}

TEST_CASE("a configuration that contradicts itself fails at Open with librdkafka's words", "[kafka]") {
  testing::FakeContext context;
  const Sink sink{.brokers = "127.0.0.1:1", .topic = "t", .properties = {{"acks", "1"}}};
  REQUIRE_OK(sink.Validate());
  const absl::Status opened = sink.CreateWriter<std::string>()->Open(context);
  REQUIRE_THAT(Problems(opened), Catch::Contains("acks") && Catch::Contains("idempotence"));
}

TEST_CASE("a broker that is not there is named in the status, and closing is quick", "[kafka]") {
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = Source{.brokers = "127.0.0.1:1", .topics = {"t"}}.CreateReader();
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE(testing::PollUntil<Bytes>(*reader, output, context, [&] { return !context.note.empty(); }));
  REQUIRE_THAT(context.note, Catch::Contains("127.0.0.1:1") && Catch::Contains("retrying"));
  REQUIRE(output.discovering);  // or this subtask would count as idle, and the others' windows fire without it
  const int64_t start = Clock::System().MonotonicMs();
  reader->Close();
  REQUIRE(Clock::System().MonotonicMs() - start < 2 * kRequestTimeoutMs);
}

TEST_CASE("a call that does not come back is left alone, and what it returns later is dropped", "[kafka]") {
  int value = 0;
  const auto no_drop = [](void*) { FAIL("it was not late"); };
  const auto never = [] { return false; };
  CHECK(CallWithin(
            std::chrono::minutes(1), never, [&] { return &value; }, no_drop) == std::optional<void*>(&value));

  std::promise<void> release;
  const auto dropped = std::make_shared<std::promise<void*>>();  // the call's thread may be still at it
  const auto stuck = [go = release.get_future().share(), &value]() -> void* {
    go.wait();
    return &value;
  };
  const auto drop = [dropped](void* late) { dropped->set_value(late); };
  SECTION("in time") { CHECK(CallWithin(std::chrono::milliseconds(1), never, stuck, drop) == std::nullopt); }
  SECTION("because the task is to stop") {
    CHECK(CallWithin(
              std::chrono::hours(1), [] { return true; }, stuck, drop) == std::nullopt);
  }
  release.set_value();
  CHECK(dropped->get_future().get() == &value);
}

TEST_CASE("backoff doubles up to its bound", "[kafka]") {
  Backoff backoff;
  REQUIRE(backoff.Next() == kBackoffMin);
  REQUIRE(backoff.Next() == 2 * kBackoffMin);
  for (int i = 0; i < 20; ++i) backoff.Next();
  REQUIRE(backoff.Next() == kBackoffMax);
  backoff.Reset();
  REQUIRE(backoff.Next() == kBackoffMin);
}

TEST_CASE("a retry thread repeats its step, at once when kicked, until it is done or stopped", "[kafka]") {
  Mutex mutex;
  CondVar changed;
  int steps = 0;
  const auto wait_for = [&](int count) {
    MutexLock lock(&mutex);
    while (steps < count) REQUIRE(changed.WaitFor(&mutex, std::chrono::seconds(30)));
  };
  const auto step = [&](std::chrono::milliseconds pause, int last) {
    return [&, pause, last]() -> std::optional<std::chrono::milliseconds> {
      MutexLock lock(&mutex);
      ++steps;
      changed.NotifyAll();
      return steps < last ? std::optional(pause) : std::nullopt;
    };
  };
  SECTION("by itself") {
    RetryThread thread(step(std::chrono::milliseconds(1), 5));
    wait_for(5);
  }
  SECTION("kicked out of a long pause, then stopped in it") {
    RetryThread thread(step(std::chrono::hours(1), 1000));
    wait_for(1);
    thread.Kick();
    wait_for(2);
    thread.Stop();
    thread.Stop();
    REQUIRE(steps == 2);
  }
}

// What programs of version 1 have left in brokers and checkpoints can be read for as long as these pass.
TEST_CASE("a marker, byte by byte", "[kafka]") {
  CHECK(EncodeMarkerMetadata({"f00d", 7}) == "penstock1 f00d");
  CHECK(DecodeMarker(7, "penstock1 f00d") == Marker{"f00d", 7});
  CHECK_FALSE(DecodeMarker(7, "penstock2 f00d"));
  CHECK_FALSE(DecodeMarker(-1, "penstock1 f00d"));
  CHECK((SlotIdentity{"c", "job", "out", 3}.Name()) == "c.job.out.3");
}

TEST_CASE("a record in a sink's log, byte by byte", "[kafka]") {
  const HeaderList headers = {{"h", "x"}};
  std::string bytes;
  EncodeLogRecord({.key = "k", .value = "vv", .headers = &headers, .timestamp = 258, .partition = 2}, bytes);
  CHECK(absl::BytesToHexString(bytes) ==
        "1f"                          // flags: all there
        "0201000000000000"            // timestamp
        "02000000"                    // partition
        "010000006b"                  // key
        "020000007676"                // value
        "010001000000680100000078");  // headers
  LogRecord read;
  REQUIRE(DecodeLogRecord(bytes, read));
  CHECK(read.record.key == "k");
  CHECK(read.record.value == "vv");
  CHECK(read.record.timestamp == 258);
  CHECK(read.record.partition == 2);
  CHECK(*read.record.headers == headers);
  EncodeLogRecord({.value = ""}, bytes);
  CHECK(absl::BytesToHexString(bytes) == "0800000000");  // an empty value, nothing else
  for (size_t size = 0; size < bytes.size(); ++size) {
    LogRecord cut;
    CHECK_FALSE(DecodeLogRecord(std::string_view(bytes).substr(0, size), cut));
  }
}

}  // namespace
}  // namespace penstock::kafka
