#include "runtime/core/bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/core/digest.h"
#include "runtime/core/local_token.h"
#include "runtime/core/zstd_stream.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("penstock-bundle-" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return *this / name;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

 private:
  const fs::path path_;
};

// One ustar header (and nothing else) with any name and type, compressed.
void WriteHostileBundle(const std::string& path, const std::string& name, char type, int64_t size = 0) {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000755");
  char octal[13];
  snprintf(octal, sizeof(octal), "%011lo", static_cast<unsigned long>(size));
  put(124, octal);
  header[156] = type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  snprintf(octal, sizeof(octal), "%06o", sum);
  put(148, std::string(octal, 7));
  ZstdWriter writer(path);
  REQUIRE(writer.Write(header + std::string(1024, '\0')).ok());
  REQUIRE(writer.Close().ok());
}

}  // namespace

TEST_CASE("A bundle gives back what was put into it, with modes", "[bundle]") {
  const Folder folder;
  const std::string big(3'000'001, 'q');
  const std::string long_name = "data/" + std::string(90, 'd') + "/" + std::string(90, 'f');
  REQUIRE(WriteBundle(folder / "b.tar.zst", {{"program", folder.Write("p", "#!prog"), true},
                                             {"lib/libx.so.1", folder.Write("l", big)},
                                             {"data/empty", folder.Write("e", "")},
                                             {long_name, folder.Write("f", "long")}})
              .ok());
  CHECK(LooksLikeBundle(folder / "b.tar.zst"));
  CHECK_FALSE(LooksLikeBundle(folder / "p"));
  const auto names = ExtractBundle(folder / "b.tar.zst", folder / "out");
  REQUIRE(names.ok());
  CHECK(*names == std::vector<std::string>{"program", "lib/libx.so.1", "data/empty", long_name});
  CHECK(folder.Read("out/program") == "#!prog");
  CHECK(folder.Read("out/lib/libx.so.1") == big);
  CHECK(folder.Read("out/data/empty").empty());
  CHECK(folder.Read("out/" + long_name) == "long");
  CHECK(access((folder / "out/program").c_str(), X_OK) == 0);
}

TEST_CASE("Equal input gives an equal bundle", "[bundle]") {
  const Folder folder;
  const std::string program = folder.Write("p", "program");
  REQUIRE(WriteBundle(folder / "1", {{"program", program, true}}).ok());
  REQUIRE(WriteBundle(folder / "2", {{"program", program, true}}).ok());
  CHECK(*Sha256OfFile(folder / "1") == *Sha256OfFile(folder / "2"));
}

TEST_CASE("Names that leave the folder, links and bombs are refused", "[bundle]") {
  const Folder folder;
  for (const char* name : {"../evil", "/etc/evil", "a/../../evil", "./x", "dir/"}) {
    INFO(name);
    WriteHostileBundle(folder / "hostile", name, '0');
    CHECK(ExtractBundle(folder / "hostile", folder / "out").status().code() == absl::StatusCode::kInvalidArgument);
    CHECK_FALSE(WriteBundle(folder / "w", {{"program", folder.Write("p", "p")}, {name, folder / "p"}}).ok());
  }
  CHECK_FALSE(fs::exists(folder / "evil"));
  for (const char type : {'1', '2', '3', '5', 'x'}) {
    WriteHostileBundle(folder / "hostile", "program", type);
    CHECK_FALSE(ExtractBundle(folder / "hostile", folder / "out").ok());
  }
  WriteHostileBundle(folder / "hostile", "program", '0', int64_t{5} << 30);
  CHECK(ExtractBundle(folder / "hostile", folder / "out").status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A damaged or foreign file is an error, not a crash", "[bundle]") {
  const Folder folder;
  REQUIRE(WriteBundle(folder / "b", {{"program", folder.Write("p", std::string(100'000, 'p')), true}}).ok());
  const std::string bytes = folder.Read("b");
  for (size_t size = 0; size < bytes.size(); size += 7) {
    folder.Write("cut", bytes.substr(0, size));
    CHECK_FALSE(ExtractBundle(folder / "cut", folder / "out").ok());
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
    folder.Write("flipped", flipped);
    // A bit of zstd's window size does no harm; whatever is taken must be whole.
    if (ExtractBundle(folder / "flipped", folder / "out").ok()) CHECK(folder.Read("out/program") == folder.Read("p"));
  }
  CHECK_FALSE(ExtractBundle(folder.Write("text", "no bundle"), folder / "out").ok());
  CHECK(ExtractBundle(folder / "none", folder / "out").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("SHA-256 has the published values", "[digest]") {
  const Folder folder;
  CHECK(Sha256Of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(*Sha256OfFile(folder.Write("abc", "abc")) == Sha256Of("abc"));
  CHECK_FALSE(Sha256OfFile(folder / "none").ok());
  CHECK(IsSha256Hex(Sha256Of("x")));
  CHECK_FALSE(IsSha256Hex("../../etc/passwd"));
}

TEST_CASE("The local token is random, private and read back", "[token]") {
  const Folder folder;
  const std::string path = folder / "sub/token";
  const auto first = CreateLocalToken(path);
  REQUIRE(first.ok());
  const auto second = CreateLocalToken(path);
  REQUIRE(second.ok());
  CHECK(*first != *second);
  CHECK(*ReadLocalToken(path) == *second);
  struct stat info;
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(SameToken(*second, *second));
  CHECK_FALSE(SameToken(*first, *second));
  CHECK_FALSE(SameToken(*first, ""));
  chmod(path.c_str(), 0644);
  CHECK(ReadLocalToken(path).status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(ReadLocalToken(folder / "none").status().code() == absl::StatusCode::kNotFound);
}

}  // namespace penstock
