// What every storage must do, run through by the test of each.
#ifndef PENSTOCK_TESTS_SUPPORT_STORAGE_CONFORMANCE_H_
#define PENSTOCK_TESTS_SUPPORT_STORAGE_CONFORMANCE_H_

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"

namespace penstock::testing {

inline std::vector<std::string> NamesOf(Storage& storage, const std::string& prefix) {
  const auto listed = storage.List(prefix);
  REQUIRE(listed.ok());
  std::vector<std::string> names;
  for (const StoredObject& object : *listed) names.push_back(object.name);
  return names;
}

inline void RequireObjectsAreWrittenReadAndListed(Storage& storage) {
  const std::string large(3 << 20, 'x');
  REQUIRE(storage.Write("a/b/one", "first").ok());
  REQUIRE(storage.Write("a/b/one", "second").ok());  // replaces
  REQUIRE(storage.Write("a/b2", large).ok());
  REQUIRE(storage.Write("empty", "").ok());
  CHECK(*storage.ReadAll("a/b/one") == "second");
  CHECK(*storage.ReadAll("empty") == "");
  CHECK((*storage.ReadAll("a/b2") == large));
  CHECK(*storage.Read("a/b/one", 2, 3) == "con");
  CHECK(*storage.Read("a/b/one", 5, 100) == "d");
  CHECK(*storage.Read("a/b/one", 6, 100) == "");
  CHECK(absl::IsNotFound(storage.ReadAll("a/none").status()));
  CHECK(MessageOf(storage.ReadAll("a/none").status()).find("a/none") != std::string::npos);
  CHECK(NamesOf(storage, "a/b") == std::vector<std::string>{"a/b/one", "a/b2"});
  CHECK(NamesOf(storage, "a/b/") == std::vector<std::string>{"a/b/one"});
  CHECK(NamesOf(storage, "none/").empty());
  CHECK(storage.List("a/b2")->at(0).size_bytes == 3 << 20);
  CHECK(storage.List("a/b2")->at(0).modified_ms > 1'600'000'000'000);
  CHECK(storage.Delete({"a/b/one", "a/b2", "never/there"}).ok());
  CHECK(NamesOf(storage, "a/").empty());
  CHECK(absl::IsInvalidArgument(storage.Write("../out", "x")));
  CHECK(absl::IsInvalidArgument(storage.Write("a//b", "x")));
}

inline void RequireWritersAreInvisibleUntilTheyCommit(Storage& storage) {
  {
    auto dropped = storage.Create("w/dropped");
    REQUIRE(dropped.ok());
    REQUIRE((*dropped)->Append("half").ok());
    CHECK(NamesOf(storage, "w/").empty());
  }
  CHECK(NamesOf(storage, "w/").empty());
  const std::string piece(1 << 20, 'p');
  auto writer = storage.Create("w/whole");
  REQUIRE(writer.ok());
  for (int i = 0; i < 12; ++i) REQUIRE((*writer)->Append(piece).ok());
  REQUIRE((*writer)->Append("end").ok());
  REQUIRE((*writer)->Commit().ok());
  CHECK(storage.List("w/")->at(0).size_bytes == (12 << 20) + 3);
  CHECK(*storage.Read("w/whole", (12 << 20) - 1, 100) == "pend");
}

// protocols.md B1: of many that decide at once exactly one does.
inline void RequireOneWinsOfMany(Storage& storage) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "decisions/" + std::to_string(round);
    std::atomic<int> wins{0};
    std::atomic<int> winner{-1};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        const auto won = storage.WriteIfAbsent(name, "by " + std::to_string(i));
        if (won.ok() && *won) {
          ++wins;
          winner = i;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wins == 1);
    CHECK(*storage.ReadAll(name) == "by " + std::to_string(winner));
    CHECK_FALSE(*storage.WriteIfAbsent(name, "late"));
  }
}

inline void RequireFilesGoUpAndDown(Storage& storage) {
  const auto directory = std::filesystem::temp_directory_path() / ("storage-test-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  const std::string up = directory / "up";
  const std::string down = directory / "down";
  std::string bytes;
  for (int i = 0; i < 700'000; ++i) bytes += std::to_string(i);
  std::ofstream(up, std::ios::binary) << bytes;
  REQUIRE(storage.UploadFile("f/file", up).ok());
  REQUIRE(storage.DownloadFile("f/file", down).ok());
  std::ifstream in(down, std::ios::binary);
  CHECK((std::string(std::istreambuf_iterator<char>(in), {}) == bytes));
  CHECK(absl::IsNotFound(storage.DownloadFile("f/none", down)));
  CHECK_FALSE(storage.UploadFile("f/other", directory / "none").ok());
  CHECK(NamesOf(storage, "f/") == std::vector<std::string>{"f/file"});
  std::filesystem::remove_all(directory);
}

inline void RequireStorageConforms(Storage& storage) {
  RequireObjectsAreWrittenReadAndListed(storage);
  RequireWritersAreInvisibleUntilTheyCommit(storage);
  RequireOneWinsOfMany(storage);
  RequireFilesGoUpAndDown(storage);
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_STORAGE_CONFORMANCE_H_
