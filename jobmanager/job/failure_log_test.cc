#include "jobmanager/job/failure_log.h"

#include <catch2/catch.hpp>

namespace penstock::jobmanager {
namespace {

FailureSnapshot At(int64_t time_ms, const std::string& message) {
  FailureSnapshot failure;
  failure.time_ms = time_ms;
  failure.failure.set_message(message);
  return failure;
}

TEST_CASE("A dead worker's own report stands before the connections it broke", "[job]") {
  FailureLog log;
  log.Add(1, Cause::kSecondary, At(10, "connection lost"));
  log.Add(1, Cause::kPrimary, At(12, "killed by signal 11"));
  log.Add(1, Cause::kPrimary, At(15, "crashed while it was torn down"));
  CHECK(log.RootOf(1)->failure.message() == "killed by signal 11");
  CHECK_FALSE(log.RootOf(2).has_value());
  const auto list = log.List();
  REQUIRE(list.size() == 3);
  CHECK(list[0].failure.message() == "killed by signal 11");
  CHECK(list[2].failure.message() == "connection lost");
}

TEST_CASE("Failures are listed newest attempt first", "[job]") {
  FailureLog log;
  log.Add(1, Cause::kPrimary, At(10, "first"));
  log.Add(2, Cause::kSecondary, At(20, "second"));
  CHECK(log.List()[0].failure.message() == "second");
}

TEST_CASE("The cause of the newest attempt outlives any number of echoes", "[job]") {
  FailureLog log;
  log.Add(1, Cause::kPrimary, At(1, "old"));
  log.Add(2, Cause::kPrimary, At(2, "cause"));
  for (int i = 0; i < 3 * kFailuresKept; ++i) log.Add(2, Cause::kSecondary, At(3 + i, "echo"));
  CHECK(log.List().size() == static_cast<size_t>(kFailuresKept));
  CHECK(log.List()[0].failure.message() == "cause");
  for (int i = 0; i < 3 * kFailuresKept; ++i) log.Add(2, Cause::kPrimary, At(500 + i, "more"));
  CHECK(log.List().size() == static_cast<size_t>(kFailuresKept));
  CHECK(log.List()[0].failure.message() == "cause");
}

TEST_CASE("What a task reports is secondary only when it speaks of another's end", "[job]") {
  proto::Failure failure;
  failure.set_domain(proto::Failure::USER);
  failure.set_exception_type("UNAVAILABLE");
  CHECK(CauseOf(failure) == Cause::kPrimary);
  failure.set_domain(proto::Failure::EXTERNAL);
  CHECK(CauseOf(failure) == Cause::kSecondary);
  failure.set_exception_type("TimedOut");
  CHECK(CauseOf(failure) == Cause::kPrimary);
  failure.set_exception_type(kPeerLost);
  CHECK(CauseOf(failure) == Cause::kSecondary);
}

TEST_CASE("A damaged checkpoint is found among whatever else went wrong in the attempt", "[job]") {
  FailureLog log;
  FailureSnapshot damaged = At(12, "byte 7 differs");
  damaged.failure.set_checkpoint_damaged(true);
  log.Add(1, Cause::kPrimary, At(10, "connection lost"));
  log.Add(1, Cause::kPrimary, damaged);
  log.Add(2, Cause::kPrimary, At(20, "killed"));
  CHECK(log.CheckpointWasDamaged(1));
  CHECK_FALSE(log.CheckpointWasDamaged(2));
}

}  // namespace
}  // namespace penstock::jobmanager
