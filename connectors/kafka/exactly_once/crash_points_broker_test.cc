// Points of the exactly-once protocol at which the broker, not the job, has its part: see README.md.
#include "connectors/kafka/exactly_once/acl_testing.h"
#include "connectors/kafka/exactly_once/test_job.h"

namespace penstock::kafka {
namespace {

bool IsOpen(Job& job, int number) {
  const auto slot = job.sink().Admin()->Look(SinkSlot{"test", job.uid(), "out", number});
  REQUIRE_OK(slot.status());
  return slot->open;
}

// Point 10. Which of the commits the broker has written down when it dies is its own affair.
TEST_CASE("the broker is killed while it commits", "[kafka][exactly-once]") {
  const int answered = GENERATE(0, 1);
  const bool job_dies_too = GENERATE(false, true);
  INFO("killed when " << answered << " of 2 commits were answered");
  Job job("killed");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint);  // both commits are on their way
  job.context(0).WaitUntil("answers", [&] {
    REQUIRE_OK(job.writer(0).Advance());
    return answered == 0 || !job.writer(0).OldestUncommitted();
  });
  KafkaFixture::Shared().Kill();
  KafkaFixture::Shared().Start();
  if (job_dies_too) {
    job.Die();
    REQUIRE_OK(job.Start(2));
  } else {
    REQUIRE_OK(job.AwaitCommit());
  }
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

// Point 13, before the barrier.
TEST_CASE("a transaction that the broker has aborted before the barrier", "[kafka][exactly-once]") {
  Job job("timed-out-early", {{"transaction.timeout.ms", "1000"}});
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  for (const bool open : {true, false}) {
    FakeContext().WaitUntil(open ? "it is open" : "the broker ends it", [&] { return IsOpen(job, 0) == open; });
  }
  const absl::Status written = job.Write(12);
  const absl::Status prepared = written.ok() ? job.Prepare().status() : written;
  INFO(prepared);
  REQUIRE_FALSE(prepared.ok());
  job.Die();
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(24));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

// Point 20. Checkpoint 0 is empty; the first that has records is 1.
TEST_CASE("the first checkpoint ever is decided, and no commit was ever made", "[kafka][exactly-once]") {
  const bool timed_out = GENERATE(false, true);
  Job job("first", {{"transaction.timeout.ms", "1000"}});
  REQUIRE_FALSE(job.Start(1, DieAt("before the commit")).ok());
  REQUIRE(job.newest.has_value());
  if (timed_out) AwaitStable(job.sink().topic);
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(12);
}

// Point 23.
TEST_CASE("the topic is removed while the job writes to it", "[kafka][exactly-once]") {
  Job job("removed", {{"topic.metadata.propagation.max.ms", "1000"}, {"topic.metadata.refresh.interval.ms", "500"}});
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(DeleteTopic(Brokers(), job.sink().topic));
  const absl::Status written = job.Write(12);
  const absl::Status prepared = written.ok() ? job.Prepare().status() : written;
  INFO(prepared);
  REQUIRE_FALSE(prepared.ok());
  REQUIRE_THAT(std::string(prepared.message()), Catch::Contains(job.sink().topic));
  job.Die();
  REQUIRE_OK(CreateTopic(Brokers(), job.sink().topic, kPartitions));
  // Kafka forgets the markers of a topic with the topic: somebody must say that what was committed is not wanted.
  const absl::Status refused = job.Start(1);
  INFO(refused);
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_THAT(std::string(refused.message()), Catch::Contains("sink.exactly-once.missing-marker"));
  job.missing_marker = MissingMarker::kSkip;
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  AwaitStable(job.sink().topic);
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {job.sink().topic}}).size() == 12 + kPartitions);
}

TEST_CASE("the right to write is taken away while the job writes", "[kafka][exactly-once]") {
  const bool of_topic = GENERATE(true, false);
  Job job("forbidden");
  const std::string name = of_topic ? job.sink().topic : job.NameOf(0);
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  {
    const DeniedRight denied(Brokers(), of_topic ? RD_KAFKA_RESOURCE_TOPIC : RD_KAFKA_RESOURCE_GROUP, name,
                             of_topic ? RD_KAFKA_ACL_OPERATION_WRITE : RD_KAFKA_ACL_OPERATION_READ);
    const absl::Status written = job.Write(12);
    const absl::Status refused = written.ok() ? job.Prepare().status() : written;
    INFO(refused);
    REQUIRE_FALSE(refused.ok());
    REQUIRE_THAT(std::string(refused.message()), Catch::Contains(name) && Catch::Contains("allow "));
  }
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

TEST_CASE("the broker's longest transaction is made shorter than the sink's", "[kafka][exactly-once]") {
  Job job("lowered", {{"transaction.timeout.ms", "60000"}});
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  KafkaFixture::Shared().Stop();
  KafkaFixture::Shared().Start({"transaction.max.timeout.ms=30000"});
  job.Decide(*checkpoint);
  REQUIRE_OK(job.AwaitCommit());  // what runs, runs on
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  const absl::Status refused = job.Start(1);
  KafkaFixture::Shared().Stop();
  KafkaFixture::Shared().Start();
  INFO(refused);
  REQUIRE_FALSE(refused.ok());
  REQUIRE_THAT(std::string(refused.message()), Catch::Contains("timeout", Catch::CaseSensitive::No));
  REQUIRE_OK(job.Start(1));
  job.Stop();
  job.Audit(24);
}

// Point 26, of a writer: a cancel, at whatever it was doing.
TEST_CASE("a writer that is closed leaves nothing open", "[kafka][exactly-once]") {
  const std::string phase = GENERATE("writing", "prepared", "committing");
  INFO(phase);
  Job job("closed");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  if (phase != "writing") {
    auto checkpoint = job.Prepare();
    REQUIRE_OK(checkpoint.status());
    job.Decide(*checkpoint, phase == "committing");
  }
  job.Stop();
  for (const int number : {0, 1}) CHECK_FALSE(IsOpen(job, number));
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(24 - job.next));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

}  // namespace
}  // namespace penstock::kafka
