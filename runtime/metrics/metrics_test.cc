#include "runtime/metrics/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

namespace penstock {

TEST_CASE("Histogram quantiles are at most 25 % above the value", "[metrics]") {
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{4}, int64_t{5}, int64_t{100}, int64_t{4095},
                              int64_t{4096}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
    Histogram histogram;
    histogram.Record(value);
    const int64_t bound = histogram.Quantile(0.5);
    CHECK(bound >= value);
    CHECK(static_cast<double>(bound) <= static_cast<double>(value) * 1.25 + 1);
  }
}

TEST_CASE("Histogram finds quantiles, count and sum", "[metrics]") {
  Histogram histogram;
  CHECK(histogram.Quantile(0.99) == 0);
  for (int i = 0; i < 99; ++i) histogram.Record(2);
  histogram.Record(1000);
  histogram.Record(-5);
  CHECK(histogram.count() == 101);
  CHECK(histogram.sum() == 99 * 2 + 1000);
  CHECK(histogram.Quantile(0) == 0);
  CHECK(histogram.Quantile(0.5) == 2);
  CHECK(histogram.Quantile(1) >= 1000);
}

TEST_CASE("Prometheus text groups one name under one TYPE line and escapes labels", "[metrics]") {
  MetricRegistry registry;
  const auto a = registry.CreateGroup("penstock_task", {{"job", "a \"b\"\\c\nd"}, {"subtask", "0"}});
  const auto b = registry.CreateGroup("penstock_task", {{"subtask", "1"}});
  a->GetCounter("numRecordsIn").Add(3);
  b->GetCounter("numRecordsIn").Add(4);
  a->SetGauge("current.lag-ms", [] { return 1.5; });
  b->SetGauge("nothing", [] { return std::nan(""); });
  b->GetHistogram("latency").Record(3);
  CHECK(registry.PrometheusText() ==
        "# TYPE penstock_task_current_lag_ms gauge\n"
        "penstock_task_current_lag_ms{job=\"a \\\"b\\\"\\\\c\\nd\",subtask=\"0\"} 1.5\n"
        "# TYPE penstock_task_latency summary\n"
        "penstock_task_latency{subtask=\"1\",quantile=\"0.5\"} 3\n"
        "penstock_task_latency{subtask=\"1\",quantile=\"0.9\"} 3\n"
        "penstock_task_latency{subtask=\"1\",quantile=\"0.99\"} 3\n"
        "penstock_task_latency_sum{subtask=\"1\"} 3\n"
        "penstock_task_latency_count{subtask=\"1\"} 1\n"
        "# TYPE penstock_task_nothing gauge\n"
        "penstock_task_nothing{subtask=\"1\"} NaN\n"
        "# TYPE penstock_task_numRecordsIn counter\n"
        "penstock_task_numRecordsIn{job=\"a \\\"b\\\"\\\\c\\nd\",subtask=\"0\"} 3\n"
        "penstock_task_numRecordsIn{subtask=\"1\"} 4\n");
}

TEST_CASE("A destroyed group is no longer exported", "[metrics]") {
  MetricRegistry registry;
  auto group = registry.CreateGroup("p", {});
  group->GetCounter("n").Add();
  CHECK(registry.PrometheusText() == "# TYPE p_n counter\np_n 1\n");
  group.reset();
  CHECK(registry.PrometheusText().empty());
}

TEST_CASE("The same name gives the same metric, and Read has counters and gauges", "[metrics]") {
  MetricRegistry registry;
  const auto group = registry.CreateGroup("p", {});
  group->GetCounter("n").Add(2);
  group->GetCounter("n").Add(2);
  group->SetGauge("g", [] { return 1; });
  group->SetGauge("g", [] { return 7; });
  CHECK(group->Read() == std::map<std::string, double>{{"g", 7}, {"n", 4}});
}

TEST_CASE("Reading while the writer writes is safe", "[metrics]") {
  MetricRegistry registry;
  const auto group = registry.CreateGroup("p", {});
  Counter& counter = group->GetCounter("n");
  Histogram& histogram = group->GetHistogram("h");
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) {
      counter.Add();
      histogram.Record(i);
    }
  });
  for (int i = 0; i < 20; ++i) CHECK_FALSE(registry.PrometheusText().empty());
  writer.join();
  CHECK(counter.value() == 100'000);
}

}  // namespace penstock
