#include "runtime/state/keyed_table.h"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>

#include "runtime/state/testing/backends.h"

namespace penstock {
namespace {

KeyedBackendOptions Options() {
  KeyedBackendOptions options;
  options.range = {0, 7};
  options.key_groups = 7;
  return options;
}

TableSpec Spec(std::string name = "t") {
  return {.uid = "u", .name = std::move(name), .kind = "row", .key = SchemaOf<std::string>(), .value = SchemaOf<int>()};
}

TEST_CASE("KeyedTable does what a map does, over random operations", "[state]") {
  const uint32_t seed = 11 + Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  // A poor hash makes long probe sequences and equal fragments.
  const bool poor = GENERATE(false, true);
  KeyHasher<std::string> hasher;
  KeyedBackend backend(Options());
  KeyedTable<std::string, int> table(Spec());
  REQUIRE(backend.Register(table).ok());
  REQUIRE(backend.Start({}).ok());
  std::unordered_map<std::string, int> model;
  for (int step = 0; step < 50'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 300);
    const uint64_t hash = poor ? hasher(key) % 7 : hasher(key);
    const uint32_t slot = table.Find(hash, key);
    REQUIRE((slot != table.kNone) == (model.count(key) == 1));
    if (slot != table.kNone) REQUIRE(table.value(slot) == model[key]);
    if (random() % 4 < 2) {
      REQUIRE(table.value(table.FindOrInsert(hash, key))++ == model[key]++);
    } else if (slot != table.kNone) {
      table.Erase(slot);
      model.erase(key);
    }
    REQUIRE(table.entries() == static_cast<int64_t>(model.size()));
  }
}

TEST_CASE("the keys of a group are found in both tiers", "[state]") {
  const auto kind = GENERATE(state_testing::BackendKind::kHashmap, state_testing::BackendKind::kRocksdb);
  INFO(state_testing::Name(kind));
  state_testing::BackendMaker maker(kind);
  KeyedBackend backend(maker.Options({0, 7}, 7));
  KeyedTable<std::string, int> table(Spec());
  REQUIRE(backend.Register(table).ok());
  REQUIRE(backend.Start({}).ok());
  KeyHasher<std::string> hasher;
  std::set<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + std::to_string(i);
    backend.MakeRoom();
    const uint32_t slot = table.FindOrInsert(hasher(key), key);
    if (i % 3 == 0) table.Erase(slot);
    if (i % 100 == 0) REQUIRE(backend.Trickle().ok());
    if (i % 3 != 0) expected.insert(key);
  }
  for (int i = 0; i < 3000; i += 5) {  // some of them evicted by now
    const std::string key = "k" + std::to_string(i);
    const uint32_t slot = table.Find(hasher(key), key);
    if (slot != table.kNone) table.Erase(slot);
    expected.erase(key);
  }
  if (kind == state_testing::BackendKind::kRocksdb) CHECK(backend.ReadFigures().evicted_entries > 0);
  std::set<std::string> found;
  for (uint32_t group = 0; group < 7; ++group) {
    std::set<std::string> keys;
    table.CollectKeys(group, keys);
    for (const std::string& bytes : keys) {
      ByteReader in(bytes);
      std::string key;
      REQUIRE(Serde<std::string>::Read(in, key));
      CHECK(KeyGroupOf(hasher(key), 7).value == group);
      CHECK(found.insert(key).second);
    }
  }
  CHECK(backend.status().ok());
  CHECK(found == expected);
}

TEST_CASE("tables make room for state that is in no table", "[state]") {
  state_testing::BackendMaker maker(state_testing::BackendKind::kRocksdb);
  KeyedBackendOptions options = maker.Options({0, 7}, 7);
  const auto budget = std::make_shared<HotBudget>();
  budget->bytes_max = 20'000;
  options.budget = budget;
  KeyedBackend backend(std::move(options));
  KeyedTable<std::string, int> table(Spec());
  REQUIRE(backend.Register(table).ok());
  REQUIRE(backend.Start({}).ok());
  KeyHasher<std::string> hasher;
  for (int i = 0; i < 160; ++i) {
    const std::string key = "k" + std::to_string(i);
    table.FindOrInsert(hasher(key), key);
  }
  REQUIRE(backend.Trickle().ok());
  CHECK(backend.ReadFigures().evicted_entries == 0);
  const int64_t before = budget->bytes;
  CHECK(before > 10'000);
  backend.ChargeState(15'000);
  CHECK(budget->bytes == before + 15'000);
  backend.MakeRoom();
  CHECK(backend.ReadFigures().evicted_entries > 0);
  backend.ChargeState(-15'000);
  REQUIRE(backend.Trickle().ok());
  CHECK(budget->bytes < before);
}

TEST_CASE("the segments of a chain share the memory of one", "[state]") {
  const state_testing::BackendKind kind = GENERATE_COPY(from_range(state_testing::AllBackends()));
  constexpr int64_t kMemoryBytes = 64 << 10;
  constexpr int kCuts = 100;
  state_testing::BackendMaker maker(kind);
  KeyedBackendOptions options = maker.Options({0, 7}, 7);
  options.segment_memory_bytes = kMemoryBytes;
  options.chain_replay_ms_max = 1'000'000;  // no new base
  const auto budget = std::make_shared<HotBudget>();
  options.budget = budget;
  KeyedBackend backend(std::move(options));
  TableSpec spec = Spec();
  spec.value = SchemaOf<std::string>();
  KeyedTable<std::string, std::string> table(spec);
  REQUIRE(backend.Register(table).ok());
  REQUIRE(backend.Start({}).ok());
  KeyHasher<std::string> hasher;
  absl::StatusOr<KeyedSnapshot> snapshot;
  for (int i = 1; i <= kCuts; ++i) {
    const uint32_t slot = table.FindOrInsert(hasher("key"), "key");
    table.value(slot) = std::string(10'000, static_cast<char>('a' + i % 26));
    table.MarkDirty(slot);
    snapshot = backend.Cut(static_cast<uint64_t>(i));
    REQUIRE(snapshot.ok());
  }
  int64_t bytes = 0;
  int64_t in_memory = 0;
  for (const ChainPart& part : snapshot->parts) {
    for (const ChainFile& file : part.files) {
      bytes += file.file->size_bytes();
      in_memory += file.file->memory_bytes();
    }
  }
  CHECK(bytes > kCuts * 10'000);
  CHECK(in_memory > 0);
  CHECK(in_memory <= kMemoryBytes);
  REQUIRE(backend.Trickle().ok());
  CHECK(budget->segment_bytes >= in_memory);  // it is told
}

TEST_CASE("a name can be taken once, and only before the task begins", "[state]") {
  KeyedBackend backend(Options());
  KeyedTable<std::string, int> table(Spec()), twin(Spec()), late(Spec("late"));
  REQUIRE(backend.Register(table).ok());
  CHECK(backend.Register(twin).code() == absl::StatusCode::kInvalidArgument);
  REQUIRE(backend.Start({}).ok());
  CHECK(backend.Register(late).code() == absl::StatusCode::kFailedPrecondition);
}

// Cuts until the chain begins with such a base.
void CutUntilBaseIs(KeyedBackend& backend, PartKind kind, uint64_t id) {
  for (const uint64_t last = id + 100; id <= last; ++id) {
    const absl::StatusOr<KeyedSnapshot> snapshot = backend.Cut(id);
    REQUIRE(snapshot.ok());
    if (!snapshot->parts.empty() && snapshot->parts.front().kind == kind) return;
    for (int i = 0; i < 10; ++i) {
      REQUIRE(backend.Trickle().ok());
      if (const std::optional<ChainPart> base = backend.TakeNewBase()) backend.OnBaseDurable(base->id);
    }
  }
  FAIL("no such base");
}

TEST_CASE("the base of a small state is a dump, of one that is partly on disk RocksDB's", "[state]") {
  state_testing::BackendMaker maker(state_testing::BackendKind::kRocksdb);
  KeyedBackendOptions options = maker.Options({0, 7}, 7);
  options.chain_replay_ms_max = -1;
  options.hot_bytes_max = 200'000;
  KeyedBackend backend(std::move(options));
  KeyedTable<std::string, int> table(Spec());
  REQUIRE(backend.Register(table).ok());
  REQUIRE(backend.Start({}).ok());
  KeyHasher<std::string> hasher;
  const auto set = [&](int i) {
    const std::string key = "key" + std::to_string(i);
    backend.MakeRoom();
    table.value(table.FindOrInsert(hasher(key), key)) = i;
  };
  for (int i = 0; i < 500; ++i) set(i);
  CutUntilBaseIs(backend, PartKind::kBase, 1);
  CHECK(backend.ReadFigures().evicted_entries == 0);
  for (int i = 0; i < 20'000; ++i) set(i);
  REQUIRE(backend.ReadFigures().evicted_entries > 0);
  CutUntilBaseIs(backend, PartKind::kRocksdbBase, 1000);
}

constexpr int64_t kHotBytesMax = 2'000'000;
constexpr size_t kLargeBytes = 6000;
// Values are weighed after so many changes at the latest.
constexpr int64_t kHotBytesReached = kHotBytesMax + static_cast<int64_t>(2 * kUnweighedMax * kLargeBytes);

TEST_CASE("large values keep to the budget between two trickles, and while a snapshot is loaded", "[state]") {
  state_testing::BackendMaker maker(state_testing::BackendKind::kRocksdb);
  maker.hot_bytes_max = kHotBytesMax;
  const bool tracks = GENERATE(true, false);
  const TableSpec spec{
      .uid = "u", .name = "t", .kind = "row", .key = SchemaOf<std::string>(), .value = SchemaOf<std::string>()};
  constexpr int kKeys = 5000;
  KeyHasher<std::string> hasher;
  std::vector<ChainPart> parts;
  {
    KeyedBackendOptions options = maker.Options({0, 7}, 7);
    options.track_changes = tracks;
    KeyedBackend backend(std::move(options));
    KeyedTable<std::string, std::string> table(spec);
    REQUIRE(backend.Register(table).ok());
    REQUIRE(backend.Start({}).ok());
    int64_t reached = 0;
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key" + std::to_string(i);
      backend.MakeRoom();
      reached = std::max(reached, backend.ReadFigures().hot_bytes);
      const uint32_t slot = table.FindOrInsert(hasher(key), key);
      table.MarkDirty(slot);
      table.value(slot).assign(kLargeBytes, 'x');
    }
    CHECK(reached > kHotBytesMax / 2);
    CHECK(reached < kHotBytesReached);
    const absl::StatusOr<KeyedSnapshot> snapshot = backend.Cut(1);
    REQUIRE(snapshot.ok());
    parts = snapshot->parts;
  }
  KeyedBackend restored(maker.Options({0, 7}, 7));
  KeyedTable<std::string, std::string> table(spec);
  REQUIRE(restored.Register(table).ok());
  REQUIRE(restored.Start(parts).ok());
  CHECK(restored.ReadFigures().hot_bytes < kHotBytesReached);
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "key" + std::to_string(i);
    restored.MakeRoom();
    const uint32_t slot = table.Find(hasher(key), key);
    REQUIRE(slot != table.kNone);
    REQUIRE(table.value(slot).size() == kLargeBytes);
  }
}

}  // namespace
}  // namespace penstock
