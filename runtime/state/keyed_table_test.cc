#include "runtime/state/keyed_table.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <unordered_map>

#include "runtime/record/key_hash.h"
#include "runtime/state/window_store.h"

namespace penstock {
namespace {

TEST_CASE("KeyedTable does what a map does, over random operations", "[state]") {
  const uint32_t seed = 11 + Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  // A poor hash makes long probe sequences and equal fragments.
  const bool poor = GENERATE(false, true);
  KeyHasher<std::string> hasher;
  KeyedTable<std::string, int> table;
  std::unordered_map<std::string, int> model;
  for (int step = 0; step < 50'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 300);
    const uint64_t hash = poor ? hasher(key) % 7 : hasher(key);
    switch (random() % 4) {
      case 0:
      case 1: {
        const int value = table.FindOrInsert(hash, key, [] { return 0; })++;
        REQUIRE(value == model[key]++);
        break;
      }
      case 2:
        REQUIRE(table.Erase(hash, key) == (model.erase(key) == 1));
        break;
      case 3: {
        const int* found = table.Find(hash, key);
        REQUIRE((found != nullptr) == (model.count(key) == 1));
        if (found != nullptr) REQUIRE(*found == model[key]);
        break;
      }
    }
    REQUIRE(table.size() == model.size());
  }
  while (!table.empty()) {
    REQUIRE(model.erase(table.at(table.size() - 1).key) == 1);
    table.PopBack();
    for (const auto& [key, value] : model) {
      const uint64_t hash = poor ? hasher(key) % 7 : hasher(key);
      REQUIRE(*table.Find(hash, key) == value);
      break;
    }
  }
  CHECK(model.empty());
}

TEST_CASE("WindowStore fires windows oldest first, in slices", "[state]") {
  WindowStore<std::string, int> store({0, 720}, 720);
  KeyHasher<std::string> hasher;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    store.FindOrInsert(i % 2 == 0 ? 2000 : 1000, hasher(key), key, [] { return 0; }) += i;
  }
  CHECK(store.first_end() == 1000);
  int taken = 0;
  int slices = 0;
  while (!store.TakeFromFirst(7, [&](const std::string& key, int value) {
    ++taken;
    CHECK(std::to_string(value) == key);
    CHECK(value % 2 == 1);
  })) {
    ++slices;
  }
  CHECK(taken == 50);
  CHECK(slices == 7);
  CHECK(store.first_end() == 2000);
}

}  // namespace
}  // namespace penstock
