// The exactly-once sink against a broker that aborts, refuses, forgets and goes away.
#include "connectors/kafka/exactly_once/test_job.h"

namespace penstock::kafka {
namespace {

// Point 13. The broker looks for transactions that have timed out every 10 s (transaction.abort.timed.out...).
TEST_CASE("a transaction that the broker has aborted is written again", "[kafka][exactly-once]") {
  const bool job_is_down = GENERATE(false, true);
  Job job("timed-out", {{"transaction.timeout.ms", "1000"}});
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  if (job_is_down) job.Die();
  AwaitStable(job.sink().topic);
  if (!job_is_down) {
    job.Decide(*checkpoint);
    REQUIRE(job.AwaitCommit().code() == absl::StatusCode::kAborted);
  }
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

TEST_CASE("a delivery that fails fails the checkpoint with its cause", "[kafka][exactly-once]") {
  Job job("too-large");
  REQUIRE_OK(job.Start(1));
  const std::string large(3 << 20, 'x');
  REQUIRE_OK(job.writer(0).Send({.value = std::string_view(large).substr(0, 100)}));
  const absl::Status sent = job.writer(0).Send({.value = large});
  const absl::Status prepared = job.Prepare().status();
  REQUIRE_FALSE((sent.ok() && prepared.ok()));
  REQUIRE_THAT(std::string((sent.ok() ? prepared : sent).message()),
               Catch::Contains("too large", Catch::CaseSensitive::No));
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(12);
}

TEST_CASE("a marker that is gone: refused, or as the setting says", "[kafka][exactly-once]") {
  const MissingMarker setting = GENERATE(MissingMarker::kFail, MissingMarker::kRewrite, MissingMarker::kSkip);
  Job job("missing");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  job.Die();
  REQUIRE_OK(DeleteGroup(Brokers(), job.NameOf(0)));
  job.missing_marker = setting;
  const absl::Status started = job.Start(1);
  if (setting == MissingMarker::kFail) {
    REQUIRE(started.code() == absl::StatusCode::kFailedPrecondition);
    const std::string text(started.message());
    for (const char* part :
         {"slot 0", "offsets.retention.minutes", "sink.exactly-once.missing-marker", "Checkpoint 1"}) {
      REQUIRE_THAT(text, Catch::Contains(part));
    }
    return;
  }
  REQUIRE_OK(started);
  job.Stop();
  if (setting == MissingMarker::kRewrite) return job.Audit(12);
  AwaitStable(job.sink().topic);
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {job.sink().topic}}).size() == kPartitions);  // the sentinels
}

TEST_CASE("a savepoint on record as committed needs no log and no marker", "[kafka][exactly-once]") {
  Job job("savepoint");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  auto savepoint = job.Prepare();
  REQUIRE_OK(savepoint.status());
  job.Decide(*savepoint);
  REQUIRE_OK(job.AwaitCommit());
  job.Stop();
  savepoint->committed = true;
  SECTION("after its marker has expired and its logs are gone") {
    for (int slot = 0; slot < 2; ++slot) REQUIRE_OK(DeleteGroup(Brokers(), job.NameOf(slot)));
    for (SinkPart& part : savepoint->parts) part.logs.clear();
    REQUIRE_OK(job.StartFrom(*savepoint, 1));
    REQUIRE_OK(job.Write(12));
    REQUIRE_OK(job.Take());
    job.Stop();
    job.Audit(24);
  }
  SECTION("but what another generation has committed since is still refused") {
    job.newest.reset();
    REQUIRE_OK(job.Start(1));  // --allow-empty
    REQUIRE_OK(job.Take());
    job.Die();
    REQUIRE_THAT(std::string(job.StartFrom(*savepoint, 1).message()), Catch::Contains("--allow-duplicates"));
  }
  SECTION("by another job, though nothing can be asked of the first one") {
    for (int slot = 0; slot < 2; ++slot) REQUIRE_OK(DeleteGroup(Brokers(), job.NameOf(slot)));
    Job clone("clone");
    clone.restored_uid = job.uid();
    REQUIRE_OK(clone.StartFrom(*savepoint, 1));
    REQUIRE(clone.next == 12);
    clone.Stop();
  }
}

TEST_CASE("an older checkpoint, or one of a start without state, is not taken for committed", "[kafka][exactly-once]") {
  Job job("foreign");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto old = job.Prepare();
  REQUIRE_OK(old.status());
  job.Decide(*old);
  REQUIRE_OK(job.AwaitCommit());
  job.newest.reset();
  REQUIRE_OK(job.Start(1));  // --allow-empty
  REQUIRE_OK(job.Take());
  job.Die();
  const absl::Status refused = job.StartFrom(*old, 1);
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  for (const char* part : {"generation g2", "generation g1", "--allow-duplicates"}) {
    REQUIRE_THAT(std::string(refused.message()), Catch::Contains(part));
  }
  job.allow_duplicates = true;
  REQUIRE_OK(job.StartFrom(*old, 1));
  job.Stop();
}

TEST_CASE("checkpoints of another job are taken over only when its output is committed", "[kafka][exactly-once]") {
  Job theirs("theirs");
  REQUIRE_OK(theirs.Start(1));
  REQUIRE_OK(theirs.Write(12));
  auto checkpoint = theirs.Prepare();
  REQUIRE_OK(checkpoint.status());
  theirs.Decide(*checkpoint, /*notify=*/false);
  Job ours("ours");
  ours.restored_uid = theirs.uid();
  const absl::Status refused = ours.StartFrom(*checkpoint, 1);
  REQUIRE_THAT(std::string(refused.message()), Catch::Contains(theirs.uid()) && Catch::Contains("savepoint"));
  theirs.Decide(*checkpoint);
  REQUIRE_OK(theirs.AwaitCommit());
  REQUIRE_OK(ours.StartFrom(*checkpoint, 1));
  REQUIRE(ours.next == 12);
  ours.Stop();
  theirs.Stop();
  theirs.Audit(12);
}

TEST_CASE("records that wait are bounded, and come out in order", "[kafka][exactly-once]") {
  Job job("waiting");
  REQUIRE_OK(job.Start(1));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  const std::string value(900'000, 'x');
  int sent = 0;
  for (; (sent + 1) * (value.size() + 64) < kWaitingBytesMax; ++sent) REQUIRE_OK(job.writer(0).Send({.value = value}));
  REQUIRE(job.context(0).waited_for.count("checkpoint 1 and its commit") == 0);
  job.context(0).on_wait = [&] {
    if (!job.newest || job.newest->id != checkpoint->id) job.Decide(*checkpoint);
    return true;
  };
  for (int i = 0; i < 3; ++i, ++sent) REQUIRE_OK(job.writer(0).Send({.value = value}));
  REQUIRE(job.context(0).waited_for.count("checkpoint 1 and its commit") == 1);
  job.context(0).on_wait = {};
  REQUIRE_OK(job.Take());
  job.Stop();
  AwaitStable(job.sink().topic);
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {job.sink().topic}}).size() ==
          static_cast<size_t>(sent) + kPartitions);
}

TEST_CASE("what slots have committed and left open can be seen and ended from outside", "[kafka][exactly-once]") {
  Job job("admin");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Prepare().status());
  const auto admin = job.sink().Admin();
  const auto slot = [&](int number) { return SinkSlot{"test", job.uid(), "out", number}; };
  const auto before = admin->Look(slot(1));
  REQUIRE_OK(before.status());
  CHECK(before->name == job.NameOf(1));
  CHECK(before->open);
  job.Die();
  for (const int number : {0, 1}) REQUIRE_OK(admin->Abort(slot(number)));
  const auto after = admin->Look(slot(1));
  REQUIRE_OK(after.status());
  CHECK_FALSE(after->open);
  CHECK(after->checkpoint_id == 0U);
  CHECK(after->generation == "g1");
  const auto never = admin->Look(slot(7));
  REQUIRE_OK(never.status());
  CHECK_FALSE(never->checkpoint_id.has_value());
  job.Audit(0);
}

TEST_CASE("a log that outgrows memory goes to disk and comes back from it", "[kafka][exactly-once]") {
  const auto log = MakeSinkLog("log-test", testing::KafkaFixture::Shared().data_directory(), kLogBytesMax);
  const std::string value(1 << 20, 'y');
  for (int i = 0; i < 10; ++i) REQUIRE_OK(log->Append(value));
  const auto sealed = log->Seal();
  REQUIRE_OK(sealed.status());
  int count = 0;
  REQUIRE_OK(sealed->Replay([&](std::string_view record) {
    count += record == value;
    return absl::OkStatus();
  }));
  REQUIRE(count == 10);
}

TEST_CASE("the broker goes away for a while, in the middle and at the commit", "[kafka][exactly-once]") {
  Job job("broker-restart");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  KafkaFixture::Shared().Stop();
  REQUIRE_OK(job.Write(12));
  for (int slot = 0; slot < 2; ++slot) {
    job.context(slot).on_wait = [] {
      KafkaFixture::Shared().Start();
      return true;
    };
  }
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  KafkaFixture::Shared().Stop();
  job.Decide(*checkpoint);
  REQUIRE_OK(job.AwaitCommit());
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(36);
}

}  // namespace
}  // namespace penstock::kafka
