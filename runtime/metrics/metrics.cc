#include "runtime/metrics/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace penstock {
namespace {

constexpr double kExportedQuantiles[] = {0.5, 0.9, 0.99};

// Values 0..3 have a bucket each; above, every power of two has four.
int BucketOf(int64_t value) {
  if (value < 4) return static_cast<int>(std::max<int64_t>(value, 0));
  const int top_bit = 63 - std::countl_zero(static_cast<uint64_t>(value));
  return 4 * (top_bit - 1) + static_cast<int>(value >> (top_bit - 2) & 3);
}

int64_t UpperBoundOf(int bucket) {
  if (bucket < 4) return bucket;
  const int top_bit = bucket / 4 + 1;
  const uint64_t past_end = static_cast<uint64_t>(4 + bucket % 4 + 1) << (top_bit - 2);
  return static_cast<int64_t>(past_end - 1);
}

// Prometheus names are [a-zA-Z_:][a-zA-Z0-9_:]*; anything else becomes '_'.
std::string SanitizeName(std::string_view name) {
  std::string clean;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (digit && clean.empty()) clean += '_';
    clean += letter || digit ? c : '_';
  }
  return clean.empty() ? "_" : clean;
}

std::string EscapeLabelValue(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '"') {
      escaped += "\\\"";
    } else if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string FormatLabels(const Labels& labels, std::string_view extra = {}) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", SanitizeName(name), EscapeLabelValue(value));
  }
  if (!extra.empty()) text += fmt::format("{}{}", text.empty() ? "" : ",", extra);
  return text.empty() ? "" : "{" + text + "}";
}

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// All samples of one metric name, which the format wants together.
struct Family {
  const char* type;
  std::string samples;
};

}  // namespace

void Histogram::Record(int64_t value) {
  const int64_t counted = std::max<int64_t>(value, 0);
  std::atomic<int64_t>& bucket = buckets_[static_cast<size_t>(BucketOf(counted))];
  bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sum_.store(sum_.load(std::memory_order_relaxed) + counted, std::memory_order_relaxed);
  count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

int64_t Histogram::Quantile(double q) const {
  // The buckets are counted afresh: the writer may be between its bucket and count_.
  int64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  const auto rank = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(q * static_cast<double>(total))));
  int64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += buckets_[static_cast<size_t>(i)].load(std::memory_order_relaxed);
    if (seen >= rank) return UpperBoundOf(i);
  }
  return UpperBoundOf(kBuckets - 1);
}

MetricGroup::MetricGroup(MetricRegistry* registry, std::string prefix, Labels labels)
    : registry_(registry), prefix_(std::move(prefix)), labels_(std::move(labels)) {}

MetricGroup::~MetricGroup() {
  MutexLock lock(&registry_->mutex_);
  std::erase(registry_->groups_, this);
}

Counter& MetricGroup::GetCounter(std::string_view name) {
  MutexLock lock(&mutex_);
  auto found = counters_.find(name);
  if (found == counters_.end()) found = counters_.emplace(name, std::make_unique<Counter>()).first;
  return *found->second;
}

Histogram& MetricGroup::GetHistogram(std::string_view name) {
  MutexLock lock(&mutex_);
  auto found = histograms_.find(name);
  if (found == histograms_.end()) found = histograms_.emplace(name, std::make_unique<Histogram>()).first;
  return *found->second;
}

void MetricGroup::SetGauge(std::string_view name, std::function<double()> read) {
  MutexLock lock(&mutex_);
  gauges_.insert_or_assign(std::string(name), std::move(read));
}

std::map<std::string, double> MetricGroup::Read() const {
  std::map<std::string, double> values;
  MutexLock lock(&mutex_);
  for (const auto& [name, counter] : counters_) values[name] = static_cast<double>(counter->value());
  for (const auto& [name, read] : gauges_) values[name] = read();
  return values;
}

std::unique_ptr<MetricGroup> MetricRegistry::CreateGroup(std::string prefix, Labels labels) {
  std::unique_ptr<MetricGroup> group(new MetricGroup(this, std::move(prefix), std::move(labels)));
  MutexLock lock(&mutex_);
  groups_.push_back(group.get());
  return group;
}

std::string MetricRegistry::PrometheusText() const {
  std::map<std::string, Family> families;
  const auto family = [&families](const MetricGroup& group, std::string_view name, const char* type) {
    return families.try_emplace(SanitizeName(group.prefix_ + "_" + std::string(name)), Family{type, ""}).first;
  };
  MutexLock lock(&mutex_);
  for (const MetricGroup* group : groups_) {
    MutexLock group_lock(&group->mutex_);
    const std::string labels = FormatLabels(group->labels_);
    for (const auto& [name, counter] : group->counters_) {
      const auto it = family(*group, name, "counter");
      it->second.samples += fmt::format("{}{} {}\n", it->first, labels, counter->value());
    }
    for (const auto& [name, read] : group->gauges_) {
      const auto it = family(*group, name, "gauge");
      it->second.samples += fmt::format("{}{} {}\n", it->first, labels, FormatNumber(read()));
    }
    for (const auto& [name, histogram] : group->histograms_) {
      const auto it = family(*group, name, "summary");
      for (const double q : kExportedQuantiles) {
        it->second.samples +=
            fmt::format("{}{} {}\n", it->first, FormatLabels(group->labels_, fmt::format("quantile=\"{}\"", q)),
                        histogram->Quantile(q));
      }
      it->second.samples +=
          fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", it->first, labels, histogram->sum(), histogram->count());
    }
  }
  std::string text;
  for (const auto& [name, found] : families) text += fmt::format("# TYPE {} {}\n{}", name, found.type, found.samples);
  return text;
}

}  // namespace penstock
