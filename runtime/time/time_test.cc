#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/time/split_clock.h"
#include "runtime/time/time_merge.h"
#include "runtime/time/watermark_tracker.h"

namespace penstock {
namespace {

TEST_CASE("WatermarkTracker takes the minimum over active inputs and names the holder", "[time]") {
  WatermarkTracker tracker(3);
  tracker.OnWatermark(0, 10);
  tracker.OnWatermark(1, 20);
  CHECK_FALSE(tracker.Update().advanced);
  CHECK(tracker.holder() == 2);
  tracker.OnWatermark(2, 15);
  auto change = tracker.Update();
  CHECK(change.advanced);
  CHECK(change.watermark == 10);
  CHECK(tracker.holder() == 0);
}

TEST_CASE("WatermarkTracker: an idle input does not hold time back, and never turns it back", "[time]") {
  WatermarkTracker tracker(2);
  tracker.OnWatermark(0, 100);
  tracker.OnStatus(1, InputStatus::kIdle);
  CHECK(tracker.Update().watermark == 100);
  tracker.OnStatus(1, InputStatus::kActive);
  tracker.OnWatermark(1, 50);
  CHECK_FALSE(tracker.Update().advanced);
  CHECK(tracker.watermark() == 100);
  tracker.OnStatus(0, InputStatus::kIdle);
  tracker.OnStatus(1, InputStatus::kIdle);
  const auto change = tracker.Update();
  CHECK(change.idle);
  CHECK(change.idle_changed);
  CHECK_FALSE(change.advanced);
}

TEST_CASE("WatermarkTracker: finished inputs leave the minimum and do not push it to infinity", "[time]") {
  WatermarkTracker tracker(2);
  tracker.OnWatermark(0, 5);
  tracker.OnWatermark(1, 100);
  tracker.OnStatus(0, InputStatus::kFinished);
  CHECK(tracker.Update().watermark == 100);
  tracker.OnStatus(1, InputStatus::kFinished);
  const auto change = tracker.Update();
  CHECK_FALSE(change.advanced);
  CHECK_FALSE(change.idle);
  CHECK(tracker.watermark() == 100);
  CHECK(tracker.all_finished());
}

TEST_CASE("WatermarkTracker: the end of time is heard from an idle input", "[time]") {
  WatermarkTracker tracker(2);
  tracker.OnStatus(0, InputStatus::kIdle);
  tracker.OnStatus(1, InputStatus::kIdle);
  CHECK(tracker.Update().idle);
  tracker.OnWatermark(0, kMaxWatermark);
  WatermarkTracker::Change change = tracker.Update();
  CHECK(change.advanced);
  CHECK(change.watermark == kMaxWatermark);
  CHECK((change.idle_changed && !change.idle));
  tracker.OnStatus(0, InputStatus::kFinished);
  tracker.OnWatermark(0, kMaxWatermark);
  CHECK(tracker.status(0) == InputStatus::kFinished);
}

TEST_CASE("TimeMerge tells one receiver what several inputs say", "[time]") {
  struct Told final : ReceiverBase {
    void OnWatermark(TimestampMs watermark) override { news.push_back("w" + std::to_string(watermark)); }
    void OnIdle(bool idle) override { news.emplace_back(idle ? "idle" : "active"); }
    std::vector<std::string> news;
  } told;
  TimeMerge merge(&told);
  const int first = merge.AddInput();
  const int second = merge.AddInput();
  merge.OnWatermark(first, 5);
  CHECK(told.news.empty());
  merge.OnWatermark(second, 3);
  merge.OnIdle(second, true);
  merge.OnIdle(first, true);
  merge.OnIdle(second, false);
  merge.OnWatermark(second, 9);
  CHECK(told.news == std::vector<std::string>{"w3", "w5", "idle", "active", "w9"});
}

TEST_CASE("WatermarkTracker without inputs is idle", "[time]") {
  WatermarkTracker tracker(0);
  CHECK(tracker.Update().idle);
}

TEST_CASE("SplitClock: a split that is not caught up is never idle, however silent", "[time]") {
  SplitTable table;
  table.Add("p0");
  table.Add("p1");
  SplitClock clock(table, 5, 1000);
  table.SetCurrent(0);
  clock.OnRecord(100);
  CHECK_FALSE(clock.OnPoll(0).advanced);
  CHECK_FALSE(clock.OnPoll(1'000'000).advanced);  // p1 waits its turn: not idle
  table.SetCaughtUp(1, true);
  table.SetCaughtUp(0, false);
  CHECK_FALSE(clock.OnPoll(1'000'500).advanced);
  const auto change = clock.OnPoll(1'001'000);
  CHECK(change.advanced);
  CHECK(change.watermark == 94);
  table.SetCurrent(1);
  clock.OnRecord(50);
  table.SetCaughtUp(1, false);
  CHECK_FALSE(clock.OnPoll(1'001'001).advanced);
  CHECK(clock.holder() == 1);
}

TEST_CASE("SplitClock: without splits the subtask is idle, and finished splits leave", "[time]") {
  SplitTable none;
  SplitClock empty(none, 0, 1000);
  CHECK(empty.OnPoll(0).idle);
  SplitTable table;
  table.Add("a");
  table.Add("b");
  SplitClock clock(table, 0, kNeverIdle);
  table.SetCurrent(0);
  clock.OnRecord(10);
  table.Finish(1);
  CHECK(clock.OnPoll(0).watermark == 9);
}

TEST_CASE("SplitClock: while splits are being discovered the subtask has no time and is not idle", "[time]") {
  SplitTable table;
  table.SetDiscovering(true);
  SplitClock clock(table, 0, kNeverIdle);
  CHECK_FALSE(clock.OnPoll(0).idle_changed);
  table.Add("a");
  clock.OnRecord(10);
  CHECK_FALSE(clock.OnPoll(1).advanced);
  table.Add("b");
  table.SetDiscovering(false);
  CHECK_FALSE(clock.OnPoll(2).advanced);  // b has no time yet
  table.SetCurrent(1);
  clock.OnRecord(5);
  CHECK(clock.OnPoll(3).watermark == 4);
}

}  // namespace
}  // namespace penstock
