// Figures of the keyed state: read-modify-write on a hot set and on one of ten times the budget (against plain RocksDB
// and against a hash map of the standard library), and what a cut costs with many keys. One line per figure.
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/memory/memory_arbiter.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/rocks_tier.h"

namespace penstock {
namespace {

constexpr int64_t kEntryBytes = 72;  // of this benchmark's tables, about

double SecondsSince(int64_t begin_ns) { return static_cast<double>(Clock::System().MonotonicNs() - begin_ns) / 1e9; }

struct BenchTask {
  BenchTask(const std::string& directory, int64_t hot_bytes_max, bool rocksdb, bool track = true,
            std::shared_ptr<RocksResources> resources = MakeRocksResources(32 << 20, 32 << 20))
      : backend(Options(directory, hot_bytes_max, rocksdb, track, std::move(resources))),
        table({.uid = "bench",
               .name = "counts",
               .kind = "row",
               .key = SchemaOf<int64_t>(),
               .value = SchemaOf<int64_t>()}) {
    Check(backend.Register(table));
    Check(backend.Start({}));
  }
  static void Check(const absl::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    std::exit(1);
  }
  static KeyedBackendOptions Options(const std::string& directory, int64_t hot_bytes_max, bool rocksdb, bool track,
                                     std::shared_ptr<RocksResources> resources) {
    KeyedBackendOptions options;
    options.range = {0, kDefaultKeyGroups};
    options.local_directory = directory;
    options.track_changes = track;
    options.background = [](std::function<void()> work) { std::thread(std::move(work)).detach(); };
    if (!rocksdb) return options;
    options.hot_bytes_max = hot_bytes_max;
    RocksOptions rocks;
    rocks.directory = directory + "/rocks";
    rocks.range = options.range;
    rocks.resources = std::move(resources);
    options.cold = MakeRocksTier(std::move(rocks));
    return options;
  }
  void Increment(int64_t key) {
    backend.MakeRoom();
    const uint32_t slot = table.FindOrInsert(hasher(key), key);
    ++table.value(slot);
    table.MarkDirty(slot);
  }
  KeyedBackend backend;
  KeyedTable<int64_t, int64_t> table;
  KeyHasher<int64_t> hasher;
};

constexpr int kTrickleEvery = 400;  // records: about a buffer of them

double RunIncrements(BenchTask& task, int64_t keys, int64_t operations) {
  std::mt19937_64 random(1);
  const int64_t begin = Clock::System().MonotonicNs();
  for (int64_t i = 0; i < operations; ++i) {
    task.Increment(static_cast<int64_t>(random() % static_cast<uint64_t>(keys)));
    if (i % kTrickleEvery == 0) BenchTask::Check(task.backend.Trickle());
  }
  return static_cast<double>(operations) / SecondsSince(begin);
}

double PlainHashMap(int64_t keys, int64_t operations) {
  std::unordered_map<int64_t, int64_t> map;
  for (int64_t i = 0; i < keys; ++i) map[i] = 0;
  std::mt19937_64 random(1);
  const int64_t begin = Clock::System().MonotonicNs();
  for (int64_t i = 0; i < operations; ++i) ++map[static_cast<int64_t>(random() % static_cast<uint64_t>(keys))];
  return static_cast<double>(operations) / SecondsSince(begin);
}

// Plain RocksDB with the memory that our hot tier and its database have together.
double PlainRocksdb(const std::string& directory, int64_t keys, int64_t operations, int64_t memory_bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = 16 << 20;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(static_cast<size_t>(memory_bytes));
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = 8 << 10;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, directory, &opened).ok()) std::exit(1);
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  const auto increment = [&](int64_t key) {
    KeyHasher<int64_t> hasher;
    char bytes[10];
    const uint32_t group = KeyGroupOf(hasher(key), kDefaultKeyGroups).value;
    bytes[0] = static_cast<char>(group >> 8);
    bytes[1] = static_cast<char>(group);
    std::memcpy(bytes + 2, &key, 8);
    rocksdb::PinnableSlice found;
    int64_t value = 0;
    const rocksdb::Slice key_slice(bytes, sizeof bytes);
    if (db->Get(rocksdb::ReadOptions(), db->DefaultColumnFamily(), key_slice, &found).ok()) {
      std::memcpy(&value, found.data(), sizeof value);
    }
    ++value;
    db->Put(write, key_slice, rocksdb::Slice(reinterpret_cast<char*>(&value), sizeof value));
  };
  for (int64_t i = 0; i < keys; ++i) increment(i);
  std::mt19937_64 random(1);
  const int64_t begin = Clock::System().MonotonicNs();
  for (int64_t i = 0; i < operations; ++i) increment(static_cast<int64_t>(random() % static_cast<uint64_t>(keys)));
  return static_cast<double>(operations) / SecondsSince(begin);
}

void Hot(const std::string& directory) {
  constexpr int64_t kKeys = 20'000;
  constexpr int64_t kOperations = 30'000'000;
  BenchTask tracked(directory, 0, false);
  RunIncrements(tracked, kKeys, kKeys * 10);
  const double ours = RunIncrements(tracked, kKeys, kOperations);
  const double plain = PlainHashMap(kKeys, kOperations);
  std::printf("hot set, %ld keys: %.1f M/s; std::unordered_map %.1f M/s; ratio %.2f\n", kKeys, ours / 1e6, plain / 1e6,
              ours / plain);
}

void OverBudget(const std::string& directory) {
  constexpr int64_t kKeys = 1'000'000;
  constexpr int64_t kOperations = 300'000;
  const int64_t budget = kKeys * kEntryBytes / 10;
  BenchTask task(directory, budget, true);
  for (int64_t i = 0; i < kKeys; ++i) {
    task.Increment(i);
    if (i % kTrickleEvery == 0) BenchTask::Check(task.backend.Trickle());
  }
  BenchTask::Check(task.backend.Cut(1).status());
  const double ours = RunIncrements(task, kKeys, kOperations);
  const double plain = PlainRocksdb(directory + "/plain", kKeys, kOperations, budget + (32 << 20));
  std::printf("10 x over budget, %ld keys, %ld MB: %.3f M/s; plain RocksDB get+put %.3f M/s; ratio %.2f\n", kKeys,
              budget >> 20, ours / 1e6, plain / 1e6, ours / plain);
}

// Synchronous part of a cut, 1 % of the keys changed in between.
void Cuts(const std::string& directory, bool rocksdb) {
  constexpr int64_t kKeys = 10'000'000;
  constexpr int kCuts = 40;
  BenchTask task(directory, INT64_MAX / 4, rocksdb);
  for (int64_t i = 0; i < kKeys; ++i) {
    task.Increment(i);
    if (i % kTrickleEvery == 0) BenchTask::Check(task.backend.Trickle());
  }
  BenchTask::Check(task.backend.Cut(1).status());
  std::mt19937_64 random(2);
  std::vector<double> cut_ms;
  std::vector<double> trickle_ms;
  int64_t bytes = 0;
  for (uint64_t cut = 0; cut < kCuts; ++cut) {
    for (int64_t i = 0; i < kKeys / 100; ++i) {
      task.Increment(static_cast<int64_t>(random() % kKeys));
      if (i % kTrickleEvery != 0) continue;
      const int64_t begin = Clock::System().MonotonicNs();
      BenchTask::Check(task.backend.Trickle());
      trickle_ms.push_back(SecondsSince(begin) * 1e3);
    }
    const int64_t begin = Clock::System().MonotonicNs();
    const absl::StatusOr<KeyedSnapshot> snapshot = task.backend.Cut(cut + 2);
    cut_ms.push_back(SecondsSince(begin) * 1e3);
    BenchTask::Check(snapshot.status());
    bytes += snapshot->parts.back().files.front().file->size_bytes();
  }
  std::sort(cut_ms.begin(), cut_ms.end());
  std::sort(trickle_ms.begin(), trickle_ms.end());
  std::printf("cut, %ld M keys, 1 %% changed, %s: median %.2f ms, p99 %.2f ms, %.1f MB each; trickle p99 %.2f ms\n",
              kKeys / 1'000'000, rocksdb ? "rocksdb" : "hashmap", cut_ms[kCuts / 2], cut_ms[kCuts * 99 / 100],
              static_cast<double>(bytes) / kCuts / 1e6, trickle_ms[trickle_ms.size() * 99 / 100]);
}

int64_t StatusBytes(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field + ":")) return std::atoll(line.c_str() + field.size() + 1) * 1024;
  }
  return 0;
}

// State of several times its memory: what the process holds beyond it.
void Memory(const std::string& directory) {
  constexpr int64_t kKeys = 20'000'000;
  constexpr int64_t kOperations = 2'000'000;
  constexpr int64_t kBudget = 256 << 20;
  constexpr int64_t kCutEvery = 500'000;
  constexpr int64_t kMegabyte = 1 << 20;
  const int64_t before = StatusBytes("VmRSS");
  const MemoryBytes shares = *SplitGrant({.state_bytes = kBudget, .stateful_tasks = 1});
  const std::shared_ptr<RocksResources> resources =
      MakeRocksResources(shares[MemoryHolder::kBlockCache], shares[MemoryHolder::kMemtables]);
  BenchTask task(directory, shares[MemoryHolder::kHotState], true, true, resources);
  uint64_t cuts = 0;
  int64_t peak_loaded = 0;
  const auto step = [&](int64_t i, int64_t key) {
    task.Increment(key);
    if (i % kTrickleEvery == 0) {
      BenchTask::Check(task.backend.Trickle());
      if (const auto base = task.backend.TakeNewBase()) task.backend.OnBaseDurable(base->id);
    }
    if (i % kCutEvery == kCutEvery - 1) BenchTask::Check(task.backend.Cut(++cuts).status());
  };
  const int64_t begin = Clock::System().MonotonicNs();
  for (int64_t i = 0; i < kKeys; ++i) {
    step(i, i);
    if (i % (kKeys / 10) != 0) continue;
    const KeyedFigures figures = task.backend.ReadFigures();
    std::fprintf(stderr, "%ld M keys: RSS %ld MB; hot %ld MB, cache %ld MB, memtables %ld MB, chain %ld parts\n",
                 i / 1'000'000, StatusBytes("VmRSS") / kMegabyte, figures.hot_bytes / kMegabyte,
                 resources->cache_used_bytes() / kMegabyte, resources->memtables_used_bytes() / kMegabyte,
                 figures.chain_parts);
  }
  const double inserts = kKeys / SecondsSince(begin);
  peak_loaded = StatusBytes("VmHWM");
  std::mt19937_64 random(3);
  const int64_t begin_updates = Clock::System().MonotonicNs();
  for (int64_t i = 0; i < kOperations; ++i) step(i, static_cast<int64_t>(random() % kKeys));
  const double updates = kOperations / SecondsSince(begin_updates);
  const int64_t peak = StatusBytes("VmHWM");
  std::printf(
      "memory, %ld M keys, budget %ld MB: peak RSS %ld MB (%ld MB while loading), %ld MB over budget and start; "
      "%.2f M inserts/s, %.3f M updates/s\n",
      kKeys / 1'000'000, kBudget / kMegabyte, peak / kMegabyte, peak_loaded / kMegabyte,
      (peak - before - kBudget) / kMegabyte, inserts / 1e6, updates / 1e6);
}

}  // namespace
}  // namespace penstock

// Arguments: a folder for the files; which: hot, budget, memory, cuts, cuts-rocksdb (default: all).
int main(int argc, char** argv) {
  const std::string base = argc > 1 ? argv[1] : "/tmp";
  const std::string which = argc > 2 ? argv[2] : "all";
  const auto run = [&](const std::string& name, auto bench) {
    if (which != "all" && which != name) return;
    const std::string directory = base + "/penstock-state-bench-" + std::to_string(getpid());
    std::filesystem::create_directories(directory);
    bench(directory);
    std::fflush(stdout);
    std::filesystem::remove_all(directory);
  };
  run("hot", penstock::Hot);
  run("budget", penstock::OverBudget);
  run("memory", penstock::Memory);
  run("cuts", [](const std::string& directory) { penstock::Cuts(directory, false); });
  run("cuts-rocksdb", [](const std::string& directory) { penstock::Cuts(directory, true); });
  return 0;
}
