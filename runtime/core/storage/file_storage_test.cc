#include "runtime/core/storage/file_storage.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/storage_conformance.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() : path(fs::temp_directory_path() / ("file-storage-" + std::to_string(getpid()))) { fs::remove_all(path); }
  ~Directory() { fs::remove_all(path); }
  const fs::path path;
};

TEST_CASE("FileStorage conforms", "[storage]") {
  const Directory directory;
  const auto storage = FileStorage::Open(directory.path / "deep" / "er");
  REQUIRE(storage.ok());
  testing::RequireStorageConforms(**storage);
}

TEST_CASE("FileStorage: what a crash leaves behind is not listed, and emptied directories go", "[storage]") {
  const Directory directory;
  const auto storage = FileStorage::Open(directory.path);
  REQUIRE(storage.ok());
  REQUIRE((*storage)->Write("x/y/one", "1").ok());
  std::ofstream(directory.path / "x" / "y" / "two.tmp-77-0") << "half";
  CHECK(testing::NamesOf(**storage, "") == std::vector<std::string>{"x/y/one"});
  fs::remove(directory.path / "x" / "y" / "two.tmp-77-0");
  REQUIRE((*storage)->Delete({"x/y/one"}).ok());
  CHECK_FALSE(fs::exists(directory.path / "x"));
  CHECK(fs::exists(directory.path));
}

TEST_CASE("FileStorage: a place that cannot be written to is refused by name", "[storage]") {
  const Directory directory;
  fs::create_directories(directory.path);
  std::ofstream(directory.path / "file") << "x";
  const auto storage = FileStorage::Open(directory.path / "file" / "below");
  REQUIRE_FALSE(storage.ok());
  CHECK(MessageOf(storage.status()).find("file/below") != std::string::npos);
}

}  // namespace
}  // namespace penstock
