#include "jobmanager/job/job_state.h"

#include <catch2/catch.hpp>

namespace penstock::jobmanager {
namespace {

using enum JobState;
constexpr JobState kAll[] = {kInitializing, kCreated,  kRunning,  kFailing,   kFailed,
                             kCancelling,   kCanceled, kFinished, kRestarting};

TEST_CASE("Terminal job states are never left", "[job]") {
  for (JobState from : kAll) {
    if (!IsTerminal(from)) continue;
    for (JobState to : kAll) CHECK_FALSE(IsLegalTransition(from, to));
  }
}

TEST_CASE("Every job state that is not terminal can be cancelled, except one that already ends", "[job]") {
  for (JobState from : {kInitializing, kCreated, kRunning, kRestarting}) CHECK(IsLegalTransition(from, kCancelling));
  CHECK_FALSE(IsLegalTransition(kFailing, kCancelling));
}

TEST_CASE("A job finishes only from RUNNING and restarts only through CREATED", "[job]") {
  for (JobState from : kAll) CHECK(IsLegalTransition(from, kFinished) == (from == kRunning));
  CHECK_FALSE(IsLegalTransition(kRestarting, kRunning));
  CHECK(IsLegalTransition(kRestarting, kCreated));
}

TEST_CASE("Job state names are Flink's", "[job]") {
  CHECK(std::string(JobStateName(kCancelling)) == "CANCELLING");
  CHECK(std::string(JobStateName(kCanceled)) == "CANCELED");
}

}  // namespace
}  // namespace penstock::jobmanager
