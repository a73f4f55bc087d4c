#include "taskmanager/worker/local_copies.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"
#include "taskmanager/worker/state_upload.h"

namespace penstock::worker {
namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("local-copies-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ / name; }
  // Of the files that have copies.
  std::set<std::string> Names(const std::string& in) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_ / in)) {
      const std::string name = entry.path().filename();
      if (entry.is_regular_file()) names.insert(name.substr(0, name.find('.')));
    }
    return names;
  }

 private:
  const std::filesystem::path path_;
};

TEST_CASE("copies are there for what the newest checkpoints need, and go with them", "[local]") {
  const Folder folder;
  {
    LocalCopies before(folder / "job");
    before.Keep(7, {MakeMemoryStateFile("of-a-dead-attempt", "x")});
  }
  LocalCopies copies(folder / "job");
  std::ofstream(folder / "base.sst") << "base";
  const StateFilePtr base = *OpenLocalStateFile("g-base", folder / "base.sst", false);
  copies.Keep(1, {base, MakeMemoryStateFile("g-1", "one")});
  copies.Keep(2, {base, MakeMemoryStateFile("g-1", "one"), MakeMemoryStateFile("g-2", "two")});
  CHECK(folder.Names("job") == std::set<std::string>{"of-a-dead-attempt", "g-base", "g-1", "g-2"});
  CHECK(std::filesystem::hard_link_count(LocalCopies::PathOf(folder / "job", *base)) == 2);
  copies.OnDecided(1);
  CHECK(folder.Names("job") == std::set<std::string>{"g-base", "g-1", "g-2"});
  copies.Keep(3, {base, MakeMemoryStateFile("g-3", "three")});
  copies.OnDecided(3);
  CHECK(folder.Names("job") == std::set<std::string>{"g-base", "g-3"});
  copies.OnDecided(2);  // a late notice
  CHECK(folder.Names("job") == std::set<std::string>{"g-base", "g-3"});
}

TEST_CASE("without a folder, or one that cannot be written, checkpoints go on", "[local]") {
  LocalCopies none("");
  none.Keep(1, {MakeMemoryStateFile("a", "a")});
  none.OnDecided(1);
  LocalCopies impossible("/proc/nowhere");
  impossible.Keep(1, {MakeMemoryStateFile("a", "a")});
  impossible.OnDecided(1);
  CHECK(LocalCopies::PathOf("/d", *MakeMemoryStateFile("../a", "")).empty());
  CHECK(LocalCopies::PathOf("", *MakeMemoryStateFile("a", "")).empty());
}

// What a restore reads: the copy if it is whole, else storage.
TEST_CASE("a copy counts only if its checksum is the manifest's", "[local]") {
  const Folder folder;
  const std::shared_ptr<Storage> storage = OpenStorage(folder / "storage", {}).value();
  const std::string bytes(3'000'000, 'b');
  const StateFilePtr written = MakeMemoryStateFile("g-1", bytes);
  StateUpload upload(storage, "job/w0");
  REQUIRE(upload.Upload(1, {written}).ok());
  const std::string location = upload.LocationOf(*written).Encode();
  LocalCopies copies(folder / "copies");
  copies.Keep(1, {written});
  const std::string path = LocalCopies::PathOf(folder / "copies", *written);
  const auto open = [&] {
    return OpenStoredFile(storage, "g-1", written->size_bytes(), written->checksum(), location, folder / "copies")
        .value();
  };
  SECTION("whole: storage is not asked") {
    std::filesystem::remove_all(folder / "storage");
    CHECK(open()->local_path() == path);
    CHECK(open()->Read(10, 5).value() == "bbbbb");
  }
  SECTION("damaged") {
    std::fstream(path, std::ios::in | std::ios::out).put('x');
    CHECK(open()->local_path().empty());
    CHECK(open()->Read(0, 3).value() == "bbb");
  }
  SECTION("cut off") {
    std::filesystem::resize_file(path, 100);
    CHECK(open()->local_path().empty());
    CHECK(open()->Read(2'999'999, 1).value() == "b");
  }
  SECTION("gone") {
    std::filesystem::remove(path);
    CHECK(open()->local_path().empty());
    CHECK(open()->Read(0, 1).value() == "b");
  }
  SECTION("of a file with other bytes") {
    const StateFilePtr other = MakeMemoryStateFile("g-1", std::string(3'000'000, 'c'));
    CHECK(LocalCopies::PathOf(folder / "copies", *other) != path);
  }
  SECTION("gone once it was found whole") {
    const StateFilePtr file = open();
    CHECK(file->local_path() == path);
    std::filesystem::remove(path);
    CHECK(file->Read(0, 1).value() == "b");
  }
}

}  // namespace
}  // namespace penstock::worker
