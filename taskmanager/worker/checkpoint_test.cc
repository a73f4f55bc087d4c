// Checkpoints over real workers: what is handed in, what a restore makes of it, how barriers travel.
#include <penstock/job.h>
#include <penstock/two_phase_sink.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <numeric>
#include <set>
#include <thread>
#include <tuple>

#include "taskmanager/worker/testing/checkpoint_directory.h"
#include "taskmanager/worker/testing/test_cluster.h"
#include "tests/support/gate.h"
#include "tests/support/test_job.h"

namespace penstock::worker {
namespace {

using testing::Gate;
using testing::NumberedSource;
using testing::VectorSink;

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
  // The first source ends at once; the second has more than the buffers hold, and is held back by its sink.
  constexpr int64_t kLong = 500'000;
  Gate gate;
  sink.shared->on_write = [&gate](const int64_t& value, Context& context) {
    if (value >= 0) gate.Pass(context);
  };
  TestCluster cluster(
      [&](Environment& env) {
        auto ended = env.source("short", NumberedSource<int64_t>{10, [](int64_t i) { return -i - 1; }});
        auto open = env.source("long", NumberedSource<int64_t>{kLong, [](int64_t i) { return i; }});
        ended.union_with(open).rebalance().sink("out", sink);
      },
      {.parallelism = 1, .workers = 1, .network_bytes = 1 << 20, .checkpoints = directory.Plan("first")});
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
  CHECK(sink.Values().size() == kLong + 10);

  // Restored, the ended source stays at its end.
  VectorSink<int64_t> again;
  TestCluster restored(
      [&](Environment& env) {
        auto ended = env.source("short", NumberedSource<int64_t>{10, [](int64_t i) { return -i - 1; }});
        auto open = env.source("long", NumberedSource<int64_t>{kLong, [](int64_t i) { return i; }});
        ended.union_with(open).rebalance().sink("out", again);
      },
      {.parallelism = 1, .workers = 1, .attempt = 2, .checkpoints = directory.RestorePlan("second", *manifest)});
  restored.StartSources();
  restored.AwaitEnd();
  for (const int64_t value : again.Values()) CHECK(value >= 0);
}

// Of the subtasks of the vertex at that place in the graph.
std::vector<proto::SnapshotFigures> FiguresOf(const TestCluster& cluster, const proto::Manifest& manifest, int vertex) {
  std::vector<proto::SnapshotFigures> figures;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    if (subtask.vertex_id() == cluster.graph().vertices(vertex).id()) figures.push_back(subtask.figures());
  }
  return figures;
}

// All sources wait for their consumers, who take nothing any more: no record has come out for kQuietMs.
void AwaitStandstill(TestCluster& cluster, int sources) {
  constexpr int64_t kQuietMs = 100;
  const Clock& clock = Clock::System();
  const int64_t deadline_ms = clock.MonotonicMs() + 30'000;
  int64_t records_before = -1;
  int64_t since_ms = 0;
  while (clock.MonotonicMs() < deadline_ms) {
    int waiting = 0;
    int64_t records = 0;
    for (int worker = 0; worker < 2; ++worker) {
      const proto::WorkerMetrics metrics = cluster.Metrics(worker);
      for (const proto::TaskMetrics& task : metrics.tasks()) {
        waiting += task.status_note().starts_with("waits for room in the exchange to subtask ") ? 1 : 0;
        records += task.records_out();
      }
    }
    if (waiting < sources || records != records_before) since_ms = clock.MonotonicMs();
    records_before = records;
    if (clock.MonotonicMs() - since_ms >= kQuietMs) return;
    std::this_thread::yield();
  }
  FAIL("the sources do not come to a standstill");
}

TEST_CASE("the figures of a checkpoint say what its barriers waited for", "[checkpoint]") {
  const CheckpointDirectory directory;
  const Pipeline pipeline;
  Gate gate;
  pipeline.sink.shared->on_write = [&gate](const int64_t&, Context& context) { gate.Pass(context); };
  TestCluster cluster([&](Environment& env) { pipeline.Build(env); },
                      {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  AwaitStandstill(cluster, 2);
  cluster.Trigger(1);
  const int64_t triggered_ns = Clock::System().MonotonicNs();
  CHECK_FALSE(cluster.AwaitCheckpoint(1, 100));
  const int64_t held_up_us = (Clock::System().MonotonicNs() - triggered_ns) / 1000;
  gate.Open();
  const auto held_up = cluster.AwaitCheckpoint(1);
  REQUIRE(held_up);
  for (const proto::SnapshotFigures& source : FiguresOf(cluster, *held_up, 0)) {
    INFO(source.ShortDebugString());
    CHECK(source.waited_for().starts_with("room in the exchange to subtask "));
    CHECK(source.waited_for().ends_with(" of times ten"));
    CHECK(source.waited_us() >= held_up_us);
    CHECK(source.start_delay_us() >= 50'000);
    CHECK(source.alignment_us() == 0);
  }
  for (const proto::SnapshotFigures& sink : FiguresOf(cluster, *held_up, 1)) {
    INFO(sink.ShortDebugString());
    CHECK(sink.start_delay_us() >= 50'000);  // until the first barrier, not until the last
    CHECK(sink.waited_us() >= sink.alignment_us());
    CHECK_FALSE(sink.waited_for().empty());
  }
  cluster.AwaitEnd();
  CHECK(pipeline.sink.Values().size() == kCount);
}

// A sink whose commits wait at a gate.
struct GatedPart final : TwoPhaseSink<int64_t> {
  explicit GatedPart(std::shared_future<void> gate) : gate(std::move(gate)) {}
  absl::Status Open(Context&, const AttemptOrigin&, const std::string&) override { return absl::OkStatus(); }
  absl::Status Write(const int64_t&, TimestampMs) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<Committable>> Prepare(uint64_t id) override {
    return std::vector<Committable>{std::to_string(id)};
  }
  absl::Status Commit(const Committable&) override {
    gate.wait();
    return absl::OkStatus();
  }
  void Close() override {}
  const std::shared_future<void> gate;
};

struct GatedSink {
  std::shared_ptr<std::promise<void>> open = std::make_shared<std::promise<void>>();
  std::shared_future<void> gate = open->get_future().share();

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "gated"; }
  Delivery DeliveryGuarantee() const { return Delivery::exactly_once; }
  template <class T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const {
    return std::make_unique<TwoPhaseWriter<int64_t>>(std::make_unique<GatedPart>(gate));
  }
};

TEST_CASE("a decision is acknowledged when the worker's sinks have committed, and asked for when it does not come",
          "[checkpoint]") {
  const CheckpointDirectory directory;
  const GatedSink sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{.count = 1 << 30, .fn = [](int64_t n) { return n; }})
            .sink("out", sink)
            .uid("out");
      },
      {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  cluster.Trigger(1);
  REQUIRE(cluster.AwaitCheckpoint(1));
  CHECK(cluster.AwaitAsked(1, 2));  // each worker, while nobody tells the outcome
  cluster.Decide(1);
  cluster.Decide(1);  // the notice comes again, because nobody has acknowledged it
  CHECK(cluster.committed(1) == 0);
  sink.open->set_value();
  CHECK(cluster.AwaitCommitted(1, 2));
  cluster.Cancel();
  cluster.AwaitEnd();
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

TEST_CASE("SUSPEND fires no windows, though a source that holds time back ends before those ahead of it",
          "[checkpoint]") {
  const CheckpointDirectory directory;
  VectorSink<int64_t> sink;
  constexpr int kParallelism = 4;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<Timed>{INT64_MAX,
                                                    [](int64_t i) {
                                                      return Timed{i % 7, i % kParallelism == 0 ? 0 : 1'000'000};
                                                    }})
            .watermarks(bounded_disorder<Timed>(0ms, &Timed::time))
            .key_by(&Timed::key)
            .window(tumbling(1s))
            .aggregate("counts", Count{})
            .map([](const WindowResult<int64_t, int64_t>& window) { return window.value; })
            .sink("out", sink);
      },
      {.parallelism = kParallelism, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  cluster.Trigger(1);
  const auto running = cluster.AwaitCheckpoint(1);
  REQUIRE(running);
  cluster.Decide(1);
  cluster.Trigger(2, proto::TriggerCheckpoint::SUSPEND);
  const auto manifest = cluster.AwaitCheckpoint(2);
  REQUIRE(manifest);
  REQUIRE(RecordsBefore(*manifest) > 0);
  cluster.Decide(2);
  cluster.AwaitEnd();
  CHECK(cluster.failures().empty());
  CHECK(sink.Values().empty());
}

TEST_CASE("DRAIN fires the windows behind a source that has been idle", "[checkpoint]") {
  const CheckpointDirectory directory;
  VectorSink<int64_t> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<Timed>{1000,
                                                    [](int64_t i) {
                                                      return Timed{i % 7, i};
                                                    },
                                                    true})
            .watermarks(bounded_disorder<Timed>(1h, &Timed::time).idle_after(1ms))
            .key_by(&Timed::key)
            .window(tumbling(1h))
            .aggregate("counts", Count{})
            .map([](const WindowResult<int64_t, int64_t>& window) { return window.value; })
            .sink("out", sink);
      },
      {.parallelism = 2, .workers = 2, .checkpoints = directory.Plan("first")});
  cluster.StartSources();
  const auto idle_splits = [&] {
    int idle = 0;
    for (int worker = 0; worker < 2; ++worker) {
      const proto::WorkerMetrics metrics = cluster.Metrics(worker);
      for (const proto::TaskMetrics& task : metrics.tasks()) {
        for (const auto& split : task.splits()) idle += split.idle() ? 1 : 0;
      }
    }
    return idle;
  };
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
  while (idle_splits() < 2 && Clock::System().MonotonicMs() < deadline_ms) std::this_thread::yield();
  REQUIRE(idle_splits() == 2);
  cluster.Trigger(1, proto::TriggerCheckpoint::DRAIN);
  REQUIRE(cluster.AwaitCheckpoint(1));
  cluster.Decide(1);
  cluster.AwaitEnd();
  const std::vector<int64_t> counts = sink.Values();
  CHECK(std::accumulate(counts.begin(), counts.end(), int64_t{0}) == 1000);
}

TEST_CASE("a cancel is not behind the rows of a fire", "[checkpoint]") {
  constexpr int64_t kKeys = 100'000;
  static std::atomic<int64_t> fired;
  fired = 0;
  VectorSink<int64_t> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<Timed>{kKeys,
                                                    [](int64_t i) {
                                                      return Timed{i, 0};
                                                    }})
            .watermarks(monotonous<Timed>(&Timed::time))
            .key_by(&Timed::key)
            .window(tumbling(1h))
            .aggregate("counts", Count{})
            .map([](const WindowResult<int64_t, int64_t>& window) {
              ++fired;
              const int64_t began_ns = Clock::System().MonotonicNs();
              while (Clock::System().MonotonicNs() - began_ns < 100'000) continue;  // 10 s for them all
              return window.value;
            })
            .sink("out", sink);
      },
      {.parallelism = 1});
  while (fired == 0) std::this_thread::yield();
  cluster.Cancel();
  cluster.AwaitEnd();
  CHECK(fired < kKeys / 2);
}

// A count per key that is told at every record: (key, how many so far).
struct Numbered {
  int64_t key = 0;
  int64_t count = 0;
  bool operator<(const Numbered& other) const { return std::tie(key, count) < std::tie(other.key, other.count); }
};
struct CountPerKey {
  ValueState<int64_t> count{"count"};
  void operator()(const int64_t& value, KeyedContext<int64_t>& context, Collector<Numbered>& out) {
    (void)value;
    out.emit({context.key(), ++count.mutable_value()});
  }
};

TEST_CASE("what was late before a restore is late after it", "[checkpoint]") {
  const CheckpointDirectory directory;
  // Every tenth record is of the first second, the others go on in time.
  const auto build = [](Environment& env, const VectorSink<WindowResult<int64_t, int64_t>>& windows) {
    env.source("numbers", NumberedSource<Timed>{INT64_MAX,
                                                [](int64_t i) {
                                                  return Timed{0, i % 10 == 9 ? 0 : i * 10};
                                                }})
        .watermarks(bounded_disorder<Timed>(0s, &Timed::time))
        .key_by(&Timed::key)
        .window(tumbling(1s))
        .aggregate("counts", Count{})
        .sink("out", windows);
  };
  std::optional<proto::Manifest> manifest;
  for (const bool restored : {false, true}) {
    VectorSink<WindowResult<int64_t, int64_t>> windows;
    TestCluster cluster(
        [&](Environment& env) { build(env, windows); },
        {.parallelism = 1,
         .workers = 1,
         .attempt = restored ? 2U : 1U,
         .checkpoints = restored ? directory.RestorePlan("second", *manifest) : directory.Plan("first")});
    cluster.StartSources();
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
    while (windows.Values().size() < 5 && Clock::System().MonotonicMs() < deadline_ms) {
    }
    cluster.Trigger(1);
    if (!restored) manifest = cluster.AwaitCheckpoint(1);
    REQUIRE(manifest);
    cluster.Cancel();
    cluster.AwaitEnd();
    REQUIRE(windows.Values().size() >= 5);
    int64_t of_the_first_second = 0;
    for (const auto& window : windows.Values()) of_the_first_second += window.start == 0 ? 1 : 0;
    CHECK(of_the_first_second == (restored ? 0 : 1));
  }
}

// Golden pipeline: straight through = with checkpoints, killed, restored at 3, then at 1, killed each time.
TEST_CASE("keyed state and windows come back at any parallelism: the same output as straight through", "[checkpoint]") {
  constexpr int64_t kEvents = 600'000;  // more than the buffers below can hold
  constexpr int kKeys = 500;
  const CheckpointDirectory directory;
  const auto build = [](Environment& env, const VectorSink<Numbered>& counts,
                        const VectorSink<WindowResult<int64_t, int64_t>>& windows) {
    auto numbers = env.source("numbers", NumberedSource<int64_t>{kEvents, [](int64_t i) { return i; }});
    auto keyed = numbers.key_by([](const int64_t& i) { return i * 7919 % kKeys; });
    keyed.process<Numbered>("counted", CountPerKey()).sink("counts", counts);
    // One late-free window of all events of a key, so that it is open at every barrier.
    numbers.watermarks(bounded_disorder<int64_t>(24h, [](const int64_t& i) { return i; }))
        .key_by([](const int64_t& i) { return i % kKeys; })
        .window(tumbling(24h))
        .aggregate("windows", Count{})
        .sink("windows out", windows);
  };
  VectorSink<Numbered> counts;
  VectorSink<WindowResult<int64_t, int64_t>> windows;
  std::optional<proto::Manifest> manifest;
  uint64_t id = 0;
  uint32_t attempt = 1;
  std::set<std::pair<int64_t, int64_t>> counted;
  for (const int parallelism : {2, 3, 1}) {
    const bool last_round = parallelism == 1;
    auto gate = std::make_shared<Gate>();
    // Held after a while, so that the kill comes in the middle.
    std::atomic<int64_t> written{0};
    counts.shared->on_write = [&](const Numbered&, Context& context) {
      if (!last_round && ++written > kEvents / 4) gate->Pass(context);
    };
    TestCluster cluster([&](Environment& env) { build(env, counts, windows); },
                        {.parallelism = parallelism,
                         .workers = parallelism > 1 ? 2 : 1,
                         .network_bytes = 2 << 20,
                         .attempt = attempt++,
                         .checkpoints = manifest ? directory.RestorePlan("g" + std::to_string(attempt), *manifest)
                                                 : directory.Plan("g" + std::to_string(attempt))});
    cluster.StartSources();
    if (!last_round) {
      for (int i = 0; i < 6 && written <= kEvents / 4; ++i) {
        cluster.Trigger(++id);
        auto next = cluster.AwaitCheckpoint(id, 3'000);
        if (!next) break;  // held by the gate: the checkpoint before stands
        manifest = std::move(next);
        cluster.Decide(id);
      }
      REQUIRE(manifest);
      cluster.Cancel();
    }
    cluster.AwaitEnd();
    CHECK(cluster.failures().empty());
  }
  // At least once at the sink: every count of every key came, none beyond what a straight run gives.
  for (const Numbered& each : counts.Values()) counted.emplace(each.key, each.count);
  std::map<int64_t, int64_t> expected;
  for (int64_t i = 0; i < kEvents; ++i) ++expected[i * 7919 % kKeys];
  size_t pairs = 0;
  for (const auto& [key, count] : expected) {
    pairs += static_cast<size_t>(count);
    CHECK(counted.contains({key, count}));
    CHECK_FALSE(counted.contains({key, count + 1}));
  }
  CHECK(counted.size() == pairs);
  int64_t sum = 0;
  for (const auto& window : windows.Values()) {
    CHECK(window.value == kEvents / kKeys);
    sum += window.value;
  }
  CHECK(sum == kEvents);
  CHECK(windows.Values().size() == kKeys);
}

}  // namespace
}  // namespace penstock::worker
