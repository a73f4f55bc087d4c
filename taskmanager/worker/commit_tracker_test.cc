#include "taskmanager/worker/commit_tracker.h"

#include <catch2/catch.hpp>

namespace penstock::worker {
namespace {

const CommitTracker::Subtask kMap{"map", 0};
const CommitTracker::Subtask kSink{"sink", 1};

TEST_CASE("a decision is acknowledged once every task has committed it", "[commit]") {
  CommitTracker tracker({kMap, kSink});
  CHECK_FALSE(tracker.OnDecided(0));
  CHECK_FALSE(tracker.OnCommitted(kMap, 0));
  CHECK(tracker.OnCommitted(kSink, 0) == 0);
  CHECK_FALSE(tracker.OnCommitted(kSink, 0));  // told already
  CHECK_FALSE(tracker.OnCommitted({"stranger", 0}, 7));

  CHECK_FALSE(tracker.OnDecided(4));
  CHECK_FALSE(tracker.OnCommitted(kSink, 4));
  CHECK_FALSE(tracker.OnDecided(4));  // repeated, because nothing came
  CHECK(tracker.OnCommitted(kMap, 4) == 4);
  CHECK(tracker.OnDecided(4) == 4);  // the answer was lost
}

TEST_CASE("of several decisions the newest is acknowledged, and late notices of old ones change nothing", "[commit]") {
  CommitTracker tracker({kMap, kSink});
  CHECK_FALSE(tracker.OnCommitted(kMap, 2));  // by the barrier, before the notice
  CHECK_FALSE(tracker.OnDecided(2));
  CHECK_FALSE(tracker.OnDecided(3));
  CHECK_FALSE(tracker.OnCommitted(kSink, 2));
  CHECK_FALSE(tracker.OnDecided(1));
  CHECK_FALSE(tracker.OnCommitted(kMap, 3));
  CHECK(tracker.OnCommitted(kSink, 3) == 3);
}

TEST_CASE("a task that has come to its end has nothing left to commit", "[commit]") {
  CommitTracker tracker({kMap, kSink});
  CHECK_FALSE(tracker.OnFinished(kMap));
  CHECK_FALSE(tracker.OnDecided(9));
  CHECK(tracker.OnFinished(kSink) == 9);
  CHECK(tracker.OnDecided(10) == 10);
}

TEST_CASE("a worker without tasks acknowledges at once", "[commit]") {
  CommitTracker tracker({});
  CHECK(tracker.OnDecided(0) == 0);
}

}  // namespace
}  // namespace penstock::worker
