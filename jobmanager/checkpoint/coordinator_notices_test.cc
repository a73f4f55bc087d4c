// What workers are told of decisions, again and again.
#include <catch2/catch.hpp>

#include "jobmanager/checkpoint/coordinator_scenario.h"

namespace penstock::jobmanager {
namespace {

proto::DecisionAcked Acked(const Scenario& s, uint64_t id) {
  proto::DecisionAcked acked;
  acked.mutable_checkpoint()->set_id(id);
  acked.mutable_checkpoint()->set_generation(s.coordinator->generation());
  return acked;
}

TEST_CASE("a decision is told again until every worker has committed it", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 60'000, .timeout_ms = 5'000});
  s.Start();
  s.Complete(0);
  CHECK(s.effects.Count(Kind::kCheckpointDecided) == 1);
  s.Pass(kNoticeRepeatMs - 1);
  CHECK(s.effects.sent_to.empty());
  s.coordinator->OnDecisionAcked("a", Acked(s, 0));
  s.coordinator->OnDecisionAcked("stranger", Acked(s, 0));
  s.Pass(1);
  CHECK(s.effects.sent_to["a"].empty());
  REQUIRE(s.effects.sent_to["b"].size() == 1);
  CHECK(s.effects.sent_to["b"][0].checkpoint_decided().checkpoint().id() == 0);
  proto::DecisionAcked old = Acked(s, 0);
  old.mutable_checkpoint()->set_generation("of an attempt before");
  s.coordinator->OnDecisionAcked("b", old);
  s.Pass(kNoticeRepeatMs);
  CHECK(s.effects.sent_to["b"].size() == 2);
  s.coordinator->OnDecisionAcked("b", Acked(s, 0));
  s.coordinator->OnDecisionAcked("b", Acked(s, 0));  // repeated
  s.Pass(10 * kNoticeRepeatMs);
  CHECK(s.effects.sent_to["b"].size() == 2);
}

TEST_CASE("a sink that asks is told the outcome, once there is one", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1'000, .timeout_ms = 400});
  s.Start();
  s.Complete(0);
  s.Pass(1'000);
  const auto ask = [&](uint64_t id) {
    proto::OutcomeAsked asked;
    asked.mutable_checkpoint()->set_id(id);
    asked.mutable_checkpoint()->set_generation(s.coordinator->generation());
    s.effects.sent_to.clear();
    s.coordinator->OnOutcomeAsked("a", asked);
    return s.effects.sent_to["a"];
  };
  CHECK(ask(1).empty());  // in flight
  s.Ack(1, 0);
  s.Ack(1, 1);
  CHECK(ask(1).empty());  // storage has not answered
  s.Answer(true);
  REQUIRE(ask(1).size() == 1);
  CHECK(ask(1)[0].checkpoint_decided().checkpoint().id() == 1);
  CHECK(ask(0)[0].checkpoint_decided().checkpoint().id() == 1);  // it covers the ones before
  s.Pass(1'000);
  s.Pass(400);
  REQUIRE(s.Triggered() == 2u);
  REQUIRE(ask(2).size() == 1);  // given up, though its tombstone is not durable yet
  CHECK(ask(2)[0].checkpoint_aborted().checkpoint().id() == 2);
  s.Answer(true);
  CHECK(ask(2)[0].has_checkpoint_aborted());
  CHECK(ask(4).empty());  // of the future
}

TEST_CASE("an abort is told again, but not for ever", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 100'000, .timeout_ms = 400});
  s.Start();
  s.Complete(0);
  s.Pass(100'000);
  s.Pass(400);
  for (int i = 0; i < 20; ++i) s.Pass(kNoticeRepeatMs);
  CHECK(s.effects.Count(Kind::kCheckpointAborted) == 1 + kAbortRepeatsMax);
}

TEST_CASE("a worker that was away hears what it may have missed", "[coordinator]") {
  Scenario s;
  s.Start();
  s.coordinator->OnWorkerBack("a");
  REQUIRE(s.effects.sent_to["a"].size() == 1);
  CHECK(s.effects.sent_to["a"][0].trigger_checkpoint().checkpoint().id() == 0);
  s.Complete(0);
  s.effects.sent_to.clear();
  s.coordinator->OnWorkerBack("a");
  REQUIRE(s.effects.sent_to["a"].size() == 2);
  CHECK(s.effects.sent_to["a"][0].has_checkpoint_decided());
  CHECK(s.effects.sent_to["a"][1].has_start_sources());
}

}  // namespace
}  // namespace penstock::jobmanager
