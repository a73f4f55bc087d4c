// What every keyed backend must do, run for each: state equals a model over random operations, cuts, checkpoints that
// come to nothing, restores at every cut, and rescales.
#include <catch2/catch.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/summary.h"
#include "runtime/state/testing/backends.h"
#include "runtime/state/window_table.h"

namespace penstock {
namespace {

using state_testing::BackendKind;
using state_testing::BackendMaker;

constexpr uint32_t kGroups = 24;

// A task with a table and windows of it.
class TestTask {
 public:
  TestTask(BackendMaker& maker, KeyGroupRange range, std::vector<ChainPart> parts)
      : backend_(maker.Options(range, kGroups)),
        values_({.uid = "op",
                 .name = "values",
                 .kind = "row",
                 .key = SchemaOf<std::string>(),
                 .value = SchemaOf<std::string>()}),
        windows_({.uid = "op",
                  .name = "windows",
                  .kind = "window",
                  .namespaced = true,
                  .key = SchemaOf<std::string>(),
                  .value = SchemaOf<int64_t>()}) {
    REQUIRE(backend_.Register(values_).ok());
    REQUIRE(backend_.Register(windows_).ok());
    const absl::Status status = backend_.Start(std::move(parts));
    INFO(status);
    REQUIRE(status.ok());
  }

  bool Owns(const std::string& key) {
    const uint32_t group = KeyGroupOf(hasher_(key), kGroups).value;
    return group >= backend_.range().begin && group < backend_.range().end;
  }
  KeyedBackend& backend() { return backend_; }

  std::string Get(const std::string& key) {
    backend_.MakeRoom();
    const uint32_t slot = values_.Find(hasher_(key), key);
    return slot == values_.kNone ? "" : values_.value(slot);
  }
  void Set(const std::string& key, const std::string& value) {
    backend_.MakeRoom();
    const uint32_t slot = values_.FindOrInsert(hasher_(key), key);
    values_.value(slot) = value;
    values_.MarkDirty(slot);
  }
  void Erase(const std::string& key) {
    backend_.MakeRoom();
    const uint32_t slot = values_.Find(hasher_(key), key);
    if (slot != values_.kNone) values_.Erase(slot);
  }
  void Add(int64_t window, const std::string& key) {
    backend_.MakeRoom();
    ++windows_.value(windows_.FindOrInsert(window, hasher_(key), key));
  }
  int64_t first_window() { return windows_.empty() ? INT64_MAX : windows_.first_ns(); }
  template <class Fn>
  bool Fire(int max, Fn fn) {
    return windows_.TakeFromFirst(max, fn);
  }

 private:
  KeyedBackend backend_;
  KeyHasher<std::string> hasher_;
  KeyedTable<std::string, std::string> values_;
  WindowTable<std::string, int64_t> windows_;
};

struct Model {
  std::map<std::string, std::string> values;
  std::map<int64_t, std::map<std::string, int64_t>> windows;
};

// Some tasks that share the key groups, and the model they must equal.
class Pipeline {
 public:
  Pipeline(BackendKind kind, uint32_t seed) : maker_(kind), random_(seed) { Deploy(1, {}); }

  void Deploy(int parallelism, const std::vector<KeyedSnapshot>& sources) {
    tasks_.clear();
    for (int i = 0; i < parallelism; ++i) {
      const KeyGroupRange range = RangeOfSubtask(i, parallelism, kGroups);
      tasks_.push_back(std::make_unique<TestTask>(maker_, range, PartsForRange(sources, range)));
    }
  }

  void Step() {
    const std::string key = "key-" + std::to_string(random_() % 400);
    TestTask& task = TaskOf(key);
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2: {
        const std::string value(1 + random_() % 60, static_cast<char>('a' + random_() % 26));
        task.Set(key, value);
        model_.values[key] = value;
        break;
      }
      case 3:
        task.Erase(key);
        model_.values.erase(key);
        break;
      case 4:
      case 5: {
        const int64_t window = (time_ / 100 + static_cast<int64_t>(random_() % 3) - 3) * 100;
        task.Add(window, key);
        ++model_.windows[window][key];
        break;
      }
      case 6:
        REQUIRE(task.Get(key) == (model_.values.count(key) == 1 ? model_.values[key] : ""));
        break;
      case 7:
        FireSome(task);
        break;
    }
    ++time_;
    if (random_() % 4 == 0) {
      for (const auto& each : tasks_) REQUIRE(each->backend().Trickle().ok());
      UploadBases();
    }
  }

  std::vector<KeyedSnapshot> Cut() {
    ++cuts_;
    std::vector<KeyedSnapshot> snapshots;
    for (const auto& task : tasks_) {
      absl::StatusOr<KeyedSnapshot> snapshot = task->backend().Cut(cuts_);
      REQUIRE(snapshot.ok());
      snapshots.push_back(ThroughHandle(*snapshot));
    }
    return snapshots;
  }

  // What people are told lies in the snapshots is what lies there.
  void CheckSummary(const std::vector<KeyedSnapshot>& snapshots) {
    std::map<std::string, int64_t> keys;
    int64_t value_bytes = 0;
    for (const KeyedSnapshot& snapshot : snapshots) {
      const auto summaries = SummariseSnapshot(snapshot, maker_.directory() + "/summary", 0);
      INFO(summaries.status());
      REQUIRE(summaries.ok());
      for (const TableSummary& summary : *summaries) {
        keys[summary.name] += summary.keys;
        if (summary.name == "values") value_bytes += summary.value_bytes;
      }
    }
    size_t in_windows = 0;
    for (const auto& [window, entries] : model_.windows) in_windows += entries.size();
    int64_t bytes = 0;
    for (const auto& [key, value] : model_.values) bytes += static_cast<int64_t>(value.size()) + 1;
    REQUIRE(keys["values"] == static_cast<int64_t>(model_.values.size()));
    REQUIRE(keys["windows"] == static_cast<int64_t>(in_windows));
    REQUIRE(value_bytes == bytes);
  }

  void CheckAll() {
    for (int i = 0; i < 400; ++i) {
      const std::string key = "key-" + std::to_string(i);
      REQUIRE(TaskOf(key).Get(key) == (model_.values.count(key) == 1 ? model_.values[key] : ""));
    }
  }
  void DrainWindows() {
    for (const auto& task : tasks_) {
      while (task->first_window() != INT64_MAX) FireSome(*task);
    }
    size_t left = 0;
    for (const auto& [window, entries] : model_.windows) left += entries.size();
    REQUIRE(left == 0);
  }

  Model model_;
  std::mt19937& random() { return random_; }

 private:
  TestTask& TaskOf(const std::string& key) {
    for (const auto& task : tasks_) {
      if (task->Owns(key)) return *task;
    }
    FAIL("nobody owns " << key);
    return *tasks_.front();
  }
  // A slice of the oldest window: what comes out is in the model, and no longer afterwards.
  void FireSome(TestTask& task) {
    const int64_t window = task.first_window();
    if (window == INT64_MAX) return;
    auto& expected = model_.windows[window];
    task.Fire(1 + static_cast<int>(random_() % 40), [&](const std::string& key, int64_t count) {
      REQUIRE(expected.count(key) == 1);
      REQUIRE(expected[key] == count);
      expected.erase(key);
    });
    REQUIRE(task.backend().status().ok());
  }
  void UploadBases() {
    for (const auto& task : tasks_) {
      const std::optional<ChainPart> base = task->backend().TakeNewBase();
      if (!base) continue;
      if (random_() % 3 == 0) {
        task->backend().OnBaseFailed(base->id);
      } else {
        task->backend().OnBaseDurable(base->id);
      }
    }
  }
  // As the checkpoint stores it: every file by its name.
  KeyedSnapshot ThroughHandle(const KeyedSnapshot& snapshot) {
    std::map<std::string, StateFilePtr> files;
    for (const ChainPart& part : snapshot.parts) {
      for (const ChainFile& file : part.files) files[file.file->name()] = file.file;
    }
    const std::string bytes = EncodeKeyedSnapshot(snapshot, [](const StateFile& file) { return "at " + file.name(); });
    absl::StatusOr<KeyedSnapshot> decoded = DecodeKeyedSnapshot(
        bytes, [&](const std::string& name, int64_t size, uint64_t checksum, const std::string& location) {
          REQUIRE(location == "at " + name);
          REQUIRE(files.count(name) == 1);
          REQUIRE(files[name]->size_bytes() == size);
          REQUIRE(files[name]->checksum() == checksum);
          return absl::StatusOr<StateFilePtr>(files[name]);
        });
    REQUIRE(decoded.ok());
    return *std::move(decoded);
  }

  BackendMaker maker_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<TestTask>> tasks_;
  int64_t time_ = 1000;
  uint64_t cuts_ = 0;
};

uint32_t Seed(uint32_t i) { return Catch::rngSeed() * 1000 + i; }

TEST_CASE("state comes back from every cut as it was, at every parallelism", "[state]") {
  const BackendKind kind = GENERATE_COPY(from_range(state_testing::AllBackends()));
  for (uint32_t i = 0; i < state_testing::Rounds(kind); ++i) {
    const uint32_t seed = Seed(i);
    INFO("backend " << state_testing::Name(kind) << ", seed " << seed);
    Pipeline pipeline(kind, seed);
    const int parallelisms[] = {1, 2, 3, 1, 3, 2, 2, 1};
    for (const int parallelism : parallelisms) {
      std::vector<KeyedSnapshot> snapshots;
      Model at_cut;
      const int cuts = 1 + static_cast<int>(pipeline.random()() % 6);
      for (int cut = 0; cut < cuts; ++cut) {
        const int steps = static_cast<int>(pipeline.random()() % 800);
        for (int step = 0; step < steps; ++step) pipeline.Step();
        // Most checkpoints come to nothing: their segments count all the same.
        snapshots = pipeline.Cut();
        at_cut = pipeline.model_;
      }
      pipeline.CheckSummary(snapshots);
      // What happens after the cut is lost, here and there.
      const int lost = static_cast<int>(pipeline.random()() % 300);
      for (int step = 0; step < lost; ++step) pipeline.Step();
      pipeline.model_ = at_cut;
      pipeline.Deploy(parallelism, snapshots);
      pipeline.CheckAll();
    }
    pipeline.CheckAll();
    pipeline.DrainWindows();
  }
}

TEST_CASE("a job that tracked nothing writes all of it at its first cut", "[state]") {
  const BackendKind kind = GENERATE_COPY(from_range(state_testing::AllBackends()));
  BackendMaker maker(kind);
  maker.track_changes = false;
  TestTask task(maker, {0, kGroups}, {});
  for (int i = 0; i < 500; ++i) task.Set("k" + std::to_string(i), "v" + std::to_string(i));
  for (int i = 0; i < 100; ++i) task.Erase("k" + std::to_string(i));
  REQUIRE(task.backend().Cut(1).ok());
  task.Set("k200", "later");
  const absl::StatusOr<KeyedSnapshot> snapshot = task.backend().Cut(2);
  REQUIRE(snapshot.ok());
  TestTask restored(maker, {0, kGroups}, snapshot->parts);
  CHECK(restored.Get("k50").empty());
  CHECK(restored.Get("k200") == "later");
  CHECK(restored.Get("k499") == "v499");
}

}  // namespace
}  // namespace penstock
