// The coordinator's decisions, stepped.
#include <catch2/catch.hpp>
#include <random>

#include "jobmanager/checkpoint/coordinator_scenario.h"

namespace penstock::jobmanager {
namespace {

TEST_CASE("a start without state: sources begin when checkpoint 0 is decided, not before", "[coordinator]") {
  Scenario s;
  s.Start();
  CHECK(s.Triggered() == 0u);
  CHECK(s.effects.Count(Kind::kStartSources) == 0);
  s.Ack(0, 0);
  s.Ack(0, 1);
  REQUIRE(s.effects.decisions.size() == 1);
  CHECK(s.effects.Count(Kind::kCheckpointDecided) == 0);  // acks are no decision: the manifest is
  s.Answer(true);
  CHECK(s.effects.Count(Kind::kCheckpointDecided) == 1);
  CHECK(s.effects.Count(Kind::kStartSources) == 1);
  s.Pass(999);
  CHECK(s.Triggered() == 0u);
  s.Pass(1);
  CHECK(s.Triggered() == 1u);
}

TEST_CASE("a timed-out checkpoint is sealed before the next id is taken, and is no failure of the job",
          "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  s.Pass(1000);
  s.Ack(1, 0);
  s.Pass(5000);
  CHECK(s.effects.Count(Kind::kCheckpointAborted) == 1);
  REQUIRE(s.effects.decisions.size() == 2);
  CHECK(s.effects.decisions[1].kind() == proto::Manifest::TOMBSTONE);
  s.Pass(5000);
  CHECK(s.Triggered() == 1u);  // the tombstone is not durable yet
  s.Ack(1, 1);                 // too late: it is sealed
  CHECK(s.effects.decisions.size() == 2);
  s.Answer(true);
  CHECK(s.Triggered() == 2u);
  CHECK(s.effects.failures.empty());
  CHECK(s.coordinator->history()[1].outcome == CheckpointOutcome::kExpired);
  CHECK(s.coordinator->history()[1].failure.find("v/1") != std::string::npos);
}

TEST_CASE("acks of another id or generation do nothing", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Ack(1, 0);
  s.Ack(0, 0, {}, "other");
  s.Ack(0, 1, {}, "other");
  CHECK(s.effects.decisions.empty());
}

TEST_CASE("an attempt that ends while the manifest is being written learns the outcome before it restarts",
          "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  s.Pass(1000);
  s.Ack(1, 0);
  s.Ack(1, 1);
  s.coordinator->EndAttempt("a task failed");
  CHECK_FALSE(s.coordinator->Settled());
  s.Answer(true);
  CHECK(s.coordinator->Settled());
  s.coordinator->BeginAttempt(2);
  CHECK(s.coordinator->Plan().restore_id() == 1);
  s.coordinator->OnAllRunning({"a", "b"});
  CHECK(s.effects.Count(Kind::kStartSources) == 2);  // a restore needs no checkpoint 0
}

TEST_CASE("a restart begins from the newest decided checkpoint under a new generation", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  const std::string first = s.coordinator->generation();
  s.Pass(1000);
  s.Ack(1, 0);
  s.coordinator->EndAttempt("a task failed");
  s.Answer(true);  // the tombstone of 1
  s.coordinator->BeginAttempt(2);
  CHECK(s.coordinator->generation() != first);
  const proto::CheckpointPlan plan = s.coordinator->Plan();
  CHECK(plan.restore_id() == 0);
  CHECK(plan.restore_generation() == first);
  CHECK(plan.restore_manifest() == "jobs/job/manifests/00000000000000000000");
  // A task runs when its sinks have recovered (protocols.md B6): until all do, nothing may be written behind them.
  const int started = s.effects.Count(Kind::kStartSources);
  s.Pass(1000);
  CHECK(s.effects.Count(Kind::kStartSources) == started);
  s.coordinator->OnAllRunning({"a", "b"});
  CHECK(s.effects.Count(Kind::kStartSources) > started);
  s.Pass(1000);
  CHECK(s.Triggered() == 2u);
}

TEST_CASE("who finds that another has decided its id stops at once", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Ack(0, 0);
  s.Ack(0, 1);
  s.Answer(false);
  REQUIRE(s.effects.failures.size() == 1);
  CHECK(s.effects.Count(Kind::kStartSources) == 0);
  CHECK(s.effects.Count(Kind::kCheckpointDecided) == 0);
}

TEST_CASE("a job that finds checkpoints seals the open id first", "[coordinator]") {
  Scenario s;
  StoredCheckpoints stored;
  stored.next_id = 7;
  stored.checkpoints = {{.point = {.id = 6, .generation = "g", .manifest_name = "m6"}, .files = {"a"}}};
  s.coordinator->Start({stored, stored.checkpoints[0].point});
  CHECK_FALSE(s.coordinator->Settled());
  REQUIRE(s.effects.decisions.size() == 1);
  CHECK(s.effects.decisions[0].kind() == proto::Manifest::TOMBSTONE);
  CHECK(s.effects.decisions[0].checkpoint_id() == 7);
  s.Answer(true);
  CHECK_FALSE(s.coordinator->Settled());  // not before it is seen that nothing is newer
  stored.next_id = 8;
  s.coordinator->OnStorageRead(stored);
  CHECK(s.coordinator->Settled());
}

TEST_CASE("files go when no kept checkpoint needs them, and shared ones stay", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .retained = 2});
  s.Start();
  s.Complete(0, {"base", "seg0"});
  s.Pass(1000);
  s.Complete(1, {"base", "seg1"});
  CHECK(s.effects.deleted.empty());
  s.Pass(1000);
  s.Complete(2, {"base", "seg2"});
  CHECK(s.effects.deleted == std::set<std::string>{"jobs/job/manifests/00000000000000000000", "seg0"});
  // What was handed in for a checkpoint that was given up goes with the next decision, unless the chain needs it.
  s.Pass(1000);
  s.Ack(3, 0, {"base", "seg3", "lost3"});
  s.Pass(600'000);
  s.Answer(true);
  s.Complete(4, {"base", "seg3", "seg4"});
  CHECK(s.effects.deleted.contains("lost3"));
  CHECK_FALSE(s.effects.deleted.contains("seg3"));
  CHECK_FALSE(s.effects.deleted.contains("base"));
}

TEST_CASE("tombstones of what was given up go with the next decision, or at the end", "[coordinator]") {
  const bool finishes = GENERATE(true, false);
  Scenario s;
  s.Start();
  s.Complete(0);
  s.Pass(1000);
  s.Pass(5000);
  s.Answer(true);  // tombstone 1
  const std::string tombstone = ManifestName("jobs/job", 1);
  CHECK_FALSE(s.effects.deleted.contains(tombstone));
  if (finishes) {
    s.coordinator->EndAttempt("finished");
    s.Answer(true);
    s.coordinator->DeleteAll();
    CHECK_FALSE(s.effects.deleted.contains(tombstone));
    s.Answer(true);
    CHECK_FALSE(s.effects.deleted.contains(ManifestName("jobs/job", s.effects.decisions.back().checkpoint_id())));
  } else {
    s.Complete(*s.Triggered());
  }
  CHECK(s.effects.deleted.contains(tombstone));
}

TEST_CASE("a finished job deletes its checkpoints once the used ids are marked", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0, {"f"});
  s.coordinator->EndAttempt("finished");
  s.coordinator->DeleteAll();
  CHECK(s.effects.deleted.empty());
  CHECK(s.effects.decisions.back().kind() == proto::Manifest::TOMBSTONE);
  s.Answer(true);
  CHECK(s.effects.deleted == std::set<std::string>{"jobs/job/manifests/00000000000000000000", "f"});
}

TEST_CASE("a job that finishes while a manifest is being written deletes that checkpoint, too", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0, {"f"});
  s.Pass(1000);
  s.Ack(1, 0, {"g"});
  s.Ack(1, 1, {"g"});
  s.coordinator->EndAttempt("finished");
  s.coordinator->DeleteAll();
  s.Answer(true);  // the manifest of 1
  CHECK_FALSE(s.effects.deleted.contains("jobs/job/manifests/00000000000000000001"));
  CHECK(s.effects.decisions.back().kind() == proto::Manifest::TOMBSTONE);
  s.Answer(true);
  CHECK(s.effects.deleted.contains("jobs/job/manifests/00000000000000000000"));
  CHECK(s.effects.deleted.contains("jobs/job/manifests/00000000000000000001"));
  CHECK(s.effects.deleted.contains("f"));
  CHECK(s.effects.deleted.contains("g"));
}

TEST_CASE("ids go on behind a savepoint of elsewhere, and another job's files are left alone", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .retained = 1});
  s.Start({}, RestorePoint{.id = 41, .generation = "g", .manifest_name = "jobs/other/manifests/41"});
  s.Pass(1000);
  CHECK(s.Triggered() == 42u);
  s.Complete(42, {"jobs/other/data/g/w0-41", "own"});
  s.Pass(1000);
  s.Complete(43);
  CHECK(s.effects.deleted.contains("own"));
  CHECK_FALSE(s.effects.deleted.contains("jobs/other/data/g/w0-41"));
}

TEST_CASE("files that no manifest names go once the open id is sealed, not if somebody else decides it",
          "[coordinator]") {
  const bool won = GENERATE(true, false);
  Scenario s;
  s.coordinator->Start({.stored = {.next_id = 5, .orphans = {"jobs/job/data/g/w0-4"}}});
  s.Answer(won);
  CHECK(s.effects.deleted.empty());
  s.coordinator->OnStorageRead({.next_id = 6, .orphans = {"jobs/job/data/g/w0-4", "jobs/job/data/g/w0-5"}});
  CHECK(s.effects.deleted.contains("g/w0-5") == won);
}

TEST_CASE("tolerable failures are counted in a row", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .timeout_ms = 500, .tolerable_failures = 1});
  s.Start();
  s.Complete(0);
  for (int round = 0; round < 2; ++round) {
    s.Pass(1000);
    s.Pass(500);  // expires
    s.Answer(true);
    CHECK(s.effects.failures.empty());
    s.Pass(1000);
    s.Complete(*s.Triggered());
  }
  s.Pass(1000);
  s.Pass(500);
  s.Answer(true);
  s.Pass(1000);
  s.Pass(500);
  CHECK(s.effects.failures.size() == 1);
}

TEST_CASE("who finds the open id decided reads again and begins from what was decided", "[coordinator]") {
  Scenario s;
  StoredCheckpoints stored;
  stored.next_id = 3;
  stored.checkpoints.push_back({.point = {.id = 2, .generation = "g", .manifest_name = "m2"}});
  s.coordinator->Start({stored, stored.checkpoints[0].point, true});
  s.Answer(false);  // the predecessor's last decision
  CHECK_FALSE(s.coordinator->Settled());
  CHECK(s.effects.reads == 1);
  stored.next_id = 4;
  stored.checkpoints.push_back({.point = {.id = 3, .generation = "g", .manifest_name = "m3"}});
  s.coordinator->OnStorageRead(stored);
  s.Answer(true);  // the next one is sealed in turn
  CHECK_FALSE(s.coordinator->Settled());
  stored.next_id = 5;
  s.coordinator->OnStorageRead(stored);
  REQUIRE(s.coordinator->Settled());
  CHECK(s.coordinator->restore_point()->id == 3);
}

TEST_CASE("who finds a later leader at work seals and begins nothing more", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .leader_epoch = 4});
  s.Start();
  s.Ack(0, 0);
  s.Ack(0, 1);
  s.Answer(false);
  StoredCheckpoints stored;
  stored.next_id = 1;
  stored.newest_cluster_id = "penstock";
  stored.newest_leader_epoch = 5;
  s.coordinator->OnStorageRead(stored);
  CHECK(s.effects.lost == 2);
  CHECK(s.effects.decisions.size() == 1);
  CHECK_FALSE(s.coordinator->Settled());
  stored.newest_cluster_id = "another one, with epochs of its own";
  s.coordinator->OnStorageRead(stored);
  CHECK(s.effects.decisions.size() == 2);
}

TEST_CASE("a seal that was set where a manifest was retired meanwhile does not count", "[coordinator]") {
  Scenario s;
  StoredCheckpoints stored;
  stored.next_id = 3;
  stored.checkpoints.push_back({.point = {.id = 2, .generation = "g", .manifest_name = "m2"}});
  s.coordinator->Start({stored, stored.checkpoints[0].point, true});
  s.Answer(true);  // 3 was decided and retired before: its name was free
  stored.next_id = 8;
  stored.checkpoints = {{.point = {.id = 7, .generation = "g", .manifest_name = "m7"}}};
  s.coordinator->OnStorageRead(stored);
  CHECK_FALSE(s.coordinator->Settled());
  REQUIRE(s.effects.decisions.size() == 2);
  CHECK(s.effects.decisions[1].checkpoint_id() == 8);
  s.Answer(true);
  stored.next_id = 9;
  s.coordinator->OnStorageRead(stored);
  REQUIRE(s.coordinator->Settled());
  CHECK(s.coordinator->restore_point()->id == 7);
}

// An attempt that began and could not read what it was to begin from.
AfterDamage Damaged(Scenario& s, bool may_repeat_output) {
  s.coordinator->EndAttempt("damaged");
  const AfterDamage after = s.coordinator->OnCheckpointDamaged(may_repeat_output);
  s.coordinator->BeginAttempt(++s.attempt);
  return after;
}

TEST_CASE("a checkpoint that cannot be read is tried once more, then the one before is, then none", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .retained = 2});
  s.Start();
  s.Complete(0, {"zero"});
  s.Pass(1000);
  s.Complete(1, {"one"});
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(++s.attempt);
  CHECK(Damaged(s, true) == AfterDamage::kSameAgain);
  CHECK(s.coordinator->Plan().restore_id() == 1);
  CHECK(Damaged(s, true) == AfterDamage::kOlder);
  CHECK(s.coordinator->Plan().restore_id() == 0);
  CHECK(s.coordinator->Plan().allow_duplicates());
  CHECK(Damaged(s, true) == AfterDamage::kSameAgain);
  CHECK(Damaged(s, true) == AfterDamage::kNothingLeft);
}

TEST_CASE("a damaged checkpoint is kept until a newer one is decided, and counts for nothing", "[coordinator]") {
  Scenario s({.storage = "s", .interval_ms = 1000, .retained = 2});
  s.Start();
  s.Complete(0, {"zero"});
  s.Pass(1000);
  s.Complete(1, {"one"});
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(++s.attempt);
  REQUIRE(Damaged(s, true) == AfterDamage::kSameAgain);
  REQUIRE(Damaged(s, true) == AfterDamage::kOlder);
  CHECK(s.effects.deleted.empty());
  s.coordinator->OnAllRunning({"a", "b"});
  s.Pass(1000);
  REQUIRE(s.Triggered() == 2u);
  s.Complete(2, {"zero", "two"});
  CHECK(s.effects.deleted == std::set<std::string>{"jobs/job/manifests/00000000000000000001", "one"});
}

TEST_CASE("where an older checkpoint would repeat output, a damaged one is the end", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  s.Pass(1000);
  s.Complete(1);
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(++s.attempt);
  CHECK(Damaged(s, false) == AfterDamage::kSameAgain);
  CHECK(Damaged(s, false) == AfterDamage::kNothingLeft);
  CHECK(s.coordinator->Plan().restore_id() == 1);
}

TEST_CASE("an attempt that ran in between forgives the checkpoint it began from", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(++s.attempt);
  CHECK(Damaged(s, false) == AfterDamage::kSameAgain);
  s.coordinator->OnAllRunning({"a", "b"});
  CHECK(Damaged(s, false) == AfterDamage::kSameAgain);
}

// Random acks, failures, timeouts and answers: ids are never reused, decisions never overlap, and the restore point is
// always the newest manifest that storage has taken.
TEST_CASE("whatever happens, ids grow and the restore point is the newest decision", "[coordinator]") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Scenario s({.storage = "s", .interval_ms = 100, .timeout_ms = 400});
    s.Start();
    std::optional<uint64_t> newest;
    std::set<uint64_t> triggered;
    size_t looked_at = 0;
    for (int step = 0; step < 500; ++step) {
      switch (random() % 6) {
        case 0:
        case 1:
          if (s.Triggered()) s.Ack(*s.Triggered(), static_cast<int>(random() % 2));
          break;
        case 2:
          if (s.answered < s.effects.decisions.size()) {
            const proto::Manifest& open = s.effects.decisions[s.answered];
            if (open.kind() != proto::Manifest::TOMBSTONE) newest = open.checkpoint_id();
            s.Answer(true);
          }
          break;
        case 3:
          s.Pass(random() % 200);
          break;
        case 4:
          if (random() % 4 == 0) s.coordinator->EndAttempt("failure");
          break;
        case 5:
          if (s.coordinator->Settled() && random() % 3 == 0) {
            s.coordinator->EndAttempt("failure");
            if (!s.coordinator->Settled()) break;
            s.coordinator->BeginAttempt(++s.attempt);
            CHECK(s.coordinator->Plan().restore_manifest().empty() == !newest.has_value());
            if (newest) CHECK(s.coordinator->Plan().restore_id() == *newest);
            s.coordinator->OnAllRunning({"a", "b"});
          }
          break;
      }
      CHECK(s.effects.decisions.size() - s.answered <= 1);
      for (; looked_at < s.effects.sent.size(); ++looked_at) {
        if (!s.effects.sent[looked_at].has_trigger_checkpoint()) continue;
        const uint64_t id = s.effects.sent[looked_at].trigger_checkpoint().checkpoint().id();
        CHECK(triggered.insert(id).second);
        CHECK(id == *triggered.rbegin());
      }
    }
    CHECK(s.effects.failures.empty());
  }
}

}  // namespace
}  // namespace penstock::jobmanager
