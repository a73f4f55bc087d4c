#include "jobmanager/job/restart_strategy.h"

#include <algorithm>
#include <deque>

#include "runtime/core/config.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

class NoRestart final : public RestartStrategy {
 public:
  bool CanRestart() const override { return false; }
  std::optional<int64_t> OnFailure(int64_t) override { return std::nullopt; }
};

class FixedDelay final : public RestartStrategy {
 public:
  FixedDelay(int64_t attempts, int64_t delay_ms) : attempts_left_(attempts), delay_ms_(delay_ms) {}
  bool CanRestart() const override { return attempts_left_ > 0; }
  std::optional<int64_t> OnFailure(int64_t) override {
    if (attempts_left_ == 0) return std::nullopt;
    --attempts_left_;
    return delay_ms_;
  }

 private:
  int64_t attempts_left_;
  const int64_t delay_ms_;
};

class ExponentialDelay final : public RestartStrategy {
 public:
  explicit ExponentialDelay(const RestartOptions& options) : options_(options), next_ms_(options.initial_backoff_ms) {}
  bool CanRestart() const override { return true; }
  std::optional<int64_t> OnFailure(int64_t now_ms) override {
    // A job that ran undisturbed for the threshold has recovered: its next failure is a first one.
    if (last_failure_ms_ && now_ms - *last_failure_ms_ >= options_.reset_backoff_threshold_ms + last_delay_ms_) {
      next_ms_ = options_.initial_backoff_ms;
    }
    last_failure_ms_ = now_ms;
    last_delay_ms_ = next_ms_;
    const double grown = static_cast<double>(next_ms_) * options_.backoff_multiplier;
    next_ms_ = static_cast<int64_t>(std::min(grown, static_cast<double>(options_.max_backoff_ms)));
    return last_delay_ms_;
  }

 private:
  const RestartOptions options_;
  int64_t next_ms_;
  int64_t last_delay_ms_ = 0;
  std::optional<int64_t> last_failure_ms_;
};

class FailureRate final : public RestartStrategy {
 public:
  explicit FailureRate(const RestartOptions& options) : options_(options) {}
  bool CanRestart() const override { return true; }  // only the time of the failure tells
  std::optional<int64_t> OnFailure(int64_t now_ms) override {
    while (!failures_ms_.empty() && now_ms - failures_ms_.front() > options_.failure_interval_ms) {
      failures_ms_.pop_front();
    }
    if (static_cast<int64_t>(failures_ms_.size()) >= options_.failures_per_interval) return std::nullopt;
    failures_ms_.push_back(now_ms);
    return options_.failure_rate_delay_ms;
  }

 private:
  const RestartOptions options_;
  std::deque<int64_t> failures_ms_;  // within the interval, oldest first
};

absl::Status CheckFailureRate(const RestartOptions& options) {
  if (options.failures_per_interval < 1) {
    return InvalidArgument("restart-strategy.failure-rate.max-failures-per-interval is {}: it must be at least 1",
                           options.failures_per_interval);
  }
  if (options.failure_interval_ms < 1) {
    return InvalidArgument("restart-strategy.failure-rate.failure-rate-interval is {} ms: it must be at least 1 ms",
                           options.failure_interval_ms);
  }
  if (options.failure_rate_delay_ms < 0) return InvalidArgument("restart-strategy.failure-rate.delay is negative");
  return absl::OkStatus();
}

absl::Status CheckExponential(const RestartOptions& options) {
  if (options.initial_backoff_ms < 1) {
    return InvalidArgument("restart-strategy.exponential-delay.initial-backoff is {} ms: it must be at least 1 ms",
                           options.initial_backoff_ms);
  }
  if (options.max_backoff_ms < options.initial_backoff_ms) {
    return InvalidArgument(
        "restart-strategy.exponential-delay.max-backoff ({} ms) is smaller than initial-backoff ({} ms)",
        options.max_backoff_ms, options.initial_backoff_ms);
  }
  if (!(options.backoff_multiplier >= 1.0)) {
    return InvalidArgument("restart-strategy.exponential-delay.backoff-multiplier is {}: it must be at least 1",
                           options.backoff_multiplier);
  }
  if (options.reset_backoff_threshold_ms < 0) {
    return InvalidArgument("restart-strategy.exponential-delay.reset-backoff-threshold is negative");
  }
  return absl::OkStatus();
}

}  // namespace

RestartOptions RestartOptions::From(const Config& config) {
  RestartOptions options;
  options.type = config.GetString("restart-strategy.type");
  options.fixed_delay_attempts = config.GetInt("restart-strategy.fixed-delay.attempts");
  options.fixed_delay_ms = config.GetDurationMs("restart-strategy.fixed-delay.delay");
  const std::string exponential = "restart-strategy.exponential-delay.";
  options.initial_backoff_ms = config.GetDurationMs(exponential + "initial-backoff");
  options.max_backoff_ms = config.GetDurationMs(exponential + "max-backoff");
  options.backoff_multiplier = config.GetDouble(exponential + "backoff-multiplier");
  options.reset_backoff_threshold_ms = config.GetDurationMs(exponential + "reset-backoff-threshold");
  const std::string rate = "restart-strategy.failure-rate.";
  options.failures_per_interval = config.GetInt(rate + "max-failures-per-interval");
  options.failure_interval_ms = config.GetDurationMs(rate + "failure-rate-interval");
  options.failure_rate_delay_ms = config.GetDurationMs(rate + "delay");
  return options;
}

absl::StatusOr<std::unique_ptr<RestartStrategy>> MakeRestartStrategy(const RestartOptions& options) {
  if (options.type == "none" || options.type == "auto") return std::make_unique<NoRestart>();
  if (options.type == "fixed-delay") {
    if (options.fixed_delay_attempts < 0) return InvalidArgument("restart-strategy.fixed-delay.attempts is negative");
    if (options.fixed_delay_ms < 0) return InvalidArgument("restart-strategy.fixed-delay.delay is negative");
    return std::make_unique<FixedDelay>(options.fixed_delay_attempts, options.fixed_delay_ms);
  }
  if (options.type == "exponential-delay") {
    PENSTOCK_RETURN_IF_ERROR(CheckExponential(options));
    return std::make_unique<ExponentialDelay>(options);
  }
  if (options.type == "failure-rate") {
    PENSTOCK_RETURN_IF_ERROR(CheckFailureRate(options));
    return std::make_unique<FailureRate>(options);
  }
  return InvalidArgument(
      "restart-strategy.type '{}' is unknown: use none, fixed-delay, exponential-delay or failure-rate", options.type);
}

}  // namespace penstock::jobmanager
