#include "jobmanager/rest/program_store.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/core/digest.h"

namespace penstock::jobmanager {
namespace {

namespace fs = std::filesystem;

class StoreFolder {
 public:
  StoreFolder() : path_((fs::temp_directory_path() / ("penstock-store-" + std::to_string(getpid()))).string()) {
    store = *ProgramStore::Open(path_, 1000);
  }
  ~StoreFolder() { fs::remove_all(path_); }
  const std::string path_;
  std::unique_ptr<ProgramStore> store;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

TEST_CASE("An upload in pieces is stored under its digest", "[programs]") {
  StoreFolder folder;
  const std::string program =
      "\x7f"
      "ELF and so on";
  const std::string digest = Sha256Of(program);
  CHECK(folder.store->ProgressOf(digest).status().code() == absl::StatusCode::kNotFound);
  {
    auto upload = folder.store->BeginUpload(digest, 0, static_cast<int64_t>(program.size()));
    REQUIRE(upload.ok());
    REQUIRE((*upload)->Write(program.substr(0, 5)).ok());
    CHECK(*(*upload)->Finish() == false);
  }
  CHECK(folder.store->ProgressOf(digest)->bytes == 5);
  CHECK_FALSE(folder.store->ProgressOf(digest)->complete);
  CHECK(folder.store->Find(digest).status().code() == absl::StatusCode::kNotFound);
  auto wrong = folder.store->BeginUpload(digest, 7, static_cast<int64_t>(program.size()));
  CHECK(wrong.status().code() == absl::StatusCode::kOutOfRange);

  auto upload = folder.store->BeginUpload(digest, 5, static_cast<int64_t>(program.size()));
  REQUIRE(upload.ok());
  REQUIRE((*upload)->Write(program.substr(5)).ok());
  CHECK(*(*upload)->Finish());
  const auto found = folder.store->Find(digest);
  REQUIRE(found.ok());
  CHECK(ReadFile(found->path) == program);
  CHECK_FALSE(found->is_bundle);
  CHECK(access(found->path.c_str(), X_OK) == 0);
  CHECK(folder.store->BeginUpload(digest, 0, 1).status().code() == absl::StatusCode::kAlreadyExists);
}

TEST_CASE("A wrong digest is refused and removed", "[programs]") {
  StoreFolder folder;
  const std::string digest = Sha256Of("something else");
  auto upload = folder.store->BeginUpload(digest, 0, 4);
  REQUIRE(upload.ok());
  REQUIRE((*upload)->Write("evil").ok());
  CHECK((*upload)->Finish().status().code() == absl::StatusCode::kDataLoss);
  CHECK(folder.store->ProgressOf(digest).status().code() == absl::StatusCode::kNotFound);
  CHECK(fs::is_empty(folder.path_));
}

TEST_CASE("A newer upload takes over from one that hangs", "[programs]") {
  StoreFolder folder;
  const std::string program = "0123456789";
  const std::string digest = Sha256Of(program);
  auto hanging = folder.store->BeginUpload(digest, 0, 10);
  REQUIRE((*hanging)->Write("0123").ok());
  auto newer = folder.store->BeginUpload(digest, 4, 10);
  REQUIRE(newer.ok());
  CHECK((*hanging)->Write("xxx").code() == absl::StatusCode::kAborted);
  REQUIRE((*newer)->Write("456789").ok());
  hanging->reset();
  CHECK(*(*newer)->Finish());
}

TEST_CASE("Sizes and names are checked", "[programs]") {
  StoreFolder folder;
  const std::string digest = Sha256Of("x");
  CHECK(folder.store->BeginUpload(digest, 0, 1001).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(folder.store->BeginUpload(digest, 0, 0).status().code() == absl::StatusCode::kInvalidArgument);
  auto upload = folder.store->BeginUpload(digest, 0, 3);
  CHECK((*upload)->Write("four").code() == absl::StatusCode::kResourceExhausted);
  for (const char* bad : {"", "../../etc/passwd", "ABCDEF"}) {
    CHECK(folder.store->Find(bad).status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(folder.store->BeginUpload(bad, 0, 1).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace penstock::jobmanager
