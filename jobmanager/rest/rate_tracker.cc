#include "jobmanager/rest/rate_tracker.h"

namespace penstock::jobmanager {

void RateTracker::Observe(const ClusterSnapshot& snapshot, int64_t now_ms) {
  MutexLock lock(&mutex_);
  Samples kept;
  for (const auto& job : snapshot.jobs) {
    if (IsTerminal(job->state)) continue;
    for (const VertexSnapshot& vertex : job->vertices) {
      const auto key = std::make_pair(job->id, vertex.vertex.id());
      Sample sample{.time_ms = now_ms};
      for (const SubtaskSnapshot& subtask : vertex.subtasks) {
        sample.records_in += subtask.metrics.records_in();
        sample.records_out += subtask.metrics.records_out();
        sample.bytes_in += subtask.metrics.bytes_in();
        sample.bytes_out += subtask.metrics.bytes_out();
      }
      std::deque<Sample> samples = std::move(samples_[key]);
      const bool went_back = !samples.empty() && (sample.records_in < samples.back().records_in ||
                                                  sample.records_out < samples.back().records_out);
      if (went_back) samples.clear();
      samples.push_back(sample);
      if (samples.size() > kRateSamplesMax) samples.pop_front();
      kept.emplace(key, std::move(samples));
    }
  }
  samples_ = std::move(kept);
}

VertexRates RateTracker::RatesOf(const std::string& job_id, const std::string& vertex_id) const {
  MutexLock lock(&mutex_);
  const auto found = samples_.find({job_id, vertex_id});
  if (found == samples_.end() || found->second.size() < 2) return {};
  const Sample& first = found->second.front();
  const Sample& last = found->second.back();
  const auto seconds = static_cast<double>(last.time_ms - first.time_ms) / 1000;
  if (seconds <= 0) return {};
  const auto slope = [seconds](int64_t from, int64_t to) { return static_cast<double>(to - from) / seconds; };
  return VertexRates{.records_in = slope(first.records_in, last.records_in),
                     .records_out = slope(first.records_out, last.records_out),
                     .bytes_in = slope(first.bytes_in, last.bytes_in),
                     .bytes_out = slope(first.bytes_out, last.bytes_out)};
}

}  // namespace penstock::jobmanager
