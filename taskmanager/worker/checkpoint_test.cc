// Checkpoints over real workers: what is handed in, what a restore makes of it, how barriers travel.
#include <penstock/job.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>
#include <set>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/storage/storage.h"
#include "taskmanager/worker/testing/test_cluster.h"
#include "tests/support/gate.h"
#include "tests/support/test_job.h"

namespace penstock::worker {
namespace {

using testing::Gate;
using testing::NumberedSource;
using testing::VectorSink;

// Checkpoint storage in a directory of its own.
class CheckpointDirectory {
 public:
  CheckpointDirectory() : path_(std::filesystem::temp_directory_path() / ("checkpoints-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~CheckpointDirectory() { std::filesystem::remove_all(path_); }

  proto::CheckpointPlan Plan(const std::string& generation) const {
    proto::CheckpointPlan plan;
    plan.set_enabled(true);
    plan.set_generation(generation);
    plan.set_storage(path_);
    plan.set_job_directory("job");
    return plan;
  }
  // Stores the manifest and gives the plan to begin from it.
  proto::CheckpointPlan RestorePlan(const std::string& generation, proto::Manifest manifest) const {
    manifest.set_generation("first");
    proto::CheckpointPlan plan = Plan(generation);
    plan.set_restore_manifest(ManifestName("job", manifest.checkpoint_id()));
    plan.set_restore_id(manifest.checkpoint_id());
    plan.set_restore_generation(manifest.generation());
    REQUIRE(OpenStorage(plan.storage()).value()->Write(plan.restore_manifest(), EncodeManifest(manifest)).ok());
    return plan;
  }

 private:
  const std::filesystem::path path_;
};

constexpr int64_t kCount = 200'000;

// numbers → (rebalance) → times ten → sink.
struct Pipeline {
  VectorSink<int64_t> sink;

  void Build(Environment& env) const {
    env.source("numbers", NumberedSource<int64_t>{kCount, [](int64_t i) { return i; }})
        .rebalance()
        .map([](const int64_t& i) { return i * 10; })
        .name("times ten")
        .sink("out", sink);
  }
};

struct Timed {
  int64_t key = 0;
  int64_t time = 0;
};

int64_t RecordsBefore(const proto::Manifest& manifest) {
  int64_t records = 0;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    proto::TaskHandle handle;
    REQUIRE(handle.ParseFromString(subtask.handle()));
    for (const proto::OperatorHandle& op : handle.operators()) {
      if (op.uid() != "numbers") continue;
      for (const std::string& item : op.states(0).items()) {
        Stride stride;
        REQUIRE(Stride::Decode(item, &stride));
        records += static_cast<int64_t>((stride.next - stride.number) / stride.step);
      }
    }
  }
  return records;
}

std::set<int64_t> Distinct(const std::vector<int64_t>& values) { return {values.begin(), values.end()}; }

TEST_CASE("sources emit nothing before they are told, and checkpoint 0 says where they begin", "[checkpoint]") {
  const CheckpointDirectory directory;
  const Pipeline pipeline;
  TestCluster cluster([&](Environment& env) { pipeline.Build(env); },
                      {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.Trigger(0);
  const auto start = cluster.AwaitCheckpoint(0);
  REQUIRE(start);
  CHECK(RecordsBefore(*start) == 0);
  CHECK(start->subtasks_size() == 4);
  CHECK(pipeline.sink.Values().empty());
  cluster.StartSources();
  cluster.AwaitEnd();
  CHECK(pipeline.sink.Values().size() == kCount);
}

TEST_CASE("a restore at any parallelism goes on where the barrier stood", "[checkpoint]") {
  const int parallelism_after = GENERATE(1, 2, 3);
  INFO("restored at " << parallelism_after);
  const CheckpointDirectory directory;
  const Pipeline before;
  std::optional<proto::Manifest> manifest;
  {
    TestCluster cluster([&](Environment& env) { before.Build(env); },
                        {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
    cluster.StartSources();
    for (uint64_t id = 1; id <= 5; ++id) {
      cluster.Trigger(id);
      manifest = cluster.AwaitCheckpoint(id);
      REQUIRE(manifest);
      cluster.Decide(id);
    }
    cluster.Cancel();
    cluster.AwaitEnd();
  }
  const int64_t before_barrier = RecordsBefore(*manifest);
  CHECK(static_cast<int64_t>(before.sink.Values().size()) >= before_barrier);  // flushed before the ack

  const Pipeline after;
  TestCluster cluster([&](Environment& env) { after.Build(env); },
                      {.parallelism = parallelism_after,
                       .workers = 1,
                       .attempt = 2,
                       .checkpoints = directory.RestorePlan("second", *manifest)});
  cluster.StartSources();
  cluster.AwaitEnd();
  CHECK(cluster.failures().empty());
  const std::vector<int64_t> replayed = after.sink.Values();
  CHECK(static_cast<int64_t>(replayed.size()) == kCount - before_barrier);
  std::set<int64_t> all = Distinct(before.sink.Values());
  all.merge(Distinct(replayed));
  CHECK(all.size() == kCount);
}

TEST_CASE("a checkpoint after some tasks have ended stands with what they handed in last", "[checkpoint]") {
  const CheckpointDirectory directory;
  VectorSink<int64_t> sink;
  // The first source ends at once; the second is held back by its sink until the test lets it go.
  Gate gate;
  sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value >= 0) gate.Pass(context);
  };
  TestCluster cluster(
      [&](Environment& env) {
        auto ended = env.source("short", NumberedSource<int64_t>{10, [](int64_t i) { return -i - 1; }});
        auto open = env.source("long", NumberedSource<int64_t>{5000, [](int64_t i) { return i; }});
        ended.union_with(open).rebalance().sink("out", sink);
      },
      {.parallelism = 1, .workers = 1, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
  while (cluster.count(proto::FINISHED) == 0 && Clock::System().MonotonicMs() < deadline_ms) {
  }
  REQUIRE(cluster.count(proto::FINISHED) >= 1);
  cluster.Trigger(1);
  gate.Open();
  const auto manifest = cluster.AwaitCheckpoint(1);
  REQUIRE(manifest);
  int finished = 0;
  for (const proto::SubtaskSnapshot& subtask : manifest->subtasks()) finished += subtask.finished() ? 1 : 0;
  CHECK(finished >= 1);
  cluster.AwaitEnd();
  CHECK(sink.Values().size() == 5010);

  // Restored, the ended source stays at its end.
  VectorSink<int64_t> again;
  TestCluster restored(
      [&](Environment& env) {
        auto ended = env.source("short", NumberedSource<int64_t>{10, [](int64_t i) { return -i - 1; }});
        auto open = env.source("long", NumberedSource<int64_t>{5000, [](int64_t i) { return i; }});
        ended.union_with(open).rebalance().sink("out", again);
      },
      {.parallelism = 1, .workers = 1, .attempt = 2, .checkpoints = directory.RestorePlan("second", *manifest)});
  restored.StartSources();
  restored.AwaitEnd();
  for (const int64_t value : again.Values()) CHECK(value >= 0);
}

TEST_CASE("an aborted checkpoint lets all channels go on, and the next one completes", "[checkpoint]") {
  const CheckpointDirectory directory;
  const Pipeline pipeline;
  TestCluster cluster([&](Environment& env) { pipeline.Build(env); },
                      {.parallelism = 3, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  for (uint64_t id = 1; id <= 9; ++id) {
    cluster.Trigger(id);
    if (id % 3 != 0) {
      cluster.Abort(id);
    } else {
      REQUIRE(cluster.AwaitCheckpoint(id));
    }
  }
  cluster.AwaitEnd();
  CHECK(Distinct(pipeline.sink.Values()).size() == kCount);
}

TEST_CASE("stop: SUSPEND ends behind the barrier without firing windows, DRAIN fires them first", "[checkpoint]") {
  const bool drain = GENERATE(false, true);
  INFO("drain " << drain);
  const CheckpointDirectory directory;
  VectorSink<int64_t> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<Timed>{INT64_MAX,
                                                    [](int64_t i) {
                                                      return Timed{i % 7, i / 1000};
                                                    }})
            .watermarks(bounded_disorder<Timed>(1h, &Timed::time))  // nothing fires by itself
            .key_by(&Timed::key)
            .window(tumbling(1s))
            .aggregate("counts", Count{})
            .map([](const WindowResult<int64_t, int64_t>& window) { return window.value; })
            .sink("out", sink);
      },
      {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  cluster.Trigger(1, drain ? proto::TriggerCheckpoint::DRAIN : proto::TriggerCheckpoint::SUSPEND);
  const auto manifest = cluster.AwaitCheckpoint(1);
  REQUIRE(manifest);
  cluster.Decide(1);
  cluster.AwaitEnd();
  CHECK(cluster.failures().empty());
  const std::vector<int64_t> counts = sink.Values();
  const int64_t sum = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  CHECK(sum == (drain ? RecordsBefore(*manifest) : 0));
}

}  // namespace
}  // namespace penstock::worker
