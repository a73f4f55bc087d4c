#include "jobmanager/job/restart_strategy.h"

#include <catch2/catch.hpp>

#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

TEST_CASE("Without a restart strategy a job has one attempt", "[job]") {
  auto strategy = *MakeRestartStrategy({});
  CHECK_FALSE(strategy->CanRestart());
  CHECK_FALSE(strategy->OnFailure(0).has_value());
}

TEST_CASE("fixed-delay restarts its number of attempts", "[job]") {
  auto strategy = *MakeRestartStrategy({.type = "fixed-delay", .fixed_delay_attempts = 2, .fixed_delay_ms = 30});
  CHECK(strategy->OnFailure(0) == 30);
  CHECK(strategy->CanRestart());
  CHECK(strategy->OnFailure(1) == 30);
  CHECK_FALSE(strategy->CanRestart());
  CHECK_FALSE(strategy->OnFailure(2).has_value());
}

TEST_CASE("exponential-delay grows to its maximum and begins again after a quiet time", "[job]") {
  auto strategy = *MakeRestartStrategy({.type = "exponential-delay",
                                        .initial_backoff_ms = 100,
                                        .max_backoff_ms = 350,
                                        .backoff_multiplier = 2,
                                        .reset_backoff_threshold_ms = 1'000});
  CHECK(strategy->OnFailure(0) == 100);
  CHECK(strategy->OnFailure(200) == 200);
  CHECK(strategy->OnFailure(500) == 350);
  CHECK(strategy->OnFailure(1'000) == 350);
  CHECK(strategy->OnFailure(1'000 + 350 + 999) == 350);  // ran for 999 ms after its restart: not yet quiet
  CHECK(strategy->OnFailure(2'349 + 350 + 1'000) == 100);
  CHECK(strategy->CanRestart());
}

TEST_CASE("failure-rate restarts until too many failures fall into one interval", "[job]") {
  auto strategy = *MakeRestartStrategy(
      {.type = "failure-rate", .failures_per_interval = 2, .failure_interval_ms = 1'000, .failure_rate_delay_ms = 10});
  CHECK(strategy->OnFailure(0) == 10);
  CHECK(strategy->OnFailure(900) == 10);
  CHECK(strategy->OnFailure(1'001) == 10);  // the first is out of the interval
  CHECK(strategy->CanRestart());
  CHECK_FALSE(strategy->OnFailure(1'900).has_value());
  CHECK_FALSE(MakeRestartStrategy({.type = "failure-rate", .failures_per_interval = 0}).ok());
  CHECK_FALSE(MakeRestartStrategy({.type = "failure-rate", .failure_interval_ms = 0}).ok());
}

TEST_CASE("Restart options out of range are refused with the key named", "[job]") {
  CHECK(MessageOf(MakeRestartStrategy({.type = "sometimes"}).status()).find("restart-strategy.type 'sometimes'") == 0);
  CHECK_FALSE(MakeRestartStrategy({.type = "exponential-delay", .backoff_multiplier = 0.5}).ok());
  CHECK_FALSE(MakeRestartStrategy({.type = "exponential-delay", .max_backoff_ms = 1}).ok());
  CHECK_FALSE(MakeRestartStrategy({.type = "fixed-delay", .fixed_delay_attempts = -1}).ok());
}

}  // namespace
}  // namespace penstock::jobmanager
