// Blocking calls of a sink go on beside its task (protocols.md D4).
#include "runtime/task/committer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/task/mailbox.h"

namespace penstock {
namespace {

TEST_CASE("a call runs on another thread, and wakes the task that meanwhile does other things", "[task]") {
  const auto mailbox = std::make_shared<Mailbox>(Clock::System());
  Committer committer(Clock::System(), mailbox);
  std::atomic<bool> answered = false;
  std::thread::id thread;
  committer.Start([&] {
    thread = std::this_thread::get_id();
    while (!answered) std::this_thread::yield();
    return absl::UnavailableError("no");
  });
  REQUIRE_FALSE(committer.Take().has_value());  // it returns at once, though the call does not
  answered = true;
  std::optional<absl::Status> outcome;
  REQUIRE(mailbox->WaitUntil(WaitKind::kOutput, "the call", [&] { return (outcome = committer.Take()).has_value(); }));
  REQUIRE(outcome->message() == "no");
  REQUIRE(thread != std::this_thread::get_id());
  REQUIRE_FALSE(committer.Take().has_value());  // once
}

TEST_CASE("an interrupt ends the call under way, and the next one runs", "[task]") {
  const auto mailbox = std::make_shared<Mailbox>(Clock::System());
  Committer committer(Clock::System(), mailbox);
  committer.Start([&] {
    while (!committer.stopping()) std::this_thread::yield();
    return absl::OkStatus();
  });
  committer.Interrupt();
  REQUIRE_FALSE(committer.Take().has_value());
  committer.Start([] { return absl::OkStatus(); });
  std::optional<absl::Status> outcome;
  REQUIRE(mailbox->WaitUntil(WaitKind::kOutput, "the call", [&] { return (outcome = committer.Take()).has_value(); }));
  REQUIRE(outcome->ok());
}

TEST_CASE("what is to be done last comes behind the call under way", "[task]") {
  const auto mailbox = std::make_shared<Mailbox>(Clock::System());
  std::vector<int> order;
  Committer committer(Clock::System(), mailbox);
  std::atomic<bool> answered = false;
  committer.Start([&] {
    while (!answered) std::this_thread::yield();
    order.push_back(1);
    return absl::OkStatus();
  });
  std::thread broker([&] { answered = true; });
  committer.Stop([&] { order.push_back(2); });
  broker.join();
  REQUIRE(order == std::vector<int>{1, 2});
}

}  // namespace
}  // namespace penstock
