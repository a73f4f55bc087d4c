#include "taskmanager/worker/job_executor.h"

#include <penstock/job.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <stdexcept>

#include "taskmanager/worker/testing/test_cluster.h"
#include "tests/support/test_job.h"

namespace penstock::worker {
namespace {

using testing::NumberedSource;
using testing::VectorSink;

struct Event {
  std::string session_id;
  int64_t time = 0;
};

NumberedSource<Event> Events(int64_t count, int sessions) {
  return {count, [sessions](int64_t i) { return Event{"s-" + std::to_string(i % sessions), i * 10}; }};
}

TEST_CASE("A windowed count over workers gives exactly the independent count", "[worker]") {
  const int workers = GENERATE(1, 2, 3);
  const int parallelism = GENERATE(1, 4);
  if (workers > parallelism) return;
  INFO(workers << " workers, parallelism " << parallelism);
  VectorSink<WindowResult<std::string, int64_t>> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("events", Events(50'000, 97))
            .watermarks(bounded_disorder<Event>(1s, &Event::time))
            .key_by(&Event::session_id)
            .window(tumbling(10s))
            .aggregate("sessions", Count{})
            .sink("out", sink);
      },
      parallelism, workers);
  cluster.AwaitEnd();
  REQUIRE(cluster.failures().empty());
  std::map<std::pair<std::string, int64_t>, int64_t> expected;
  for (int64_t i = 0; i < 50'000; ++i) ++expected[{"s-" + std::to_string(i % 97), i * 10 / 10'000 * 10'000}];
  std::map<std::pair<std::string, int64_t>, int64_t> got;
  for (const auto& result : sink.Values()) {
    CHECK(result.end - result.start == 10'000);
    CHECK(got.emplace(std::pair(result.key, result.start), result.value).second);
  }
  CHECK(got == expected);
  CHECK(cluster.count(proto::FINISHED) == 2 * parallelism);
}

// Counts odd numbers and how large they are.
struct Measured {
  Counter* odd = nullptr;
  Histogram* sizes = nullptr;
  std::shared_ptr<double> limit = std::make_shared<double>(7.5);

  void open(Context& context) {
    odd = &context.counter("odd");
    sizes = &context.histogram("sizes");
    context.gauge("limit", [this] { return *limit; });
    context.log_info("subtask " + std::to_string(context.subtask()) + " is open");
  }
  int64_t operator()(const int64_t& v) {
    if (v % 2 == 1) odd->Add();
    sizes->Record(v);
    return v;
  }
};

TEST_CASE("The metrics of a user function are reported and exported", "[worker]") {
  VectorSink<int64_t> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{100, [](int64_t i) { return i; }})
            .map(Measured{})
            .name("measured")
            .sink("out", sink);
      },
      1, 1);
  cluster.AwaitEnd();
  const proto::WorkerMetrics metrics = cluster.Metrics(0);
  REQUIRE(metrics.tasks_size() == 1);
  CHECK(metrics.tasks(0).user().at("measured.odd") == 50);
  CHECK(metrics.tasks(0).user().at("measured.limit") == 7.5);
  const std::string text = cluster.PrometheusText();
  INFO(text);
  const std::string labels = "{job=\"test\",operator=\"measured\",subtask=\"0\"";
  CHECK(text.find("penstock_operator_odd" + labels) != std::string::npos);
  CHECK(text.find("penstock_operator_limit" + labels) != std::string::npos);
  CHECK(text.find("penstock_operator_sizes_count" + labels) != std::string::npos);
}

TEST_CASE("Every partitioning delivers each record as it says", "[worker]") {
  VectorSink<int64_t> forward, rebalanced, everywhere, custom, united;
  TestCluster cluster(
      [&](Environment& env) {
        auto numbers = env.source("numbers", NumberedSource<int64_t>{1000, [](int64_t i) { return i; }});
        auto odd = numbers.filter([](const int64_t& v) { return v % 2 == 1; });
        auto doubled = numbers.map([](const int64_t& v) { return v * 2; });
        odd.sink("forward", forward);
        numbers.rebalance().sink("rebalanced", rebalanced);
        numbers.broadcast().sink("everywhere", everywhere);
        numbers.partition_by([](const int64_t& v, int) { return static_cast<int>(v); }).sink("custom", custom);
        odd.union_with(doubled).sink("united", united);
      },
      2, 2);
  cluster.AwaitEnd();
  REQUIRE(cluster.failures().empty());
  CHECK(forward.Values().size() == 500);
  CHECK(rebalanced.Values().size() == 1000);
  CHECK(everywhere.Values().size() == 2000);
  CHECK(custom.Values().size() == 1000);
  CHECK(united.Values().size() == 1500);
}

TEST_CASE("flat_map tells malformed data from failures", "[worker]") {
  VectorSink<int64_t> good;
  VectorSink<Malformed> bad;
  const auto parse = [](const int64_t& v) -> absl::StatusOr<int64_t> {
    if (v % 10 == 0) return absl::InvalidArgumentError("tens are no numbers");
    return v;
  };
  TestCluster cluster(
      [&](Environment& env) {
        auto parsed = env.source("numbers", NumberedSource<int64_t>{100, [](int64_t i) { return i; }})
                          .flat_map(parse)
                          .on_error(side_output);
        parsed.malformed().sink("bad", bad);
        parsed.sink("good", good);
      },
      1, 1);
  cluster.AwaitEnd();
  CHECK(good.Values().size() == 90);
  REQUIRE(bad.Values().size() == 10);
  CHECK(bad.Values()[0].reason == "tens are no numbers");
  CHECK(bad.Values()[0].operator_name == "flat_map");
  CHECK(cluster.Metrics(0).tasks(0).malformed_records() == 10);

  TestCluster strict(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{100, [](int64_t i) { return i; }})
            .flat_map(parse)
            .on_error(fail)
            .sink("good", VectorSink<int64_t>());
      },
      1, 1);
  strict.AwaitEnd();
  REQUIRE(strict.failures().size() == 1);
  CHECK(strict.failures()[0].message() == "malformed record: tens are no numbers");
  CHECK(strict.failures()[0].operator_name() == "flat_map");
}

struct CountPerKey {
  ValueState<int64_t> count{"count"};
  ValueState<std::string> last{"last"};
  int opened = 0;
  void open(Context&) { ++opened; }
  void operator()(const Event& event, KeyedContext<std::string>& context, Collector<std::string>& out) {
    count.mutable_value(0) += opened;
    last.set(context.key() + "@" + std::to_string(event.time));
    if (count.value() == 10) {
      out.emit(last.value());
      count.clear();
    }
  }
};

TEST_CASE("Value states are declared by the plan and kept per key", "[worker]") {
  VectorSink<std::string> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("events", Events(1000, 10))
            .key_by([](const Event& event) { return event.session_id; })
            .process<std::string>("counts", CountPerKey{})
            .sink("out", sink);
      },
      2, 1);
  cluster.AwaitEnd();
  REQUIRE(cluster.failures().empty());
  CHECK(sink.Values().size() == 100);
  const proto::Operator& op = cluster.graph().vertices(1).operators(0);
  REQUIRE(op.states_size() == 2);
  CHECK(op.uid() == "counts");
  CHECK(op.states(0).name() == "count");
  CHECK(op.states(0).key_type() == "string");
  CHECK(op.states(1).value_type() == "string");
}

TEST_CASE("An exception in user code fails the task with operator, type and message", "[worker]") {
  TestCluster cluster(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{100, [](int64_t i) { return i; }})
            .map([](const int64_t& v) {
              if (v == 50) throw std::out_of_range("fifty");
              return v;
            })
            .name("picky")
            .sink("out", VectorSink<int64_t>());
      },
      1, 1);
  cluster.AwaitEnd();
  REQUIRE(cluster.failures().size() == 1);
  CHECK(cluster.failures()[0].operator_name() == "picky");
  CHECK(cluster.failures()[0].exception_type() == "std::out_of_range");
  CHECK(cluster.failures()[0].message() == "fifty");
}

TEST_CASE("A worker says who holds its memory", "[worker]") {
  VectorSink<std::string> sink;
  TestCluster cluster(
      [&](Environment& env) {
        env.source("events", Events(1000, 10))
            .key_by([](const Event& event) { return event.session_id; })
            .process<std::string>("counts", CountPerKey{})
            .sink("out", sink);
      },
      1, 1);
  const proto::WorkerMetrics metrics = cluster.Metrics(0);
  CHECK(metrics.memory_grant_bytes() == 0);
  CHECK_FALSE(metrics.memory_pressure());
  REQUIRE(metrics.memory_size() == kMemoryHolders);
  int64_t used = 0;
  std::map<std::string, int64_t> budgets;
  for (const proto::MemoryUse& use : metrics.memory()) {
    used += use.used_bytes();
    budgets[use.holder()] = use.budget_bytes();
  }
  CHECK(used == metrics.rss_bytes());
  CHECK(budgets["network buffers"] == 8 << 20);
  CHECK(budgets["hot state"] == kStateBytesDefault);  // without a folder there is no RocksDB
  CHECK(budgets["client queues"] == 2 * kClientQueueBytes);
  cluster.AwaitEnd();
}

TEST_CASE("A blocked sink stops a fast source over gRPC, with bounded buffers and memory", "[worker]") {
  std::atomic<bool> blocked{false};
  VectorSink<std::string> sink;
  sink.shared->on_write = [&](const std::string&, Context& context) {
    blocked = true;
    context.WaitUntil("the test", [&] { return !blocked; });
  };
  TestCluster cluster(
      [&](Environment& env) {
        env.source("big",
                   NumberedSource<std::string>{1'000'000, [](int64_t i) { return std::string(1000, 'a' + i % 26); }})
            .parallelism(1)
            .partition_by([](const std::string&, int) { return 1; })  // subtask 1 runs on the other worker
            .sink("out", sink)
            .parallelism(2);
      },
      2, 2, 2 << 20);
  const auto source_waits = [&] {
    const proto::WorkerMetrics metrics = cluster.Metrics(0);
    for (const auto& task : metrics.tasks()) {
      if (task.status_note().starts_with("waits for room in the exchange to subtask ")) return true;
    }
    return false;
  };
  while (!blocked || !source_waits()) std::this_thread::yield();
  const proto::WorkerMetrics sender = cluster.Metrics(0);
  const proto::WorkerMetrics receiver = cluster.Metrics(1);
  // Two subpartitions with one buffer each and what floats; one remote channel with its window.
  CHECK(sender.buffers_used() <= 2 + kFloatingBuffersPerPartition + 2 * kExclusiveBuffersPerChannel);
  CHECK(receiver.buffers_used() <= kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax);
  int64_t records_out = 0;
  for (const auto& task : sender.tasks()) records_out = std::max(records_out, task.records_out());
  CHECK(records_out < 1000);              // of a million: 30 KB buffers hold about 32 records each
  CHECK(sender.rss_bytes() < 500 << 20);  // the stream would be a gigabyte
  cluster.Cancel();
  cluster.AwaitEnd();
  CHECK(cluster.count(proto::CANCELED) == 3);
}

TEST_CASE("Cancel ends every task of an endless job", "[worker]") {
  VectorSink<int64_t> sink;
  auto cluster = std::make_unique<TestCluster>(
      [&](Environment& env) {
        env.source("numbers", NumberedSource<int64_t>{1'000'000'000, [](int64_t i) { return i; }})
            .rebalance()
            .sink("out", sink);
      },
      2, 2);
  while (sink.Values().size() < 1000) std::this_thread::yield();
  cluster->Cancel();
  cluster->AwaitEnd();
  CHECK(cluster->count(proto::CANCELED) == 4);
}

}  // namespace
}  // namespace penstock::worker
