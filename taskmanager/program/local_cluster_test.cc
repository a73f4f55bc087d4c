#include "taskmanager/program/local_cluster.h"

#include <catch2/catch.hpp>

#include "jobmanager/dispatcher/dispatcher.h"
#include "runtime/core/status.h"
#include "taskmanager/worker/testing/fake_executor.h"

namespace penstock::taskmanager {
namespace {

using jobmanager::JobState;
using namespace std::chrono_literals;
using worker::FakeGraph;
using worker::MakeFakeFactory;

std::unique_ptr<LocalCluster> StartCluster(LocalClusterOptions options, const Clock& clock = Clock::System()) {
  const auto taskmanagers = static_cast<size_t>(options.taskmanagers);
  options.job.heartbeat_interval_ms = 50;
  if (options.job.heartbeat_timeout_ms == 5'000) options.job.heartbeat_timeout_ms = 2'000;
  auto cluster = LocalCluster::Start(std::move(options), MakeFakeFactory(), clock);
  REQUIRE(cluster.ok());
  // All are there before the first job: else it may run on the one that came first.
  auto seen = (*cluster)->snapshots().Get();
  while (seen->taskmanagers.size() < taskmanagers) {
    seen = (*cluster)->snapshots().AwaitChange(seen, std::chrono::seconds(10));
  }
  return *std::move(cluster);
}

std::unique_ptr<LocalCluster> TwoByTwo() { return StartCluster({.taskmanagers = 2, .slots_per_taskmanager = 2}); }

// Waits until the job's snapshot satisfies the predicate.
template <class Predicate>
bool AwaitJob(const LocalCluster& cluster, const std::string& id, Predicate predicate) {
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 20'000;
  while (Clock::System().MonotonicMs() < deadline_ms) {
    const auto seen = cluster.snapshots().Get();
    const auto job = cluster.Job(id);
    if (job != nullptr && predicate(*job)) return true;
    cluster.snapshots().AwaitChange(seen, std::chrono::milliseconds(100));
  }
  return false;
}

bool AwaitState(const LocalCluster& cluster, const std::string& id, JobState state) {
  return AwaitJob(cluster, id, [state](const auto& job) { return job.state == state; });
}

TEST_CASE("A job goes through its states to FINISHED and gives its slots back", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 4), {"finish"});
  CHECK(cluster->Job(id) != nullptr);  // in the snapshot before Submit returned
  CHECK(cluster->AwaitEnd(id, 20s).ok());
  const auto job = cluster->Job(id);
  CHECK(job->failures.empty());
  CHECK(job->end_ms >= job->start_ms);
  for (JobState state : {JobState::kInitializing, JobState::kCreated, JobState::kRunning, JobState::kFinished}) {
    CHECK(job->state_entered_ms.contains(static_cast<int>(state)));
  }
  for (const auto& vertex : job->vertices) {
    REQUIRE(vertex.subtasks.size() == 4);
    // Subtask i of each vertex shares slot i; slots are dealt round the hosts.
    for (const auto& subtask : vertex.subtasks) {
      CHECK(subtask.taskmanager_id == (subtask.subtask % 2 == 0 ? "local-1" : "local-2"));
      CHECK(subtask.state == proto::FINISHED);
    }
  }
  CHECK(AwaitJob(*cluster, id, [&](const auto&) {
    const auto snapshot = cluster->snapshots().Get();
    for (const auto& host : snapshot->taskmanagers) {
      if (host.free_slots != 2) return false;
    }
    return snapshot->taskmanagers.size() == 2;
  }));
}

TEST_CASE("Figures of tasks reach the snapshot", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 2), {"run"});
  CHECK(AwaitJob(*cluster, id, [](const auto& job) { return job.vertices[1].subtasks[1].metrics.records_in() == 7; }));
}

TEST_CASE("A failing task fails the job with its own message", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 2), {"fail"});
  const absl::Status end = cluster->AwaitEnd(id, 20s);
  CHECK(end.code() == absl::StatusCode::kAborted);
  CHECK(MessageOf(end).find("boom in user code") != std::string::npos);
  const auto job = cluster->Job(id);
  CHECK(job->state == JobState::kFailed);
  REQUIRE_FALSE(job->failures.empty());
  CHECK(job->failures[0].operator_name == "fake");
  CHECK(job->failures[0].task_name.find("/2)") != std::string::npos);
}

TEST_CASE("A running job is cancelled", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 4), {"run"});
  REQUIRE(AwaitState(*cluster, id, JobState::kRunning));
  CHECK(cluster->Cancel(id).ok());
  CHECK(cluster->AwaitEnd(id, 20s).code() == absl::StatusCode::kCancelled);
  for (const auto& subtask : cluster->Job(id)->vertices[0].subtasks) CHECK(subtask.state == proto::CANCELED);
  CHECK(cluster->Cancel(id).ok());  // it has ended: nothing to do
  CHECK(cluster->Cancel("unknown").code() == absl::StatusCode::kNotFound);
}

TEST_CASE("fixed-delay restarts a failed job under a new attempt", "[local_cluster]") {
  LocalClusterOptions options{.taskmanagers = 2, .slots_per_taskmanager = 2};
  options.job.restart = {.type = "fixed-delay", .fixed_delay_attempts = 1, .fixed_delay_ms = 1};
  auto cluster = StartCluster(options);
  const std::string id = *cluster->Submit(FakeGraph("job", 4), {"fail-once"});
  CHECK(cluster->AwaitEnd(id, 20s).ok());
  CHECK(cluster->Job(id)->attempt == 2);
  CHECK_FALSE(cluster->Job(id)->failures.empty());
  const std::string failing = *cluster->Submit(FakeGraph("job", 4), {"fail"});
  CHECK(cluster->AwaitEnd(failing, 20s).code() == absl::StatusCode::kAborted);
  CHECK(cluster->Job(failing)->attempt == 2);
}

TEST_CASE("A failure that another attempt cannot mend ends the job at once", "[local_cluster]") {
  LocalClusterOptions options{.taskmanagers = 1, .slots_per_taskmanager = 2};
  options.job.restart = {.type = "fixed-delay", .fixed_delay_attempts = 9, .fixed_delay_ms = 1};
  auto cluster = StartCluster(options);
  for (const char* mode : {"fail-final", "bad-hash", "no-executor"}) {
    const std::string id = *cluster->Submit(FakeGraph("job", 2), {mode});
    CHECK(cluster->AwaitEnd(id, 20s).code() == absl::StatusCode::kAborted);
    CHECK(cluster->Job(id)->attempt == 1);
  }
}

TEST_CASE("A worker whose graph differs is refused with both hashes", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 1), {"bad-hash"});
  const std::string message = MessageOf(cluster->AwaitEnd(id, 20s));
  CHECK(message.find("dead") != std::string::npos);
  CHECK(message.find("feed") != std::string::npos);
}

TEST_CASE("What keeps a worker from starting is the job's failure", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string none = *cluster->Submit(FakeGraph("a", 1), {"no-executor"});
  CHECK(MessageOf(cluster->AwaitEnd(none, 20s)).find("needs --brokers") != std::string::npos);
  const std::string undeployed = *cluster->Submit(FakeGraph("b", 1), {"no-deploy"});
  CHECK(MessageOf(cluster->AwaitEnd(undeployed, 20s)).find("no buffers") != std::string::npos);
}

TEST_CASE("A job waits for slots, says so, and runs when a host joins", "[local_cluster]") {
  auto cluster = StartCluster({.taskmanagers = 1, .slots_per_taskmanager = 2});
  const std::string id = *cluster->Submit(FakeGraph("job", 4), {"finish"});
  CHECK(AwaitJob(*cluster, id, [](const auto& job) { return job.waits_for == "waiting for 4 slots: have 2"; }));
  CHECK(cluster->Job(id)->state == JobState::kCreated);
  // A smaller job is not held back by it.
  CHECK(cluster->AwaitEnd(*cluster->Submit(FakeGraph("small", 2), {"finish"}), 20s).ok());
  cluster->AddTaskManager(2);
  CHECK(cluster->AwaitEnd(id, 20s).ok());
  CHECK(cluster->Job(id)->waits_for.empty());
}

TEST_CASE("A job that waits for slots can be cancelled", "[local_cluster]") {
  auto cluster = StartCluster({.taskmanagers = 0});
  const std::string id = *cluster->Submit(FakeGraph("job", 1));
  CHECK(cluster->Cancel(id).ok());
  CHECK(cluster->AwaitEnd(id, 20s).code() == absl::StatusCode::kCancelled);
}

TEST_CASE("Two live jobs of one uid are refused, an ended one frees it", "[local_cluster]") {
  auto cluster = TwoByTwo();
  const std::string id = *cluster->Submit(FakeGraph("job", 1), {"run"});
  const auto second = cluster->Submit(FakeGraph("job", 1), {"run"});
  CHECK(second.status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(MessageOf(second.status()).find(id) != std::string::npos);
  CHECK(cluster->Cancel(id).ok());
  CHECK_FALSE(cluster->AwaitEnd(id, 20s).ok());
  CHECK(cluster->Submit(FakeGraph("job", 1), {"finish"}).ok());
}

TEST_CASE("A graph of another version or machine is refused with both named", "[local_cluster]") {
  auto cluster = TwoByTwo();
  proto::JobGraph graph = FakeGraph("job", 1);
  graph.set_control_version(41);
  CHECK(MessageOf(cluster->Submit(graph).status()).find("41") != std::string::npos);
  graph = FakeGraph("job", 1);
  graph.set_machine("vax");
  CHECK(MessageOf(cluster->Submit(graph).status()).find("vax") != std::string::npos);
  graph = FakeGraph("job", 1);
  graph.mutable_vertices(0)->set_parallelism(0);
  graph.mutable_edges(0)->set_to("nowhere");
  const std::string message = MessageOf(cluster->Submit(graph).status());
  CHECK(message.find("parallelism of 'Source' is 0") != std::string::npos);
  CHECK(message.find("nowhere") != std::string::npos);  // all errors at once
}

TEST_CASE("A host that falls silent is lost after the heartbeat timeout, and the job fails", "[local_cluster]") {
  ManualClock clock(1'000'000);
  auto cluster = StartCluster({.taskmanagers = 2, .slots_per_taskmanager = 1}, clock);
  const std::string id = *cluster->Submit(FakeGraph("job", 2), {"run"});
  // Time moves only when told, in steps that everybody who still lives can answer.
  const auto advance_until = [&](auto predicate) {
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 20'000;
    while (Clock::System().MonotonicMs() < deadline_ms) {
      const auto seen = cluster->snapshots().Get();
      if (predicate()) return true;
      clock.AdvanceMs(20);
      cluster->snapshots().AwaitChange(seen, std::chrono::milliseconds(20));
    }
    return false;
  };
  REQUIRE(advance_until([&] { return cluster->Job(id)->state == JobState::kRunning; }));
  cluster->MuteTaskManager("local-2");
  const int64_t silent_ms = clock.NowMs();
  REQUIRE(advance_until([&] { return cluster->snapshots().Get()->taskmanagers.size() == 1; }));
  CHECK(clock.NowMs() - silent_ms >= 2'000 - 100);
  REQUIRE(advance_until([&] { return cluster->Job(id)->state == JobState::kFailed; }));
  CHECK(cluster->Job(id)->failures[0].failure.message().find("local-2 is lost: no heartbeat") != std::string::npos);
}

TEST_CASE("A host that leaves is lost at once, and the job restarts elsewhere", "[local_cluster]") {
  LocalClusterOptions options{.taskmanagers = 2, .slots_per_taskmanager = 2};
  options.job.restart = {.type = "exponential-delay", .initial_backoff_ms = 1};
  auto cluster = StartCluster(options);
  const std::string id = *cluster->Submit(FakeGraph("job", 2), {"run"});
  REQUIRE(AwaitState(*cluster, id, JobState::kRunning));
  cluster->StopTaskManager("local-2");
  CHECK(AwaitJob(*cluster, id, [](const auto& job) { return job.attempt == 2 && job.state == JobState::kRunning; }));
  for (const auto& subtask : cluster->Job(id)->vertices[0].subtasks) CHECK(subtask.taskmanager_id == "local-1");
}

TEST_CASE("At most kEndedJobsKept ended jobs are remembered", "[local_cluster]") {
  auto cluster = TwoByTwo();
  for (size_t i = 0; i < jobmanager::kEndedJobsKept + 5; ++i) {
    REQUIRE(cluster->AwaitEnd(*cluster->Submit(FakeGraph("job", 1), {"finish"}), 20s).ok());
  }
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 20'000;
  while (cluster->snapshots().Get()->jobs.size() > jobmanager::kEndedJobsKept &&
         Clock::System().MonotonicMs() < deadline_ms) {
    cluster->snapshots().AwaitChange(cluster->snapshots().Get(), std::chrono::milliseconds(100));
  }
  CHECK(cluster->snapshots().Get()->jobs.size() == jobmanager::kEndedJobsKept);
}

}  // namespace
}  // namespace penstock::taskmanager
