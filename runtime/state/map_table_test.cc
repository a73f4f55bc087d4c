#include "runtime/state/map_table.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/state/testing/backends.h"

namespace penstock {
namespace {

using state_testing::BackendKind;
using state_testing::BackendMaker;

constexpr uint32_t kGroups = 12;
using Map = MapTable<int32_t, std::string>;

struct MapTask {
  MapTask(BackendMaker& maker, std::vector<ChainPart> parts, bool expires = false, const Clock* clock = nullptr)
      : backend(Options(maker, clock)),
        maps({.uid = "op",
              .name = "maps",
              .kind = "map",
              .expires = expires,
              .key = SchemaOf<std::string>(),
              .value = SchemaOf<std::string>()},
             [](ByteReader& in) {
               std::string key;
               return Serde<std::string>::Read(in, key);
             }) {
    REQUIRE(backend.Register(maps).ok());
    REQUIRE(backend.Start(std::move(parts)).ok());
  }
  static KeyedBackendOptions Options(BackendMaker& maker, const Clock* clock) {
    KeyedBackendOptions options = maker.Options({0, kGroups}, kGroups);
    if (clock != nullptr) options.clock = clock;
    return options;
  }
  uint32_t Box(const std::string& key) {
    backend.MakeRoom();
    ByteWriter bytes;
    Serde<std::string>::Write(key, bytes);
    return maps.BoxOf(KeyHasher<std::string>()(key), bytes.view());
  }
  KeyedBackend backend;
  Map maps;
};

TEST_CASE("maps equal a model over cuts, restores and evictions", "[state]") {
  const BackendKind kind =
      GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb, BackendKind::kMoving, BackendKind::kRoomy);
  const uint32_t seed = Catch::rngSeed() + 9;
  INFO("backend " << state_testing::Name(kind) << ", seed " << seed);
  std::mt19937 random(seed);
  BackendMaker maker(kind);
  auto task = std::make_unique<MapTask>(maker, std::vector<ChainPart>{});
  std::map<std::string, std::map<int32_t, std::string>> model;
  for (int round = 0; round < 12; ++round) {
    for (int step = 0; step < 1000; ++step) {
      const std::string key = "k" + std::to_string(random() % 60);
      const int32_t map_key = static_cast<int32_t>(random() % 12);
      const uint32_t slot = task->Box(key);
      switch (random() % 6) {
        case 0:
          task->maps.Remove(slot, map_key);
          model[key].erase(map_key);
          break;
        case 1: {
          if (random() % 10 != 0) break;
          task->maps.Clear(slot);
          model[key].clear();
          break;
        }
        case 2: {
          std::map<int32_t, std::string> all;
          for (const auto& [k, item] : task->maps.items(slot)) all[k] = item.value;
          REQUIRE(all == model[key]);
          break;
        }
        default: {
          const std::string value(random() % 50, 'x');
          task->maps.Put(slot, map_key, value, 0);
          model[key][map_key] = value;
        }
      }
      task->maps.DropIfEmpty(slot);
      REQUIRE(task->backend.Trickle().ok());
    }
    const absl::StatusOr<KeyedSnapshot> snapshot = task->backend.Cut(static_cast<uint64_t>(round) + 1);
    REQUIRE(snapshot.ok());
    std::set<std::string> found;
    std::set<std::string> expected;
    for (uint32_t group = 0; group < kGroups; ++group) task->maps.CollectKeys(group, found);
    for (const auto& [key, map] : model) {
      ByteWriter bytes;
      Serde<std::string>::Write(key, bytes);
      if (!map.empty()) expected.emplace(bytes.view());
    }
    REQUIRE(found == expected);
    if (const auto base = task->backend.TakeNewBase()) task->backend.OnBaseDurable(base->id);
    if (round % 2 == 1) {
      task.reset();
      task = std::make_unique<MapTask>(maker, snapshot->parts);
    }
  }
}

TEST_CASE("an expired entry of a map is swept, and left out of what a snapshot brings back", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb);
  ManualClock clock(1000);
  BackendMaker maker(kind);
  maker.hot_bytes_max = 1'000'000;
  MapTask task(maker, {}, true, &clock);
  const uint32_t slot = task.Box("a");
  task.maps.Put(slot, 1, "short", 2000);
  task.maps.Put(slot, 2, "long", 9000);
  const absl::StatusOr<KeyedSnapshot> snapshot = task.backend.Cut(1);
  REQUIRE(snapshot.ok());
  clock.AdvanceMs(1500);
  REQUIRE(task.backend.Trickle().ok());
  CHECK(task.maps.items(slot).size() == 1);
  MapTask restored(maker, snapshot->parts, true, &clock);
  const auto& items = restored.maps.items(restored.Box("a"));
  REQUIRE(items.size() == 1);
  CHECK(items.begin()->second.value == "long");
}

TEST_CASE("what a map holds is counted as its entries come and go", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb);
  BackendMaker maker(kind);
  maker.hot_bytes_max = 1'000'000;
  MapTask task(maker, {}, true);
  const uint32_t slot = task.Box("a");
  const int64_t empty = task.backend.ReadFigures().hot_bytes;
  for (int i = 0; i < 100; ++i) task.maps.Put(slot, i, std::string(1000, 'x'), 0);
  CHECK(task.backend.ReadFigures().hot_bytes > empty + 100 * 1000);
  CHECK(task.backend.ReadFigures().hot_bytes < empty + 100 * 1300);
  task.maps.Put(slot, 1, "short", 0);
  task.maps.Remove(slot, 2);
  CHECK(task.backend.ReadFigures().hot_bytes < empty + 98 * 1300);
  const absl::StatusOr<KeyedSnapshot> snapshot = task.backend.Cut(1);
  REQUIRE(snapshot.ok());
  MapTask restored(maker, snapshot->parts, true);
  CHECK(restored.maps.items(restored.Box("a")).size() == 99);
  CHECK(restored.backend.ReadFigures().hot_bytes > empty + 98 * 1000);
  CHECK(restored.backend.ReadFigures().hot_bytes <= task.backend.ReadFigures().hot_bytes);
  task.maps.Clear(slot);
  CHECK(task.backend.ReadFigures().hot_bytes == empty);
}

}  // namespace
}  // namespace penstock
