#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/devbroker/mock_cluster.h"
#include "examples/tools/events/publish.h"
#include "examples/tools/events/topics.h"
#include "examples/tools/events/verify.h"

namespace penstock::events {
namespace {

GeneratorOptions Small() {
  return {.count = 5000, .sessions = 20, .size = 300, .windows = 4, .start_ms = 1'500'000'000'000};
}

TEST_CASE("events are JSON of the asked size, the same for a seed, with bounded disorder", "[events]") {
  Generator generator(Small()), again(Small());
  int64_t newest = 0;
  std::set<uint32_t> sessions;
  for (uint64_t i = 0; i < 5000; ++i) {
    const Event event = generator.Make(i);
    const std::string text(generator.Render(i, event));
    REQUIRE(text == again.Render(i, again.Make(i)));
    REQUIRE(text.size() == 300);
    const auto json = nlohmann::json::parse(text);
    REQUIRE(json["session_id"] == Generator::SessionName(event.session));
    REQUIRE(json["ts"] == event.time_ms);
    REQUIRE(event.time_ms >= Small().start_ms);
    REQUIRE(event.time_ms < Small().start_ms + 4 * kWindowMs);
    REQUIRE(event.time_ms >= newest - Small().disorder_ms);
    newest = std::max(newest, event.time_ms);
    sessions.insert(event.session);
  }
  REQUIRE(sessions.size() == 20);
  const auto closing = nlohmann::json::parse(generator.RenderClosing(0));
  REQUIRE(closing["session_id"] == kClosingSession);
  REQUIRE(closing["ts"] > Small().start_ms + 5 * kWindowMs);
}

TEST_CASE("the shares of bad events are as asked, and each is bad", "[events]") {
  GeneratorOptions options = Small();
  options.malformed = 0.1;
  options.null = 0.2;
  options.no_session = 0.3;
  Generator generator(options);
  std::map<EventKind, int> kinds;
  for (uint64_t i = 0; i < 5000; ++i) {
    const Event event = generator.Make(i);
    ++kinds[event.kind];
    const std::string text(generator.Render(i, event));
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (event.kind == EventKind::kMalformed) {
      REQUIRE(text.find("session_id") != std::string::npos);
      REQUIRE((json.is_discarded() || !json["ts"].is_number()));
    }
    if (event.kind == EventKind::kNoSession) {
      REQUIRE(text.find("session_id") == std::string::npos);
      REQUIRE(json["ts"] == event.time_ms);
    }
  }
  REQUIRE(kinds[EventKind::kMalformed] == Approx(500).margin(100));
  REQUIRE(kinds[EventKind::kNull] == Approx(1000).margin(120));
  REQUIRE(kinds[EventKind::kNoSession] == Approx(1500).margin(150));
}

TEST_CASE("the oracle counts by session and window, sorted", "[events]") {
  const GeneratorOptions options = Small();
  Oracle oracle(options);
  const int64_t start = options.start_ms;
  oracle.Count({.session = 3, .time_ms = start});
  oracle.Count({.session = 3, .time_ms = start + kWindowMs - 1});
  oracle.Count({.session = 3, .time_ms = start + kWindowMs});
  oracle.Count({.session = 1, .time_ms = start + 3 * kWindowMs});
  oracle.Count({.kind = EventKind::kMalformed, .session = 1, .time_ms = start});
  const auto rows = oracle.Rows();
  REQUIRE(rows == std::vector<std::string>{
                      "s-000001,1500000900000,1500001200000,1",
                      "s-000003,1500000000000,1500000300000,2",
                      "s-000003,1500000300000,1500000600000,1",
                  });
  REQUIRE(oracle.rows() == 3);
  REQUIRE(std::is_sorted(rows.begin(), rows.end()));
}

TEST_CASE("a comparison finds what is missing, wrong and double", "[events]") {
  Comparison comparison({"a,0,1,2", "b,0,1,3"});
  REQUIRE_FALSE(comparison.complete());
  comparison.Add("b,0,1,3");
  comparison.Add("__close__,0,1,1");
  REQUIRE(comparison.MissingSamples() == std::vector<std::string>{"a,0,1,2"});
  comparison.Add("a,0,1,2");
  REQUIRE(comparison.equal(false));
  REQUIRE(comparison.checksum() == comparison.expected_checksum());
  comparison.Add("a,0,1,2");
  REQUIRE_FALSE(comparison.equal(false));
  REQUIRE(comparison.equal(true));
  comparison.Add("a,0,1,9");
  REQUIRE_FALSE(comparison.equal(true));
  REQUIRE(comparison.unexpected_samples() == std::vector<std::string>{"a,0,1,9"});
}

TEST_CASE("publishing to the dev broker: all arrives, and too much is refused beforehand", "[events]") {
  auto started = kafka::MockCluster::Start();
  REQUIRE(started.ok());
  const std::string brokers = (*started)->brokers();
  REQUIRE((*started)->CreateTopic("events-raw", 4).ok());
  PublishOptions options{.brokers = brokers, .generator = Small()};
  REQUIRE(Publish(options).ok());
  const auto offsets = kafka::ListOffsets(brokers, "events-raw");
  REQUIRE(offsets.ok());
  int64_t total = 0;
  for (const auto& [partition, range] : *offsets) total += range.end;
  REQUIRE(total == 5004);
  options.generator.count = 50'000;
  const absl::Status refused = Publish(options);
  REQUIRE(refused.code() == absl::StatusCode::kResourceExhausted);
  REQUIRE_THAT(std::string(refused.message()), Catch::Contains("room for about"));
}

}  // namespace
}  // namespace penstock::events
