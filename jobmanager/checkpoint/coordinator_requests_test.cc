// Checkpoints that somebody asks for, and what becomes of them.
#include <catch2/catch.hpp>

#include "jobmanager/checkpoint/coordinator_scenario.h"

namespace penstock::jobmanager {
namespace {

RequestRecord RecordOf(const Scenario& s, uint64_t number) {
  for (const RequestRecord& asked : s.coordinator->requests()) {
    if (asked.request.number == number) return asked;
  }
  return RequestRecord();
}

std::string Manifest(uint64_t id) { return ManifestName("jobs/job", id); }

TEST_CASE("savepoints are taken when asked for, kept, and may end the job", "[coordinator]") {
  Scenario s({.storage = "s", .retained = 1});
  s.Start();
  CHECK_FALSE(s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT}).ok());  // no records flow yet
  s.Complete(0);
  s.Pass(100'000);
  CHECK(s.Triggered() == 0u);  // no interval: only when asked
  const auto first = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT});
  REQUIRE(first.ok());
  CHECK(s.Triggered() == 1u);
  s.Complete(1, {"save"});
  REQUIRE(
      s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT, .ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  CHECK_FALSE(s.coordinator->Request({}).ok());
  s.Complete(2, {"end"});
  CHECK(s.effects.stops == 1);
  CHECK_FALSE(s.effects.deleted.contains("save"));
  s.coordinator->EndAttempt("finished");
  s.coordinator->DeleteAll();
  s.Answer(true);
  CHECK_FALSE(s.effects.deleted.contains("end"));
  CHECK_FALSE(s.effects.deleted.contains("save"));
}

TEST_CASE("a stop whose checkpoint fails fails the attempt, so that its sources go on", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  REQUIRE(s.coordinator->Request({.ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  s.Pass(5000);
  REQUIRE(s.effects.failures.size() == 1);
}

TEST_CASE("behind the checkpoint that ends the job none is taken", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  REQUIRE(s.coordinator->Request({.ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  s.Complete(1);
  CHECK(s.effects.stops == 1);
  s.coordinator->OnTaskFinished();
  s.Pass(10'000);
  CHECK(s.Triggered() == 1u);  // a later one would hold sources that have ended
  CHECK_FALSE(s.coordinator->Request({}).ok());
  s.coordinator->EndAttempt("rescaled");
  s.coordinator->BeginAttempt(2);
  s.coordinator->OnAllRunning({"a", "b"});
  s.Pass(1'000);
  CHECK(s.Triggered() == 2u);
}

TEST_CASE("what becomes of a request can be read: waiting, decided, copied, failed", "[coordinator]") {
  Scenario s({.storage = "file:///s", .retained = 1});
  s.Start();
  s.Complete(0);
  const auto first = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT, .directory = "file:///to"});
  const auto second = s.coordinator->Request({});
  REQUIRE((first.ok() && second.ok()));
  const auto record = [&](uint64_t number) { return RecordOf(s, number); };
  CHECK(record(*first).triggered);
  CHECK_FALSE(record(*second).triggered);
  s.Complete(1, {"saved"});
  CHECK(record(*first).decided);
  CHECK(s.effects.copies.empty());  // its sinks have not committed yet
  s.Commit("a", 1);
  s.Commit("b", 1);
  REQUIRE(s.effects.copies.size() == 1);
  CHECK(s.effects.copies[0].point.id == 1);
  CHECK(s.effects.copies[0].directory == "file:///to");
  CHECK(s.coordinator->busy());
  CHECK(record(*first).decided);
  CHECK(record(*first).outcome == CheckpointOutcome::kInProgress);
  s.coordinator->OnCopyProgress(*first, 10, 40);
  CHECK(record(*first).copy_bytes == 40);
  // While it is copied its files stay, however many checkpoints follow.
  s.Complete(2);
  s.coordinator->Request({}).IgnoreError();
  s.Complete(3);
  CHECK_FALSE(s.effects.deleted.contains("saved"));
  s.coordinator->OnCopied(*first, std::string("file:///to/savepoint"));
  CHECK(record(*first).location == "file:///to/savepoint");
  CHECK(record(*second).location == "file:///s/jobs/job/manifests/00000000000000000002");
  s.coordinator->Request({}).IgnoreError();
  s.Complete(4);
  CHECK(s.effects.deleted.contains("saved"));

  const auto failing = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT, .directory = "/full"});
  const auto waiting = s.coordinator->Request({});
  s.Complete(5);
  s.Commit("a", 5);
  s.Commit("b", 5);
  s.coordinator->OnCopied(*failing, absl::ResourceExhaustedError("no space left"));
  CHECK(record(*failing).outcome == CheckpointOutcome::kAborted);
  CHECK(record(*failing).failure.find("no space left; it can be restored from file:///s/jobs/job/manifests/") !=
        std::string::npos);
  s.coordinator->EndAttempt("a worker died");
  CHECK(record(*waiting).failure == "a worker died");
}

TEST_CASE("a savepoint is complete once all sinks have committed it, and that is on record", "[coordinator]") {
  Scenario s({.storage = "file:///s"});
  s.Start();
  s.Complete(0);
  const auto number = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT});
  REQUIRE(number.ok());
  s.Complete(1);
  CHECK(s.effects.records.empty());
  s.Commit("a", 1);
  s.Commit("a", 1);
  s.Commit("b", 0);
  CHECK(s.effects.records.empty());
  CHECK(RecordOf(s, *number).outcome == CheckpointOutcome::kInProgress);
  s.Commit("b", 1);
  REQUIRE(s.effects.records.size() == 1);
  CHECK(s.effects.records[0].name == Manifest(1) + ".committed");
  CHECK(CheckCommitRecord(s.effects.records[0].bytes, "test", s.effects.decisions.back()).ok());
  CHECK(s.coordinator->busy());
  CHECK(RecordOf(s, *number).outcome == CheckpointOutcome::kInProgress);
  s.coordinator->OnCommitsRecorded(*number);
  CHECK_FALSE(s.coordinator->busy());
  CHECK(RecordOf(s, *number).outcome == CheckpointOutcome::kCompleted);
  CHECK(RecordOf(s, *number).location == "file:///s/" + Manifest(1));
}

TEST_CASE("commits that were cut short are done when the next attempt runs", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  const auto number = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT});
  REQUIRE(number.ok());
  s.Complete(1);
  s.Commit("a", 1);
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(2);
  CHECK(s.coordinator->Plan().restore_id() == 1);
  CHECK_FALSE(s.coordinator->Plan().restore_committed());
  CHECK(s.effects.records.empty());
  s.coordinator->OnAllRunning({"a", "b"});
  REQUIRE(s.effects.records.size() == 1);
  CHECK(s.effects.records[0].name == Manifest(1) + ".committed");
}

TEST_CASE("a job that ends before its sinks have committed says what the savepoint is worth", "[coordinator]") {
  Scenario s({.storage = "file:///s"});
  s.Start();
  s.Complete(0);
  const auto number = s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT});
  REQUIRE(number.ok());
  s.Complete(1);
  s.coordinator->EndAttempt("cancelled");
  s.coordinator->OnJobEnded();
  CHECK(RecordOf(s, *number).outcome == CheckpointOutcome::kAborted);
  CHECK(RecordOf(s, *number).failure ==
        "the savepoint was taken, but the job ended before its sinks had committed all that it covers; under the same "
        "uid it can be restored from file:///s/" +
            Manifest(1));
}

TEST_CASE("a worker that dies while a job stops does not make it run on", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  const auto number =
      s.coordinator->Request({.kind = proto::Manifest::SAVEPOINT, .ending = proto::TriggerCheckpoint::SUSPEND});
  REQUIRE(number.ok());
  s.Complete(1);
  CHECK(s.effects.decisions.back().ends_job());
  s.coordinator->EndAttempt("a worker died");
  s.coordinator->BeginAttempt(2);
  const int started = s.effects.Count(Kind::kStartSources);
  s.coordinator->OnAllRunning({"a", "b"});
  CHECK(s.effects.already_stopped == 1);
  CHECK(s.effects.Count(Kind::kStartSources) == started);
  CHECK(s.effects.records.size() == 1);
  s.Pass(100'000);
  CHECK(s.Triggered() == 1u);
}

TEST_CASE("a job that begins from the savepoint another was stopped with runs", "[coordinator]") {
  Scenario s;
  s.Start({}, RestorePoint{.id = 4, .generation = "g", .manifest_name = Manifest(4), .is_savepoint = true});
  CHECK(s.effects.already_stopped == 0);
  CHECK(s.effects.Count(Kind::kStartSources) == 1);
}

TEST_CASE("a checkpoint that ends an attempt for a rescale does not end the job", "[coordinator]") {
  Scenario s;
  s.Start();
  s.Complete(0);
  REQUIRE(s.coordinator->Request({.ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  s.Complete(1);
  s.coordinator->EndAttempt("rescaled");
  s.coordinator->BeginAttempt(2);
  s.coordinator->OnAllRunning({"a", "b"});
  CHECK(s.effects.already_stopped == 0);
}

}  // namespace
}  // namespace penstock::jobmanager
