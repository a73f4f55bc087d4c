// Turns the running totals of the snapshots into records per second.
//
// Keeps kRateSamplesMax totals per vertex of every live job; a rate is the slope between the oldest and the newest. A
// total that goes back (a new attempt) starts afresh. Thread-safe.
#ifndef PENSTOCK_JOBMANAGER_REST_RATE_TRACKER_H_
#define PENSTOCK_JOBMANAGER_REST_RATE_TRACKER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "jobmanager/snapshot.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

inline constexpr size_t kRateSamplesMax = 6;

struct VertexRates {
  double records_in = 0;
  double records_out = 0;
  double bytes_in = 0;
  double bytes_out = 0;
};

class RateTracker {
 public:
  void Observe(const ClusterSnapshot& snapshot, int64_t now_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  // Zero when unknown.
  VertexRates RatesOf(const std::string& job_id, const std::string& vertex_id) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Sample {
    int64_t time_ms = 0;
    int64_t records_in = 0;
    int64_t records_out = 0;
    int64_t bytes_in = 0;
    int64_t bytes_out = 0;
  };
  using Samples = std::map<std::pair<std::string, std::string>, std::deque<Sample>>;  // by job and vertex

  mutable Mutex mutex_;
  Samples samples_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_RATE_TRACKER_H_
