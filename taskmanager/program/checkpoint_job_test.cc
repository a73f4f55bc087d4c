// A job that fails and goes on from its checkpoints, on a whole cluster inside this process.
#include <penstock/connectors/strides.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "runtime/core/storage/storage.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/program/local_cluster.h"
#include "tests/support/gate.h"
#include "tests/support/test_job.h"

namespace penstock::program {
namespace {

using taskmanager::LocalCluster;
using testing::Gate;
using testing::NumberedSource;
using testing::VectorSink;

constexpr int64_t kCount = 300'000;

class Directory {
 public:
  Directory() : path_(std::filesystem::temp_directory_path() / ("checkpoint-job-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

// numbers → rebalance → a map that throws where the test wants it → sink.
struct FailingJob {
  VectorSink<int64_t> sink;
  std::shared_ptr<std::atomic<int>> failures_left = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<std::function<bool(int64_t)>> fails_at = std::make_shared<std::function<bool(int64_t)>>();

  void Build(Environment& env) const {
    const FailingJob self = *this;
    env.source("numbers", NumberedSource<int64_t>{kCount, [](int64_t i) { return i; }})
        .rebalance()
        .map([self](const int64_t& i) {
          if (*self.failures_left > 0 && (*self.fails_at)(i) && (*self.failures_left)-- > 0) {
            throw std::runtime_error("boom at " + std::to_string(i));
          }
          return i;
        })
        .name("picky")
        .sink("out", self.sink);
  }
};

// A job definition is a plain function: what it builds is set here.
const FailingJob* current_job = nullptr;
JobDefinition DefinitionOf(const FailingJob& job) {
  current_job = &job;
  return {"failing", [](Environment& env, const Args&) { current_job->Build(env); }};
}

std::map<std::string, std::string> CheckpointEvery(const std::string& directory, const std::string& interval) {
  return {{"execution.checkpointing.dir", directory},
          {"execution.checkpointing.interval", interval},
          {"restart-strategy.exponential-delay.initial-backoff", "1 ms"}};
}

std::unique_ptr<LocalCluster> StartCluster(const JobDefinition& job) {
  auto cluster = LocalCluster::Start({.taskmanagers = 2, .slots_per_taskmanager = 2}, MakeExecutorFactory(job));
  REQUIRE(cluster.ok());
  return *std::move(cluster);
}

TEST_CASE("a job that fails goes on from its last checkpoint, and nothing is lost", "[checkpoint]") {
  const Directory directory;
  FailingJob job;
  *job.failures_left = 3;
  *job.fails_at = [](int64_t i) { return i > 50'000 && i % 70'000 < 2'000; };
  const JobDefinition definition = DefinitionOf(job);
  const auto cluster = StartCluster(definition);
  const auto graph = BuildGraph(definition, {.parallelism = 4});
  REQUIRE(graph.ok());
  const auto id = cluster->Submit(graph->graph, {}, CheckpointEvery(directory.path(), "5 ms"));
  INFO(id.status());
  REQUIRE(id.ok());
  const absl::Status end = cluster->AwaitEnd(*id, std::chrono::seconds(60));
  INFO(end);
  REQUIRE(end.ok());
  const std::vector<int64_t> values = job.sink.Values();
  CHECK(std::set<int64_t>(values.begin(), values.end()).size() == kCount);
  const auto snapshot = cluster->Job(*id);
  CHECK(snapshot->attempt >= 2);  // subtasks may fail in the same attempt
  CHECK(snapshot->failures.size() >= 2);
  REQUIRE(snapshot->checkpoints != nullptr);
  CHECK(snapshot->checkpoints->counts.completed > 0);
  CHECK(snapshot->checkpoints->counts.restored >= 1);
  // At least once: a restart repeats what came after the checkpoint, not everything.
  CHECK(values.size() < 4 * kCount);
  // A finished job leaves nothing but the mark of its used ids.
  const auto storage = OpenStorage(directory.path(), {}).value();
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 20'000;
  auto stored = jobmanager::ReadCheckpoints(*storage, "jobs/failing");
  while (stored.ok() && !stored->checkpoints.empty() && Clock::System().MonotonicMs() < deadline_ms) {
    stored = jobmanager::ReadCheckpoints(*storage, "jobs/failing");  // they go once the mark is durable
  }
  REQUIRE(stored.ok());
  CHECK(stored->checkpoints.empty());
  CHECK(stored->next_id > 1);
}

TEST_CASE("a cancelled job keeps its checkpoints, and its uid must say how to go on", "[checkpoint]") {
  const Directory directory;
  FailingJob job;
  Gate gate;
  job.sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value > 1000) gate.Pass(context);
  };
  const JobDefinition definition = DefinitionOf(job);
  const auto cluster = StartCluster(definition);
  const auto graph = BuildGraph(definition, {.parallelism = 2});
  const auto config = CheckpointEvery(directory.path(), "1 h");
  const auto id = cluster->Submit(graph->graph, {}, config);
  REQUIRE(id.ok());
  auto snapshot = cluster->snapshots().Get();
  while (cluster->Job(*id)->checkpoints->counts.completed == 0) {
    snapshot = cluster->snapshots().AwaitChange(snapshot, std::chrono::seconds(10));
  }
  REQUIRE(cluster->Cancel(*id).ok());
  REQUIRE(absl::IsCancelled(cluster->AwaitEnd(*id, std::chrono::seconds(30))));
  gate.Open();

  const auto again = cluster->Submit(graph->graph, {}, config);
  REQUIRE_FALSE(again.ok());
  CHECK(again.status().message().find("--resume") != std::string::npos);
  CHECK(again.status().message().find("'failing'") != std::string::npos);

  jobmanager::JobSubmission resumed{.graph = graph->graph, .config = config, .restore = {.resume = true}};
  const auto resumed_id = cluster->commands().Submit(resumed);
  INFO(resumed_id.status());
  REQUIRE(resumed_id.ok());
  REQUIRE(cluster->AwaitEnd(*resumed_id, std::chrono::seconds(60)).ok());
  CHECK(cluster->Job(*resumed_id)->checkpoints->counts.restored == 1);
  const std::vector<int64_t> values = job.sink.Values();
  CHECK(std::set<int64_t>(values.begin(), values.end()).size() == kCount);
}

TEST_CASE("stop with a savepoint ends the job, and -s begins from it at another parallelism", "[checkpoint]") {
  const Directory directory;
  FailingJob job;
  Gate gate;
  job.sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value > 2000) gate.Pass(context);
  };
  const JobDefinition definition = DefinitionOf(job);
  auto cluster = StartCluster(definition);
  const auto graph = BuildGraph(definition, {.parallelism = 2});
  const auto config = CheckpointEvery(directory.path(), "1 h");
  const auto id = cluster->Submit(graph->graph, {}, config);
  REQUIRE(id.ok());
  auto seen = cluster->snapshots().Get();
  while (cluster->Job(*id)->checkpoints->counts.completed == 0) {
    seen = cluster->snapshots().AwaitChange(seen, std::chrono::seconds(10));
  }
  const auto asked = cluster->commands().RequestCheckpoint(
      *id, {.kind = proto::Manifest::SAVEPOINT, .ending = proto::TriggerCheckpoint::SUSPEND});
  INFO(asked.status());
  REQUIRE(asked.ok());
  gate.Open();
  REQUIRE(cluster->AwaitEnd(*id, std::chrono::seconds(60)).ok());
  const auto ended = cluster->Job(*id);
  REQUIRE(ended->checkpoints->history.front().kind == proto::Manifest::SAVEPOINT);
  const std::string savepoint = ended->checkpoints->history.front().manifest_name;
  const std::vector<int64_t> before = job.sink.Values();
  cluster.reset();  // with it the marks that an ended job leaves: of two JobManagers at work on one uid one gives way

  FailingJob rest;
  const JobDefinition same = DefinitionOf(rest);
  const auto second = StartCluster(same);
  const auto wider = BuildGraph(same, {.parallelism = 3});
  jobmanager::JobSubmission submission{.graph = wider->graph, .config = config, .restore = {.path = savepoint}};
  const auto restored = second->commands().Submit(submission);
  INFO(restored.status());
  REQUIRE(restored.ok());
  REQUIRE(second->AwaitEnd(*restored, std::chrono::seconds(60)).ok());
  std::vector<int64_t> values = rest.sink.Values();
  // Nothing twice: the savepoint was flushed, and nothing was written behind it.
  CHECK(before.size() + values.size() == kCount);
  values.insert(values.end(), before.begin(), before.end());
  CHECK(std::set<int64_t>(values.begin(), values.end()).size() == kCount);
}

TEST_CASE("a running job goes on at another parallelism, and nothing is written twice", "[checkpoint]") {
  const Directory directory;
  FailingJob job;
  Gate gate;
  job.sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value > 2000) gate.Pass(context);
  };
  const JobDefinition definition = DefinitionOf(job);
  const auto cluster = StartCluster(definition);
  const auto narrow = BuildGraph(definition, {.parallelism = 2});
  const auto wide = BuildGraph(definition, {.parallelism = 4});
  const auto id = cluster->Submit(narrow->graph, {}, CheckpointEvery(directory.path(), "20 ms"));
  REQUIRE(id.ok());
  auto seen = cluster->snapshots().Get();
  while (cluster->Job(*id)->checkpoints->counts.completed == 0) {
    seen = cluster->snapshots().AwaitChange(seen, std::chrono::seconds(10));
  }
  const auto too_wide = cluster->commands().Rescale(*id, BuildGraph(definition, {.parallelism = 5})->graph);
  CHECK(too_wide.status().message().find("would need 5 slots, and there are 4") != std::string::npos);
  proto::JobGraph other = wide->graph;
  other.set_hash("0123456789abcdef");
  CHECK(absl::IsFailedPrecondition(cluster->commands().Rescale(*id, other).status()));
  CHECK(absl::IsNotFound(cluster->commands().Rescale("none", wide->graph).status()));
  const auto asked = cluster->commands().Rescale(*id, wide->graph);
  INFO(asked.status());
  REQUIRE(asked.ok());
  CHECK_FALSE(cluster->commands().Rescale(*id, wide->graph).ok());  // it ends this attempt already
  gate.Open();
  REQUIRE(cluster->AwaitEnd(*id, std::chrono::seconds(60)).ok());
  const auto ended = cluster->Job(*id);
  CHECK(ended->attempt == 2);
  CHECK(ended->parallelism == 4);
  CHECK(ended->failures.empty());
  for (const auto& vertex : ended->vertices) CHECK(vertex.subtasks.size() == 4);
  const std::vector<int64_t> values = job.sink.Values();
  CHECK(values.size() == kCount);
  CHECK(std::set<int64_t>(values.begin(), values.end()).size() == kCount);
}

TEST_CASE("a savepoint is copied out, and a copy that is incomplete or damaged is none", "[checkpoint]") {
  const Directory directory;
  FailingJob job;
  Gate gate;
  job.sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value > 2000) gate.Pass(context);
  };
  const JobDefinition definition = DefinitionOf(job);
  const auto cluster = StartCluster(definition);
  const auto graph = BuildGraph(definition, {.parallelism = 2});
  const auto config = CheckpointEvery(directory.path() + "/own", "1 h");
  const auto id = cluster->Submit(graph->graph, {}, config);
  REQUIRE(id.ok());
  auto seen = cluster->snapshots().Get();
  while (cluster->Job(*id)->checkpoints->counts.completed == 0) {
    seen = cluster->snapshots().AwaitChange(seen, std::chrono::seconds(10));
  }
  REQUIRE(cluster->commands()
              .RequestCheckpoint(*id, {.kind = proto::Manifest::SAVEPOINT,
                                       .ending = proto::TriggerCheckpoint::SUSPEND,
                                       .directory = "file://" + directory.path() + "/copies"})
              .ok());
  gate.Open();
  REQUIRE(cluster->AwaitEnd(*id, std::chrono::seconds(60)).ok());
  const auto request = [&] { return cluster->Job(*id)->checkpoints->requests.at(0); };
  seen = cluster->snapshots().Get();
  while (request().outcome == jobmanager::CheckpointOutcome::kInProgress) {
    seen = cluster->snapshots().AwaitChange(seen, std::chrono::seconds(10));
  }
  INFO(request().failure);
  REQUIRE(request().outcome == jobmanager::CheckpointOutcome::kCompleted);
  CHECK(request().copied_bytes == request().copy_bytes);
  const std::string location = request().location;
  CHECK(location.starts_with("file://" + directory.path() + "/copies/savepoint-failing-"));

  jobmanager::JobSubmission submission{.graph = graph->graph,
                                       .config = CheckpointEvery(directory.path() + "/new", "1 h")};
  submission.restore.path = directory.path() + "/copies";
  CHECK(cluster->commands().Submit(submission).status().message().find("there is no savepoint in") !=
        std::string::npos);
  submission.restore.path = directory.path() + "/nowhere";
  CHECK(absl::IsNotFound(cluster->commands().Submit(submission).status()));
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/nowhere"));
  submission.restore.path = location;
  const auto restored = cluster->commands().Submit(submission);
  INFO(restored.status());
  REQUIRE(restored.ok());
  REQUIRE(cluster->AwaitEnd(*restored, std::chrono::seconds(60)).ok());
  CHECK(job.sink.Values().size() == kCount);
}

}  // namespace
}  // namespace penstock::program
