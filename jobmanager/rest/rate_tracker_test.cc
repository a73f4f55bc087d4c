#include "jobmanager/rest/rate_tracker.h"

#include <catch2/catch.hpp>

namespace penstock::jobmanager {
namespace {

ClusterSnapshot Snapshot(JobState state, int64_t records_in) {
  auto job = std::make_shared<JobSnapshot>();
  job->id = "job-1";
  job->state = state;
  VertexSnapshot vertex;
  vertex.vertex.set_id("vertex-1");
  vertex.subtasks.resize(2);
  vertex.subtasks[0].metrics.set_records_in(records_in);
  vertex.subtasks[1].metrics.set_records_out(records_in * 2);
  job->vertices.push_back(vertex);
  return ClusterSnapshot{.jobs = {job}};
}

}  // namespace

TEST_CASE("RateTracker gives the slope over its window", "[rest]") {
  RateTracker tracker;
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == 0);
  for (int i = 0; i < 20; ++i) tracker.Observe(Snapshot(JobState::kRunning, 100 * i), 1000 * i);
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == Approx(100));
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_out == Approx(200));
  // Nothing more comes: the rate falls to zero within the window.
  for (int i = 20; i < 26; ++i) tracker.Observe(Snapshot(JobState::kRunning, 1900), 1000 * i);
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == 0);
}

TEST_CASE("RateTracker starts afresh with a new attempt and forgets ended jobs", "[rest]") {
  RateTracker tracker;
  tracker.Observe(Snapshot(JobState::kRunning, 1000), 0);
  tracker.Observe(Snapshot(JobState::kRunning, 2000), 1000);
  tracker.Observe(Snapshot(JobState::kRunning, 10), 2000);
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == 0);
  tracker.Observe(Snapshot(JobState::kRunning, 60), 3000);
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == Approx(50));
  tracker.Observe(Snapshot(JobState::kFinished, 60), 4000);
  CHECK(tracker.RatesOf("job-1", "vertex-1").records_in == 0);
}

}  // namespace penstock::jobmanager
