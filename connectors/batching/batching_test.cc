#include <catch2/catch.hpp>
#include <set>

#include "connectors/batching/batch_delivery.h"
#include "connectors/batching/batch_writer.h"
#include "penstock/testing/fake_context.h"
#include "runtime/core/status.h"
#include "tests/support/require_ok.h"

namespace penstock {
namespace {

using testing::FakeContext;

TryResult Passing(int64_t retry_after_ms = -1) {
  return {.status = Unavailable("broken pipe"), .retry = true, .retry_after_ms = retry_after_ms};
}

TEST_CASE("waits between tries grow, are shortened at random, and end at the longest", "[batching]") {
  ManualClock clock(1'000);
  FakeContext context;
  context.set_clock(clock);
  context.on_wait = [&] {
    clock.AdvanceMs(50);
    return true;
  };
  Mutex mutex;
  std::vector<int64_t> times;
  BatchDelivery delivery(context, "there", 1,
                         {.first = std::chrono::milliseconds(100), .longest = std::chrono::milliseconds(400)});
  REQUIRE_OK(delivery.Submit([&](int, const StopRequest&) -> TryResult {
    MutexLock lock(&mutex);
    times.push_back(clock.MonotonicMs());
    return times.size() < 7 ? Passing(times.size() == 6 ? 1'000 : -1) : TryResult{};
  }));
  REQUIRE_OK(delivery.Drain());
  REQUIRE(times.size() == 7);
  const int64_t longest[] = {100, 200, 400, 400, 400, 1'000};
  constexpr int64_t kSlack = 400;  // rounds of the clock until the lane looks at it again
  for (size_t i = 0; i < 6; ++i) {
    const int64_t waited = times[i + 1] - times[i];
    INFO("wait " << i << ": " << waited << " ms");
    CHECK(waited >= (i == 5 ? longest[i] : longest[i] / 2));
    CHECK(waited <= longest[i] + kSlack);
  }
  CHECK(std::any_of(context.notes.begin(), context.notes.end(),
                    [](const std::string& note) { return note == "there: broken pipe; retrying"; }));
  CHECK(context.note.empty());
}

TEST_CASE("it gives up after a while, and says after how many tries", "[batching]") {
  ManualClock clock(1'000);
  FakeContext context;
  context.set_clock(clock);
  context.on_wait = [&] {
    clock.AdvanceMs(50);
    return true;
  };
  BatchDelivery delivery(context, "there", 1, {.give_up = std::chrono::milliseconds(1'000)});
  REQUIRE_OK(delivery.Submit([](int, const StopRequest&) { return Passing(); }));
  const absl::Status status = delivery.Drain();
  CHECK(absl::IsUnavailable(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("there: given up after") && Catch::Contains("tries") && Catch::Contains("broken pipe"));
  CHECK_FALSE(delivery.Submit([](int, const StopRequest&) { return TryResult{}; }).ok());
}

TEST_CASE("an error that does not pass ends it at once", "[batching]") {
  FakeContext context;
  std::atomic<int> tries{0};
  BatchDelivery delivery(context, "there", 2, {});
  REQUIRE_OK(delivery.Submit([&](int, const StopRequest&) -> TryResult {
    ++tries;
    return {.status = InvalidArgument("no such column")};
  }));
  CHECK(delivery.Drain().message() == "there: no such column");
  CHECK(delivery.Check().message() == "there: no such column");
  CHECK(tries == 1);
}

TEST_CASE("as many batches are in flight as there are lanes; the next waits", "[batching]") {
  FakeContext context;
  Mutex mutex;
  CondVar changed;
  std::set<int> running;
  bool open = false;
  const auto block = [&](int lane, const StopRequest&) -> TryResult {
    MutexLock lock(&mutex);
    running.insert(lane);
    changed.NotifyAll();
    while (!open) changed.Wait(&mutex);
    return {};
  };
  BatchDelivery delivery(context, "there", 3, {});
  for (int i = 0; i < 3; ++i) {
    CHECK(delivery.HasFreeLane());
    REQUIRE_OK(delivery.Submit(block));
  }
  CHECK_FALSE(delivery.HasFreeLane());
  context.on_wait = [&] {
    MutexLock lock(&mutex);
    while (running.size() < 3) changed.Wait(&mutex);
    open = true;
    changed.NotifyAll();
    return true;
  };
  REQUIRE_OK(delivery.Submit([](int, const StopRequest&) { return TryResult{}; }));
  CHECK(context.waited_for.contains("a batch to be delivered"));
  REQUIRE_OK(delivery.Drain());
  CHECK(running == std::set<int>{0, 1, 2});
}

TEST_CASE("Close ends waits between tries, and tells a try", "[batching]") {
  FakeContext context;
  context.on_wait = [] { return false; };
  BatchDelivery delivery(
      context, "there", 2,
      {.first = std::chrono::hours(1), .longest = std::chrono::hours(1), .give_up = std::chrono::hours(9)});
  REQUIRE_OK(delivery.Submit([](int, const StopRequest&) { return Passing(); }));
  REQUIRE_OK(delivery.Submit([](int, const StopRequest& stop) -> TryResult {
    stop.WaitMs(Clock::System(), 3'600'000);
    return Passing();
  }));
  CHECK(absl::IsCancelled(delivery.Drain()));
  const int64_t start = Clock::System().MonotonicMs();
  delivery.Close();
  delivery.Close();
  CHECK(Clock::System().MonotonicMs() - start < 5'000);
}

// ---- batches ----
struct Numbers {
  std::vector<int> values;
  size_t records() const { return values.size(); }
  size_t bytes() const { return values.size() * 4; }
};
struct Sent {
  Mutex mutex;
  std::vector<std::vector<int>> batches ABSL_GUARDED_BY(mutex);
};
class Target final : public BatchTarget<int, Numbers> {
 public:
  explicit Target(Sent* sent) : sent_(sent) {}
  absl::Status Open(Context&) override { return absl::OkStatus(); }
  absl::Status Append(const int& value, TimestampMs, Numbers& batch) override {
    batch.values.push_back(value);
    return absl::OkStatus();
  }
  TryResult Try(int, const Numbers& batch, const StopRequest&) override {
    MutexLock lock(&sent_->mutex);
    sent_->batches.push_back(batch.values);
    return {};
  }

 private:
  Sent* const sent_;
};

TEST_CASE("a batch goes when it is full, when it has waited, and at a flush", "[batching]") {
  ManualClock clock(1'000);
  FakeContext context;
  context.set_clock(clock);
  Sent sent;
  BatchWriter<int, Numbers> writer(std::make_unique<Target>(&sent), "there", 1, {.records_max = 3, .bytes_max = 1000},
                                   {});
  REQUIRE_OK(writer.Open(context));
  const auto batches = [&] {
    MutexLock lock(&sent.mutex);
    return sent.batches;
  };
  for (int i = 1; i <= 4; ++i) REQUIRE_OK(writer.Write(i, kNoTimestamp));
  REQUIRE(context.WaitUntil("the full one", [&] { return batches().size() == 1; }));
  REQUIRE_OK(writer.Tick());
  clock.AdvanceMs(99);
  REQUIRE_OK(writer.Tick());
  CHECK(batches().size() == 1);
  clock.AdvanceMs(1);
  context.WaitUntil("a free lane and its time", [&] { return writer.Tick().ok() && batches().size() == 2; });
  REQUIRE_OK(writer.Write(5, kNoTimestamp));
  REQUIRE_OK(writer.Flush());
  REQUIRE_OK(writer.Flush());
  CHECK(batches() == std::vector<std::vector<int>>{{1, 2, 3}, {4}, {5}});
}

}  // namespace
}  // namespace penstock
