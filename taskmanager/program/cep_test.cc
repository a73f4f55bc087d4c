#include <penstock/cep.h>
#include <penstock/testing.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "catch2/catch.hpp"

namespace penstock::testing {
namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

struct Login {
  std::string user;
  bool ok = false;
  int from = 0;  // where from
};

std::string UserOf(const Login& login) { return login.user; }
bool Failed(const Login& login) { return !login.ok; }

// "failed 1 2 3, in 4": what each stage has taken.
std::string TextOf(const Match<Login>& match) {
  std::string text = match.first("failed").user + ":";
  for (const Login& login : match.all("failed")) text += " " + std::to_string(login.from);
  if (match.has("in")) text += " in " + std::to_string(match.first("in").from);
  return text;
}

Pattern<Login> Guessing() {
  return Pattern<Login>::begin("failed", Failed)
      .times(2)
      .consecutive()
      .next("in", &Login::ok)
      .within(milliseconds(100));
}

TEST_CASE("Events are matched in the order of their times, whatever order they come in", "[cep]") {
  Harness<Login> harness;
  auto guessed = harness.input().key_by(UserOf).match(Guessing()).select<std::string>("guessed", TextOf);
  auto out = harness.output(guessed);
  auto late = harness.output(guessed.side_output<Login>("late"));
  harness.push({"ann", true, 4}, 40);
  harness.push({"ann", false, 3}, 30);
  harness.push({"bob", false, 7}, 20);
  harness.push({"ann", false, 2}, 20);
  harness.push({"bob", true, 8}, 50);
  harness.push({"ann", false, 1}, 10);
  CHECK(out.values().empty());
  harness.watermark(39);
  CHECK(out.values().empty());
  harness.push({"ann", false, 9}, 39);
  CHECK(late.values().size() == 1);
  CHECK(harness.late_records() == 1);
  harness.watermark(60);
  CHECK(out.values() == Texts{"ann: 2 3 in 4"});
  CHECK(out.records()[0].timestamp == 40);
  harness.finish();
  CHECK(harness.failure().ok());
}

TEST_CASE("What has run out of time is a side output", "[cep]") {
  Harness<Login> harness;
  auto guessed =
      harness.input().key_by(UserOf).match(Guessing()).select<std::string, std::string>("guessed", TextOf, TextOf);
  auto out = harness.output(guessed);
  auto timed_out = harness.output(guessed.side_output<std::string>("timed_out"));
  harness.push({"ann", false, 1}, 10);
  harness.push({"ann", false, 2}, 20);
  harness.watermark(109);
  CHECK(timed_out.values().empty());
  harness.watermark(110);  // 100 ms after the first: too late for it, not yet for the second
  CHECK(timed_out.values() == Texts{"ann: 1 2"});
  CHECK(timed_out.records()[0].timestamp == 110);
  harness.push({"ann", false, 3}, 111);
  harness.push({"ann", true, 4}, 119);
  harness.watermark(119);
  CHECK(out.values() == Texts{"ann: 2 3 in 4"});
  harness.watermark(300);
  CHECK(timed_out.values() == Texts{"ann: 1 2"});
  CHECK(harness.event_time_timers("guessed") == 0);
  CHECK_FALSE(harness.state<cep::MatchState>("guessed", std::string("ann"), "matches").ok());  // nothing is kept
}

TEST_CASE("A condition sees what the match has taken so far", "[cep]") {
  Harness<Login> harness;
  const auto elsewhere = [](const Login& login, const Match<Login>& so_far) {
    return login.ok && login.from != so_far.last("failed").from;
  };
  auto out = harness.output(harness.input()
                                .key_by(UserOf)
                                .match(Pattern<Login>::begin("failed", Failed).followed_by("in", elsewhere))
                                .select<std::string>("elsewhere", TextOf));
  harness.push({"ann", false, 1}, 1);
  harness.push({"ann", true, 1}, 2);
  harness.push({"ann", true, 2}, 3);
  harness.watermark(3);
  CHECK(out.values() == Texts{"ann: 1 in 2"});
}

TEST_CASE("By processing time events count as they come", "[cep]") {
  Harness<Login> harness({.now_ms = 1000});
  auto guessed = harness.input()
                     .key_by(UserOf)
                     .match(Guessing())
                     .in_processing_time()
                     .select<std::string, std::string>("guessed", TextOf, TextOf);
  auto out = harness.output(guessed);
  auto timed_out = harness.output(guessed.side_output<std::string>("timed_out"));
  harness.push({"ann", false, 1});
  harness.push({"ann", false, 2});
  harness.push({"ann", true, 3});
  CHECK(out.values() == Texts{"ann: 1 2 in 3"});
  CHECK(out.records()[0].timestamp == 1000);
  harness.push({"bob", false, 4});
  harness.advance(milliseconds(99));
  CHECK(timed_out.values().empty());
  harness.advance(milliseconds(1));
  CHECK(timed_out.values() == Texts{"bob: 4"});
  CHECK(harness.processing_time_timers("guessed") == 0);
}

TEST_CASE("Nothing came within the time: a match at its end", "[cep]") {
  Harness<Login> harness;
  auto locked = harness.input()
                    .key_by(UserOf)
                    .match(Pattern<Login>::begin("failed", Failed)
                               .times(2)
                               .not_followed_by("in", &Login::ok)
                               .within(milliseconds(50))
                               .after_match(AfterMatch::skip_past_last_event()))
                    .select<std::string>("locked", TextOf);
  auto out = harness.output(locked);
  harness.push({"ann", false, 1}, 10);
  harness.push({"ann", false, 2}, 20);
  harness.push({"bob", false, 3}, 20);
  harness.push({"bob", false, 4}, 30);
  harness.push({"bob", true, 5}, 40);
  harness.watermark(59);
  CHECK(out.values().empty());
  harness.watermark(60);
  CHECK(out.values() == Texts{"ann: 1 2"});
  CHECK(out.records()[0].timestamp == 60);
  harness.finish();
  CHECK(out.values().size() == 1);
}

TEST_CASE("A function may collect, see its key, and be several per match", "[cep]") {
  Harness<Login> harness;
  auto out =
      harness.output(harness.input()
                         .key_by(UserOf)
                         .match(Guessing())
                         .select<std::string>("each", [](const Match<Login>& match, KeyedContext<std::string>& context,
                                                         Collector<std::string>& collector) {
                           for (const Login& login : match.all("failed")) {
                             collector.emit(context.key() + std::to_string(login.from));
                           }
                         }));
  harness.push({"ann", false, 1}, 1);
  harness.push({"ann", false, 2}, 2);
  harness.push({"ann", true, 3}, 3);
  harness.watermark(3);
  CHECK(out.values() == Texts{"ann1", "ann2"});
}

TEST_CASE("What makes no sense is refused when the graph is built", "[cep]") {
  Harness<Login> harness;
  harness.input()
      .key_by(UserOf)
      .match(Pattern<Login>::begin("failed", Failed).greedy().not_followed_by("in", &Login::ok).within(milliseconds(0)))
      .select<std::string>("wrong", TextOf);
  const std::string error = std::string(harness.open().message());
  CHECK_THAT(error, Catch::Contains("pattern 'wrong': stage 'failed': greedy needs"));
  CHECK_THAT(error, Catch::Contains("within must be above 0 ms"));
}

TEST_CASE("Errors while it runs say what to do", "[cep]") {
  Harness<Login> harness;
  auto stream = harness.input().key_by(UserOf);
  SECTION("more partial matches than allowed") {
    harness.output(stream
                       .match(Pattern<Login>::begin("failed", Failed)
                                  .one_or_more()
                                  .allow_combinations()
                                  .next("in", &Login::ok)
                                  .limit_partial_matches(100))
                       .select<std::string>("many", TextOf));
    for (int i = 0; i < 10; ++i) harness.push({"ann", false, i}, i);
    CHECK_THROWS_WITH(harness.watermark(100), Catch::Contains("more than 100 partial matches of pattern") &&
                                                  Catch::Contains("failed{1,} in combinations next in") &&
                                                  Catch::Contains("within(...)"));
  }
  SECTION("no timestamp") {
    harness.output(stream.match(Guessing()).select<std::string>("timeless", TextOf));
    CHECK_THROWS_WITH(harness.push({"ann", false, 1}), Catch::Contains("put .watermarks(...) before key_by"));
  }
  SECTION("a stage that is none") {
    harness.output(stream.match(Guessing()).select<std::string>("misspelt", [](const Match<Login>& match) {
      return match.first("out").user;
    }));
    harness.push({"ann", false, 1}, 1);
    harness.push({"ann", false, 2}, 2);
    harness.push({"ann", true, 3}, 3);
    CHECK_THROWS_WITH(harness.watermark(3), Catch::Contains("no stage 'out'") && Catch::Contains("it has failed, in"));
  }
}

// A whole job at parallelism 2: what comes out is what a plain look at each user's events finds.
TEST_CASE("A job finds what each key's events hold", "[cep][job]") {
  constexpr int kUsers = 50;
  constexpr int kEvents = 20'000;
  std::vector<Login> logins;
  std::map<std::string, std::vector<Login>> by_user;
  uint64_t state = 7;
  for (int i = 0; i < kEvents; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    logins.push_back({"user " + std::to_string((state >> 33) % kUsers), (state >> 50) % 3 == 0, i});
    by_user[logins.back().user].push_back(logins.back());
  }
  std::multiset<std::string> expected;
  for (const auto& [user, events] : by_user) {
    for (size_t i = 0; i + 2 < events.size(); ++i) {
      if (events[i].ok || events[i + 1].ok || !events[i + 2].ok || events[i + 2].from - events[i].from >= 100) continue;
      expected.insert(user + ": " + std::to_string(events[i].from) + " " + std::to_string(events[i + 1].from) + " in " +
                      std::to_string(events[i + 2].from));
    }
  }
  REQUIRE(expected.size() > 100);
  collect::Results<std::string> results;
  const absl::Status status = RunJob(
      [&](Environment& env, const Args&) {
        env.source("logins", collection::Source<Login>{logins})
            .watermarks(monotonous<Login>([](const Login& login) { return int64_t{login.from}; }))
            .key_by(UserOf)
            .match(Guessing())
            .select<std::string>("guessed", TextOf)
            .sink("out", collect::Sink<std::string>{results});
      },
      {.parallelism = 2});
  REQUIRE(status.ok());
  const std::vector<std::string> found = results.values();
  CHECK(std::multiset<std::string>(found.begin(), found.end()) == expected);
}

}  // namespace
}  // namespace penstock::testing
