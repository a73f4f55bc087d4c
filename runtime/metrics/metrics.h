// Counters, gauges, histograms and the registry that exports them.
//
// Counter and Histogram have one writer (the task's thread) and any number of readers: a relaxed load and store, no
// locked instruction on the record path. The registry is thread-safe; metrics live as long as their group.
#ifndef PENSTOCK_RUNTIME_METRICS_METRICS_H_
#define PENSTOCK_RUNTIME_METRICS_METRICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/mutex.h"

namespace penstock {

// Monotonic count with a single writer thread.
class Counter {
 public:
  void Add(int64_t by = 1) { value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Values in power-of-two-and-quarter buckets: relative error at most 25 %, fixed 2 KB. Single writer.
class Histogram {
 public:
  static constexpr int kBuckets = 256;
  void Record(int64_t value);  // negative counts as 0
  int64_t count() const { return count_.load(std::memory_order_relaxed); }
  int64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // Upper bound of the bucket that holds quantile q in [0, 1]; 0 when empty.
  int64_t Quantile(double q) const;

 private:
  std::array<std::atomic<int64_t>, kBuckets> buckets_{};
  std::atomic<int64_t> count_{0};
  std::atomic<int64_t> sum_{0};
};

using Labels = std::map<std::string, std::string>;

class MetricRegistry;

// The metrics of one owner (a task, an operator, a process) under one set of labels. Unregisters itself when destroyed.
class MetricGroup {
 public:
  ~MetricGroup();
  MetricGroup(const MetricGroup&) = delete;
  MetricGroup& operator=(const MetricGroup&) = delete;

  // The same name gives the same object. Names are Flink's (numRecordsIn) or the user's.
  Counter& GetCounter(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  Histogram& GetHistogram(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);
  // `read` is called on the exporting thread until the group is destroyed; replaces an earlier one of that name.
  void SetGauge(std::string_view name, std::function<double()> read) ABSL_LOCKS_EXCLUDED(mutex_);
  const Labels& labels() const { return labels_; }
  // Counters and gauges by name, as numbers.
  std::map<std::string, double> Read() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class MetricRegistry;
  MetricGroup(MetricRegistry* registry, std::string prefix, Labels labels);

  MetricRegistry* const registry_;
  const std::string prefix_;
  const Labels labels_;
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<Counter>, std::less<>> counters_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<Histogram>, std::less<>> histograms_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::function<double()>, std::less<>> gauges_ ABSL_GUARDED_BY(mutex_);
};

// All groups of a process. Outlives its groups.
class MetricRegistry {
 public:
  // prefix: "penstock_task" and such; metric names are appended with '_'.
  std::unique_ptr<MetricGroup> CreateGroup(std::string prefix, Labels labels) ABSL_LOCKS_EXCLUDED(mutex_);
  // Prometheus text exposition format 0.0.4. Metrics of one name are grouped under one TYPE line.
  std::string PrometheusText() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class MetricGroup;
  mutable Mutex mutex_;
  std::vector<MetricGroup*> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_METRICS_METRICS_H_
