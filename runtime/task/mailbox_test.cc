// The one primitive that tasks wait with: which mail runs when (protocols.md D1, D2).
#include "runtime/task/mailbox.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core/clock.h"

namespace penstock {
namespace {

// The task's thread is the test's; this is another.
class Outside {
 public:
  explicit Outside(std::function<void()> work) : thread_(std::move(work)) {}
  ~Outside() { thread_.join(); }

 private:
  std::thread thread_;
};

void AwaitAsleep(const Mailbox& mailbox) {
  while (mailbox.WaitingFor().empty()) std::this_thread::yield();
}

TEST_CASE("anytime mail runs inside every wait, mail for between records in none", "[task]") {
  const WaitKind kind = GENERATE(WaitKind::kInput, WaitKind::kOutput);
  Mailbox mailbox(Clock::System());
  std::vector<std::string> ran;
  std::atomic<bool> room = false;
  const Outside outside([&] {
    AwaitAsleep(mailbox);
    mailbox.PostBetweenRecords([&] { ran.emplace_back("trigger"); });
    mailbox.PostAnytime([&] {
      ran.emplace_back("notice");
      room = true;
    });
  });
  // Without input there is no record under way: a wait for input ends for mail of either class.
  REQUIRE(mailbox.WaitUntil(kind, "room", [&] { return room.load(); }));
  if (kind == WaitKind::kOutput) REQUIRE(ran == std::vector<std::string>{"notice"});
  REQUIRE(std::count(ran.begin(), ran.end(), "trigger") == 0);
  while (ran.size() < 2) mailbox.RunBetweenRecords();
  REQUIRE(std::count(ran.begin(), ran.end(), "trigger") == 1);
}

TEST_CASE("a wait for input ends for between-records mail, without its condition", "[task]") {
  Mailbox mailbox(Clock::System());
  const Outside outside([&] {
    AwaitAsleep(mailbox);
    mailbox.PostBetweenRecords([] {});
  });
  REQUIRE(mailbox.WaitUntil(WaitKind::kInput, "input", [] { return false; }));
  REQUIRE(mailbox.has_between_records());
}

TEST_CASE("a busy task that never waits runs both classes at the top of its loop", "[task]") {
  Mailbox mailbox(Clock::System());
  std::vector<std::string> ran;
  REQUIRE(mailbox.PostBetweenRecords([&] { ran.emplace_back("trigger"); }));
  REQUIRE(mailbox.PostAnytime([&] { ran.emplace_back("notice"); }));
  mailbox.RunBetweenRecords();
  REQUIRE(ran == std::vector<std::string>{"notice", "trigger"});
}

TEST_CASE("mail is run in the order it was posted, and what mail posts comes after it", "[task]") {
  Mailbox mailbox(Clock::System());
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(mailbox.PostBetweenRecords([&, i] {
      ran.push_back(i);
      if (i == 0) REQUIRE(mailbox.PostBetweenRecords([&] { ran.push_back(3); }));
    }));
  }
  mailbox.RunBetweenRecords();
  REQUIRE(ran == std::vector<int>{0, 1, 2});
  mailbox.RunBetweenRecords();
  REQUIRE(ran == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a cancel ends the wait under way and all that follow", "[task]") {
  Mailbox mailbox(Clock::System());
  const Outside outside([&] {
    AwaitAsleep(mailbox);
    mailbox.Cancel();
  });
  REQUIRE_FALSE(mailbox.WaitUntil(WaitKind::kOutput, "credit", [] { return false; }));
  REQUIRE_FALSE(mailbox.WaitUntil(WaitKind::kOutput, "credit", [] { return true; }));
  REQUIRE(mailbox.WaitingFor().empty());
}

TEST_CASE("no wake is lost between a look at the condition and the sleep", "[task]") {
  Mailbox mailbox(Clock::System());
  std::atomic<int> credit = 0;
  constexpr int kRounds = 20'000;
  const Outside outside([&] {
    for (int i = 0; i < kRounds; ++i) {
      ++credit;
      mailbox.Wake();
    }
  });
  for (int used = 0; used < kRounds; ++used) {
    REQUIRE(mailbox.WaitUntil(WaitKind::kOutput, "credit", [&] { return credit.load() > used; }));
  }
}

TEST_CASE("mail is bounded, and the poster learns it", "[task]") {
  Mailbox mailbox(Clock::System());
  for (size_t i = 0; i < kMailboxMax; ++i) REQUIRE(mailbox.PostBetweenRecords([] {}));
  REQUIRE_FALSE(mailbox.PostBetweenRecords([] {}));
  REQUIRE(mailbox.PostAnytime([] {}));  // each class has its own bound
  mailbox.RunBetweenRecords();
  REQUIRE(mailbox.PostBetweenRecords([] {}));
}

}  // namespace
}  // namespace penstock
