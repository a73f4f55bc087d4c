// Golden pipelines of state without keys over real workers: run at 2, killed, restored at 3, killed, restored at 1,
// they end as a run without a failure does.
#include <penstock/job.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "taskmanager/worker/testing/checkpoint_directory.h"
#include "taskmanager/worker/testing/test_cluster.h"
#include "tests/support/gate.h"
#include "tests/support/test_job.h"

namespace penstock::worker {
namespace {

using testing::Gate;
using testing::NumberedSource;
using testing::VectorSink;

constexpr int64_t kEvents = 300'000;  // more than the buffers below can hold

// Runs the job in three rounds. In the first two `sink` holds once it has got a third of the events, so that the kill
// comes in the middle, after at least one checkpoint.
template <class T>
void RunInRounds(const VectorSink<T>& sink, const std::function<void(Environment&)>& build) {
  const CheckpointDirectory directory;
  std::optional<proto::Manifest> manifest;
  uint64_t id = 0;
  uint32_t attempt = 0;
  for (const int parallelism : {2, 3, 1}) {
    const bool last_round = parallelism == 1;
    const std::string generation = "g" + std::to_string(++attempt);
    auto gate = std::make_shared<Gate>();
    std::atomic<int64_t> written{0};
    sink.shared->on_write = [&](const T&, Context& context) {
      if (!last_round && ++written > kEvents / 3) gate->Pass(context);
    };
    TestCluster cluster(
        build, {.parallelism = parallelism,
                .workers = parallelism > 1 ? 2 : 1,
                .network_bytes = 2 << 20,
                .attempt = attempt,
                .checkpoints = manifest ? directory.RestorePlan(generation, *manifest) : directory.Plan(generation)});
    cluster.StartSources();
    for (int i = 0; !last_round && i < 6 && written <= kEvents / 3; ++i) {
      cluster.Trigger(++id);
      auto next = cluster.AwaitCheckpoint(id, 3'000);
      if (!next) break;  // held by the gate: the checkpoint before stands
      manifest = std::move(next);
      cluster.Decide(id);
    }
    REQUIRE((last_round || manifest));
    if (!last_round) cluster.Cancel();
    cluster.AwaitEnd();
    for (const proto::Failure& failure : cluster.failures()) FAIL(failure.message());
  }
}

// ---- broadcast state ----

constexpr int64_t kRules = 200'000;
constexpr int64_t kNames = 100;
constexpr int64_t kKeys = 50;

struct Result {
  int64_t event = -1;  // of a total: -1
  int64_t key = 0;
  int64_t count = 0;
  int64_t rules = 0;
};

// An event waits for the first rule of its name; at the end of time each key tells how many events it has had, and how
// many rules there were.
struct Judge {
  BroadcastState<int64_t, int64_t> rules{"rules"};  // by name, how many
  ValueState<int64_t> count{"count"};
  ListState<int64_t> waiting{"waiting"};

  void process(const int64_t& event, KeyedContext<int64_t>& context, Collector<Result>& out) {
    ++count.mutable_value();
    context.register_event_time_timer(10 * kEvents);
    if (!rules.contains(event % kNames)) return waiting.add(event);
    out.emit({event, context.key()});
  }
  void process_broadcast(const int64_t& rule, KeyedBroadcastContext<int64_t>& context, Collector<Result>& out) {
    const int64_t name = rule % kNames;
    if (++rules.mutable_values(context)[name] > 1) return;
    context.for_each_key([&](const int64_t& key) {
      std::vector<int64_t> still;
      for (const int64_t event : waiting.values()) {
        if (event % kNames != name) still.push_back(event);
        if (event % kNames == name) out.emit({event, key});
      }
      waiting.set(std::move(still));
    });
  }
  void on_timer(TimestampMs, KeyedContext<int64_t>& context, Collector<Result>& out) {
    int64_t sum = 0;
    for (const auto& [name, times] : rules.values()) sum += times;
    out.emit({-1, context.key(), count.value_or(0), sum});
  }
};

TEST_CASE("broadcast state and what it bears on come back at any parallelism", "[checkpoint]") {
  const VectorSink<Result> sink;
  RunInRounds(sink, [&](Environment& env) {
    const auto time = [](const int64_t& i) { return i; };
    auto rules = env.source("rules", NumberedSource<int64_t>{kRules, [](int64_t i) { return i; }})
                     .watermarks(monotonous<int64_t>(time));
    env.source("events", NumberedSource<int64_t>{kEvents, [](int64_t i) { return i; }})
        .watermarks(monotonous<int64_t>(time))
        .key_by([](const int64_t& i) { return i * 7919 % kKeys; })
        .connect(rules.broadcast())
        .process<Result>("judge", Judge{})
        .sink("out", sink);
  });
  std::set<int64_t> events;
  std::map<int64_t, Result> totals;
  int64_t totals_told = 0;
  for (const Result& result : sink.Values()) {
    if (result.event >= 0) {
      events.insert(result.event);
    } else {
      totals[result.key] = result;
      ++totals_told;
    }
  }
  CHECK(events.size() == kEvents);
  CHECK(totals.size() == kKeys);
  CHECK(totals_told == kKeys);  // timers fire once both inputs have ended, in the last round
  for (const auto& [key, total] : totals) {
    CHECK(total.count == kEvents / kKeys);
    CHECK(total.rules == kRules);
  }
}

// ---- lists ----

// What the last subtasks kept when they closed.
struct Left {
  Mutex mutex;
  std::vector<int64_t> held ABSL_GUARDED_BY(mutex);
  int64_t seen ABSL_GUARDED_BY(mutex) = 0;
  int64_t passed ABSL_GUARDED_BY(mutex) = 0;
};

// Holds some records back, and counts: in a union list, which the first subtask adds up after a restore.
struct Hold {
  static constexpr size_t kHeldMax = 200;
  std::shared_ptr<Left> left;
  SplitListState<int64_t> held{"held"};
  UnionListState<int64_t> seen{"seen"};
  UnionListState<int64_t> passed{"passed"};

  void open(Context& context) {
    for (UnionListState<int64_t>* count : {&seen, &passed}) {
      int64_t sum = 0;
      for (const int64_t part : count->values()) sum += part;
      count->set({context.subtask() == 0 ? sum : 0});
    }
  }
  void operator()(const int64_t& value, Collector<int64_t>& out) {
    ++seen.mutable_values()[0];
    held.add(value);
    if (held.values().size() <= kHeldMax) return;
    std::vector<int64_t>& values = held.mutable_values();
    for (size_t i = 0; i < kHeldMax / 2; ++i) out.emit(values[i]);
    values.erase(values.begin(), values.begin() + kHeldMax / 2);
    passed.mutable_values()[0] += kHeldMax / 2;
  }
  void close() {
    MutexLock lock(&left->mutex);
    left->held.insert(left->held.end(), held.values().begin(), held.values().end());
    left->seen += seen.values().empty() ? 0 : seen.values().front();
    left->passed += passed.values().empty() ? 0 : passed.values().front();
  }
};

TEST_CASE("lists of a flat_map come back at any parallelism, every element once", "[checkpoint]") {
  const VectorSink<int64_t> sink;
  std::shared_ptr<Left> left;
  RunInRounds(sink, [&](Environment& env) {
    left = std::make_shared<Left>();  // of the round's last worker; the last round has one
    env.source("numbers", NumberedSource<int64_t>{kEvents, [](int64_t i) { return i; }})
        .rebalance()
        .flat_map<int64_t>(Hold{.left = left})
        .uid("hold")
        .sink("out", sink);
  });
  const std::vector<int64_t> emitted = sink.Values();
  MutexLock lock(&left->mutex);
  CHECK(left->seen == kEvents);
  CHECK(left->passed + static_cast<int64_t>(left->held.size()) == kEvents);
  std::set<int64_t> held(left->held.begin(), left->held.end());
  CHECK(held.size() == left->held.size());
  std::set<int64_t> all(emitted.begin(), emitted.end());
  all.insert(held.begin(), held.end());
  CHECK(all.size() == kEvents);
}

// Keeps everything, until the test lets it.
struct Hoard {
  SplitListState<std::string> all{"all"};
  bool operator()(const int64_t& value) {
    all.add(std::string(100, 'x') + std::to_string(value));
    return true;
  }
};

TEST_CASE("what lists hold counts as the worker's state, once it has been written", "[checkpoint]") {
  constexpr int64_t kStrings = 100'000;
  const CheckpointDirectory directory;
  const VectorSink<int64_t> sink;
  const auto gate = std::make_shared<Gate>();
  std::atomic<int64_t> written{0};
  sink.shared->on_write = [&](const int64_t&, Context& context) {
    if (++written == kStrings) gate->Pass(context);
  };
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{kStrings, [](int64_t i) { return i; }})
            .rebalance()
            .filter(Hoard{})
            .uid("hoard")
            .sink("out", sink);
      },
      {.parallelism = 1, .workers = 1, .checkpoints = directory.Plan("first")});
  const auto state_bytes = [&] {
    const proto::WorkerMetrics metrics = cluster.Metrics(0);
    for (const proto::MemoryUse& use : metrics.memory()) {
      if (use.holder() == MemoryHolderName(MemoryHolder::kHotState)) return use.used_bytes();
    }
    return int64_t{-1};
  };
  CHECK(state_bytes() == 0);
  cluster.StartSources();
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
  while (written < kStrings && Clock::System().MonotonicMs() < deadline_ms) std::this_thread::yield();
  REQUIRE(written == kStrings);
  cluster.Trigger(1);
  gate->Open();
  REQUIRE(cluster.AwaitCheckpoint(1));
  CHECK(state_bytes() > kStrings * 100);
  CHECK(state_bytes() < kStrings * 400);
  cluster.Decide(1);
  cluster.AwaitEnd();
}

}  // namespace
}  // namespace penstock::worker
