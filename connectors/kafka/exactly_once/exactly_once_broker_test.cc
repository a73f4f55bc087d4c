// The exactly-once sink against a real broker: it dies at every point of its protocol, and a read_committed reader
// finds every record once and in order.
#include "connectors/kafka/exactly_once/preflight.h"
#include "connectors/kafka/exactly_once/test_job.h"

namespace penstock::kafka {
namespace {

TEST_CASE("committed with each checkpoint, invisible before", "[kafka][exactly-once]") {
  Job job("plain");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(50));
  REQUIRE_OK(job.Take());
  job.Audit(50);
  REQUIRE_OK(job.Write(50));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Take());  // an empty one
  job.Stop();
  job.Audit(100);
}

TEST_CASE("what the broker's limits refuse and warn of, before the first record", "[kafka][exactly-once]") {
  const auto check = [topic = NewTopic("limits")](Properties properties, int64_t checkpoint_timeout_ms) {
    const Sink sink{
        .brokers = Brokers(), .topic = topic, .delivery = Delivery::exactly_once, .properties = std::move(properties)};
    AttemptOrigin origin;
    origin.checkpoint_interval_ms = 1'000;
    origin.checkpoint_timeout_ms = checkpoint_timeout_ms;
    return CheckBroker(
        sink, origin, [](const std::string&) {}, [] { return false; });
  };
  const auto fine = check({}, 60'000);
  REQUIRE_OK(fine.status());
  CHECK(fine->warning.empty());
  CHECK(fine->timeout_ms == fine->broker_timeout_max_ms);
  CHECK(fine->offsets_retention_ms > 0);
  const std::string too_long = std::to_string(fine->broker_timeout_max_ms + 1);
  const auto refused = check({{"transaction.timeout.ms", too_long}}, 60'000);
  CHECK(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(MessageOf(refused.status()), Catch::Contains(too_long) && Catch::Contains("transaction.max.timeout.ms"));
  const auto tight = check({{"transaction.timeout.ms", "10000"}}, 60'000);
  REQUIRE_OK(tight.status());
  CHECK(tight->timeout_ms == 10'000);
  CHECK_THAT(tight->warning, Catch::Contains("may take 61000 ms") && Catch::Contains("after 10000 ms"));
}

// Points 1 to 5, 8, 9, 11, 12 of the protocol: the second checkpoint dies there.
TEST_CASE("a crash at every point of a checkpoint", "[kafka][exactly-once]") {
  const auto [point, time] = GENERATE(table<std::string, int>({
      {"before the flush", 3},   // of slot 0, in the second checkpoint: 2 slots pass it in each
      {"before the marker", 3},  //
      {"after the marker", 3},   //
      {"after the marker", 4},   // one slot has handed in, the other has not
      {"before the commit", 3},  // decided, nothing is committed
      {"before the commit", 4},  // one is, the other not
      {"after the commit", 3},   // the answer is lost
  }));
  INFO(point << ", " << time);
  Job job("point");
  REQUIRE_OK(job.Start(2, DieAt(point, time)));
  REQUIRE_OK(job.Write(20));
  const absl::Status taken = job.Take();
  REQUIRE_FALSE(taken.ok());
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(40 - job.next));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a crash in the middle of an epoch", "[kafka][exactly-once]") {
  Job job("middle");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Write(13));
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 20);
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("handed in by one subtask only: the checkpoint before counts", "[kafka][exactly-once]") {
  Job job("incomplete");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Prepare().status());  // never decided
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 0);
  REQUIRE_OK(job.Write(40));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a checkpoint that is given up leaves its transaction open for the next", "[kafka][exactly-once]") {
  Job job("given-up");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto given_up = job.Prepare();
  REQUIRE_OK(given_up.status());
  REQUIRE_OK(job.Write(10));  // waits in the log
  const bool told = GENERATE(true, false);
  if (told) job.Abort(*given_up);
  REQUIRE_OK(job.Write(10));
  const bool dies = GENERATE(false, true);
  auto covering = job.Prepare();
  REQUIRE_OK(covering.status());
  job.Decide(*covering, !dies);
  if (dies) {
    REQUIRE_OK(job.Start(2));  // both epochs come back out of the log
  } else {
    REQUIRE_OK(job.AwaitCommit());
  }
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a lost notice: the next barrier tells", "[kafka][exactly-once]") {
  Job job("lost-notice");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a decided checkpoint whose notice never came is committed by the next attempt", "[kafka][exactly-once]") {
  Job job("no-notice");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 20);
  job.Audit(20);
  job.Stop();
}

TEST_CASE("a crash at every point of a recovery, twice", "[kafka][exactly-once]") {
  const auto [point, time] = GENERATE(table<std::string, int>({
      {"recovery: after init", 1},
      {"recovery: after init", 2},
      {"recovery: in the middle of the rewrite", 1},
      {"recovery: after the marker", 1},
      {"recovery: after the commit", 1},
      {"recovery: after the commit", 2},
  }));
  INFO(point << ", " << time);
  Job job("recovery");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_FALSE(job.Start(2, DieAt(point, time)).ok());
  (void)job.Start(2, DieAt(point, time));  // what the first has done may let the second through
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("rescaled up and down, also in the middle of a take-over", "[kafka][exactly-once]") {
  const bool dies_taking_over = GENERATE(false, true);
  Job job("rescale");
  int written = 0;
  for (const int parallelism : {2, 3, 1, 3, 2, 1}) {
    INFO("parallelism " << parallelism);
    if (dies_taking_over && job.newest) (void)job.Start(parallelism, DieAt("recovery: after init", 2));
    REQUIRE_OK(job.Start(parallelism));
    REQUIRE(job.next == written);
    REQUIRE_OK(job.Write(12));
    REQUIRE_OK(job.Take());
    REQUIRE_OK(job.Write(12));
    auto checkpoint = job.Prepare();
    REQUIRE_OK(checkpoint.status());
    job.Decide(*checkpoint, /*notify=*/false);
    written += 24;
  }
  REQUIRE_OK(job.Start(2));
  job.Stop();
  job.Audit(written);
}

// Point 17: nothing of the wide attempt may hold back readers of committed records.
TEST_CASE("what an attempt wider than the checkpoint and the next left open is ended", "[kafka][exactly-once]") {
  Job job("wide");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Start(3));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Prepare().status());  // three open transactions, never decided
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

TEST_CASE("a zombie is fenced: what it still writes never shows, and it does not fight back", "[kafka][exactly-once]") {
  Job job("zombie");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  const auto contexts = job.TakeContexts();
  const auto zombies = job.TakeWriters();
  REQUIRE_OK(job.Start(1));
  zombies[0]->OnDecided(checkpoint->id);  // wakes up and commits
  absl::Status status;
  contexts[0]->WaitUntil("the zombie", [&] {
    status = zombies[0]->Advance();
    return !status.ok();
  });
  REQUIRE(status.code() == absl::StatusCode::kAborted);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("newer attempt"));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  zombies[0]->Close();
  job.Stop();
  job.Audit(24);
}

}  // namespace
}  // namespace penstock::kafka
