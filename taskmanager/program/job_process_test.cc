// A real job program on real processes: what its author learns when the user code goes wrong.
#include <catch2/catch.hpp>

#include "taskmanager/host/process_fixture.h"

namespace penstock::testing {
namespace {

using jobmanager::JobState;

struct Cluster : ProcessCluster {
  std::unique_ptr<Process> a = StartTaskManager("a", 4);
  std::unique_ptr<Process> b = StartTaskManager("b", 4);

  jobmanager::FailureSnapshot RunToFailure(const std::string& mode) {
    const std::string id = SubmitPlanned(FAULTY_JOB_PROGRAM, 2, {"--mode", mode});
    REQUIRE(AwaitState(id, JobState::kFailed));
    REQUIRE_FALSE(Job(id)->failures.empty());
    return Job(id)->failures[0];
  }
};

TEST_CASE("A real job runs across two TaskManagers to FINISHED", "[process]") {
  Cluster cluster;
  const std::string id = cluster.SubmitPlanned(FAULTY_JOB_PROGRAM, 4, {"--mode", "finish"});
  REQUIRE(cluster.AwaitJob(id, [](const auto& job) { return IsTerminal(job.state); }));
  CHECK(cluster.Job(id)->state == JobState::kFinished);
  REQUIRE(cluster.Job(id)->vertices.size() == 2);
}

TEST_CASE("User code that throws or crashes fails its job only, and the author sees where", "[process]") {
  Cluster cluster;
  const std::string other = cluster.SubmitPlanned(FAULTY_JOB_PROGRAM, 2, {"--mode", "run"});
  REQUIRE(cluster.AwaitState(other, JobState::kRunning));

  const auto thrown = cluster.RunToFailure("throw");
  CHECK(thrown.failure.message().find("no such customer") != std::string::npos);
  CHECK(thrown.failure.exception_type().find("out_of_range") != std::string::npos);
  CHECK(thrown.operator_name == "look up");
  CHECK(thrown.task_name.find("/2)") != std::string::npos);
  INFO(thrown.failure.stack());
  CHECK(thrown.failure.stack().find("GoWrong") != std::string::npos);
  CHECK(thrown.failure.stack().find("faulty_job.cc:") != std::string::npos);

  const auto crashed = cluster.RunToFailure("segv");
  CHECK(crashed.failure.message().find("SIGSEGV") != std::string::npos);
  CHECK(crashed.operator_name == "look up");
  CHECK(crashed.task_name.find("/2)") != std::string::npos);
  INFO(crashed.failure.stack());
  CHECK(crashed.failure.stack().find("GoWrong") != std::string::npos);
  CHECK(crashed.failure.stack().find("faulty_job.cc:") != std::string::npos);

  const auto overflown = cluster.RunToFailure("overflow");
  CHECK(overflown.failure.message().find("SIGSEGV") != std::string::npos);
  INFO(overflown.failure.stack());
  CHECK(overflown.failure.stack().find("RecurseForever") != std::string::npos);

  CHECK(cluster.Job(other)->state == JobState::kRunning);
  CHECK(cluster.Job(other)->attempt == 1);
  CHECK(cluster.commands().Cancel(other).ok());
  CHECK(cluster.AwaitState(other, JobState::kCanceled));
}

}  // namespace
}  // namespace penstock::testing
