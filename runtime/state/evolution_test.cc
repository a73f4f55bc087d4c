// A program with another schema restores what the one before it wrote; damaged bases are refused by name.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/state/keyed_table.h"
#include "runtime/state/testing/backends.h"

namespace penstock {
namespace {

using state_testing::BackendKind;
using state_testing::BackendMaker;

constexpr uint32_t kGroups = 6;

struct Before {
  int32_t visits = 0;
  std::string name;
};
struct After {
  std::string name;
  int64_t visits = 0;
  double score = 0.5;
};
struct Other {
  std::string visits;
};

template <class V>
struct Task {
  explicit Task(BackendMaker& maker, std::string uid = "op")
      : backend(maker.Options({0, kGroups}, kGroups)),
        table({.uid = std::move(uid),
               .name = "v",
               .kind = "row",
               .key = SchemaOf<std::string>(),
               .value = SchemaOf<V>()}) {
    REQUIRE(backend.Register(table).ok());
  }
  V* Find(const std::string& key) {
    backend.MakeRoom();
    const uint32_t slot = table.Find(KeyHasher<std::string>()(key), key);
    return slot == table.kNone ? nullptr : &table.value(slot);
  }
  void Set(const std::string& key, V value) {
    backend.MakeRoom();
    const uint32_t slot = table.FindOrInsert(KeyHasher<std::string>()(key), key);
    table.value(slot) = std::move(value);
    table.MarkDirty(slot);
  }
  std::vector<ChainPart> Cut(uint64_t id) {
    for (int i = 0; i < 20; ++i) REQUIRE(backend.Trickle().ok());
    if (const auto base = backend.TakeNewBase()) backend.OnBaseDurable(base->id);
    absl::StatusOr<KeyedSnapshot> snapshot = backend.Cut(id);
    REQUIRE(snapshot.ok());
    return snapshot->parts;
  }
  KeyedBackend backend;
  KeyedTable<std::string, V> table;
};

// Half of it in a base, the rest in segments, some evicted.
std::vector<ChainPart> Written(BackendMaker& maker) {
  Task<Before> task(maker);
  REQUIRE(task.backend.Start({}).ok());
  std::vector<ChainPart> parts;
  for (int i = 0; i < 600; ++i) {
    task.Set("k" + std::to_string(i), {i, "name" + std::to_string(i)});
    if (i % 150 == 149) parts = task.Cut(static_cast<uint64_t>(i));
  }
  return parts;
}

TEST_CASE("fields may come, go, move and widen, in segments, bases and the cold tier", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb, BackendKind::kMoving);
  INFO(state_testing::Name(kind));
  BackendMaker maker(kind);
  const std::vector<ChainPart> parts = Written(maker);
  Task<After> task(maker);
  REQUIRE(task.backend.Start(parts).ok());
  const auto check = [](Task<After>& in) {
    for (int i = 0; i < 600; ++i) {
      const After* value = in.Find("k" + std::to_string(i));
      REQUIRE(value != nullptr);
      REQUIRE(value->visits == i);
      REQUIRE(value->name == "name" + std::to_string(i));
      REQUIRE(value->score == 0.5);
    }
  };
  check(task);
  // Old and new encodings together, and once more.
  for (int i = 0; i < 600; i += 3) task.Set("k" + std::to_string(i), {"name" + std::to_string(i), i, 0.5});
  task.Cut(1000);
  Task<After> again(maker);
  REQUIRE(again.backend.Start(task.Cut(1001)).ok());
  check(again);
}

TEST_CASE("what does not fit is refused before the first record", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb);
  BackendMaker maker(kind);
  const std::vector<ChainPart> parts = Written(maker);
  Task<Other> other(maker);
  const std::string message = MessageOf(other.backend.Start(parts));
  CHECK(message.find("'op' state 'v'") != std::string::npos);
  CHECK(message.find("'visits' was int32 and is string") != std::string::npos);
  CHECK(message.find("the state has {visits:int32,name:string}") != std::string::npos);
  Task<Before> gone(maker, "another");
  CHECK(MessageOf(gone.backend.Start(parts)).find("--allow-non-restored-state") != std::string::npos);
}

TEST_CASE("a base whose bytes are damaged is refused by name", "[state]") {
  const BackendKind kind = GENERATE(BackendKind::kHashmap, BackendKind::kRocksdb);
  BackendMaker maker(kind);
  const std::vector<ChainPart> parts = Written(maker);
  REQUIRE(parts.front().kind != PartKind::kSegment);
  const size_t files = parts.front().files.size();
  for (size_t file = 0; file < files; ++file) {
    const StateFile& good = *parts.front().files[file].file;
    // As a copy that came from storage: its bytes have changed, its name and checksum are those of the handle.
    std::string bytes = good.Read(0, good.size_bytes()).value();
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    struct Damaged final : StateFile {
      Damaged(const StateFile& good, std::string text)
          : StateFile(good.name(), good.size_bytes(), good.checksum()), bytes(std::move(text)) {}
      absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const override {
        return bytes.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
      }
      std::string bytes;
    };
    std::vector<ChainPart> damaged = parts;
    damaged.front().files[file].file = std::make_shared<Damaged>(good, bytes);
    Task<Before> task(maker);
    const absl::Status status = task.backend.Start(damaged);
    INFO(good.name());
    REQUIRE(status.code() == absl::StatusCode::kDataLoss);
    CHECK(MessageOf(status).find(good.name()) != std::string::npos);
  }
}

// Of a storage whose objects are files that can be reached from here.
struct Shared final : StateFile {
  Shared(const StateFile& good, std::string path)
      : StateFile(good.name(), good.size_bytes(), good.checksum()), path(std::move(path)) {}
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const override {
    std::ifstream file(path);
    std::string bytes(static_cast<size_t>(size), 0);
    file.seekg(offset).read(bytes.data(), size);
    return bytes;
  }
  std::string shared_path() const override { return path; }
  std::string path;
};

TEST_CASE("tables of a base that can be reached as files are linked, once they are known to be whole", "[state]") {
  BackendMaker maker(BackendKind::kRocksdb);
  std::vector<ChainPart> parts = Written(maker);
  REQUIRE(parts.front().kind == PartKind::kRocksdbBase);
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("shared-{}", getpid());
  std::filesystem::create_directories(folder);
  std::vector<std::string> tables;
  std::string last_name;
  for (ChainFile& file : parts.front().files) {
    const std::string path = folder / file.path;
    std::ofstream(path) << file.file->Read(0, file.file->size_bytes()).value();
    file.file = std::make_shared<Shared>(*file.file, path);
    if (!file.path.ends_with(".sst")) continue;
    tables.push_back(path);
    last_name = file.file->name();
  }
  REQUIRE(!tables.empty());
  SECTION("whole") {
    Task<Before> task(maker);
    REQUIRE(task.backend.Start(parts).ok());
    CHECK(task.Find("k17")->visits == 17);
    for (const std::string& table : tables) CHECK(std::filesystem::hard_link_count(table) == 2);
  }
  SECTION("damaged, or cut off") {
    const bool cut = GENERATE(false, true);
    const std::string& table = tables.back();
    if (cut) {
      std::filesystem::resize_file(table, 100);
    } else {
      std::fstream(table, std::ios::in | std::ios::out).put('x');
    }
    Task<Before> task(maker);
    const absl::Status status = task.backend.Start(parts);
    REQUIRE(status.code() == absl::StatusCode::kDataLoss);
    CHECK(MessageOf(status).find(last_name) != std::string::npos);
    CHECK(std::filesystem::hard_link_count(table) == 1);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace penstock
