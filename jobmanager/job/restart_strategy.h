// Decides whether and when a failed job gets another attempt. Pure: facts and times in, a delay out.
//
// Owner: the job. Errors: FromConfig names the key. Limits: fixed-delay counts attempts; exponential-delay is bounded
// by its maximum backoff only, failure-rate by how many failures fall into an interval.
#ifndef PENSTOCK_JOBMANAGER_JOB_RESTART_STRATEGY_H_
#define PENSTOCK_JOBMANAGER_JOB_RESTART_STRATEGY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace penstock {
class Config;
}

namespace penstock::jobmanager {

struct RestartOptions {
  // restart-strategy.type: auto | none | fixed-delay | exponential-delay | failure-rate. A restart without state would
  // begin at the start positions again and repeat output, so auto is none for a job without checkpoints.
  std::string type = "auto";
  int64_t fixed_delay_attempts = 1;                // restart-strategy.fixed-delay.attempts
  int64_t fixed_delay_ms = 1'000;                  // restart-strategy.fixed-delay.delay
  int64_t initial_backoff_ms = 100;                // restart-strategy.exponential-delay.initial-backoff
  int64_t max_backoff_ms = 60'000;                 // restart-strategy.exponential-delay.max-backoff
  double backoff_multiplier = 1.5;                 // restart-strategy.exponential-delay.backoff-multiplier
  int64_t reset_backoff_threshold_ms = 3'600'000;  // restart-strategy.exponential-delay.reset-backoff-threshold

  int64_t failures_per_interval = 1;      // restart-strategy.failure-rate.max-failures-per-interval
  int64_t failure_interval_ms = 60'000;   // restart-strategy.failure-rate.failure-rate-interval
  int64_t failure_rate_delay_ms = 1'000;  // restart-strategy.failure-rate.delay

  static RestartOptions From(const Config& config);
};

class RestartStrategy {
 public:
  virtual ~RestartStrategy() = default;
  // Whether a failure now would be followed by another attempt.
  virtual bool CanRestart() const = 0;
  // Counts one failure; the delay before the next attempt, or nothing when there is to be none.
  virtual std::optional<int64_t> OnFailure(int64_t now_ms) = 0;
};

// InvalidArgument names the key whose value is out of range.
absl::StatusOr<std::unique_ptr<RestartStrategy>> MakeRestartStrategy(const RestartOptions& options);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_JOB_RESTART_STRATEGY_H_
