#include "runtime/state/timer_table.h"

#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/state/testing/backends.h"

namespace penstock {
namespace {

using state_testing::BackendKind;
using state_testing::BackendMaker;

constexpr uint32_t kGroups = 12;

struct TimerTask {
  TimerTask(BackendMaker& maker, std::vector<ChainPart> parts)
      : backend(maker.Options({0, kGroups}, kGroups)),
        timers({.uid = "op",
                .name = "timers",
                .kind = "timers",
                .namespaced = true,
                .key = SchemaOf<std::string>(),
                .value = {}},
               50) {
    REQUIRE(backend.Register(timers).ok());
    REQUIRE(backend.Start(std::move(parts)).ok());
  }
  KeyedBackend backend;
  TimerTable timers;
};

TEST_CASE("timers fire in order of time, once, and come back from a snapshot", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb, BackendKind::kMoving,
                                    BackendKind::kRoomy);
  const uint32_t seed = Catch::rngSeed() + 5;
  INFO("backend " << state_testing::Name(kind) << ", seed " << seed);
  std::mt19937 random(seed);
  BackendMaker maker(kind);
  auto task = std::make_unique<TimerTask>(maker, std::vector<ChainPart>{});
  std::set<std::pair<int64_t, std::string>> model;
  int64_t now = -500;
  for (int round = 0; round < 12; ++round) {
    for (int step = 0; step < 300; ++step) {
      const std::string key = "k" + std::to_string(random() % 40);
      const uint32_t group = static_cast<uint32_t>(std::hash<std::string>()(key) % kGroups);
      const int64_t time = now + static_cast<int64_t>(random() % 300);
      if (random() % 5 == 0) {
        task->timers.Remove(time, group, key);
        model.erase({time, key});
      } else {
        task->timers.Add(time, group, key);
        model.insert({time, key});
      }
      if (random() % 10 == 0) {
        now += static_cast<int64_t>(random() % 20);
        while (const auto timer = task->timers.TakeDue(now)) {
          REQUIRE(!model.empty());
          REQUIRE(timer->time_ms == model.begin()->first);
          REQUIRE(model.erase({timer->time_ms, timer->key}) == 1);
        }
        REQUIRE((model.empty() || model.begin()->first > now));
      }
      REQUIRE(task->backend.Trickle().ok());
    }
    const absl::StatusOr<KeyedSnapshot> snapshot = task->backend.Cut(static_cast<uint64_t>(round) + 1);
    REQUIRE(snapshot.ok());
    if (const auto base = task->backend.TakeNewBase()) task->backend.OnBaseDurable(base->id);
    if (round % 3 == 2) {
      task.reset();
      task = std::make_unique<TimerTask>(maker, snapshot->parts);
    }
  }
}

}  // namespace
}  // namespace penstock
