#include "penstock/connectors/file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"
#include "tests/support/temp_dir.h"

namespace penstock {
namespace {

using Values = std::vector<std::string>;

using testing::TempDir;

absl::StatusOr<Values> ReadLines(const file::Source& source) {
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = source.CreateReader();
  if (absl::Status opened = reader->Open(context, output); !opened.ok()) return opened;
  if (absl::Status read = testing::PollToEnd(*reader, output, context); !read.ok()) return read;
  return output.values();
}

TEST_CASE("file source conforms", "[file]") {
  const TempDir dir;
  Values expected;
  for (int file = 0; file < 5; ++file) {
    std::string text;
    for (int i = 0; i < 1500; ++i) {
      expected.push_back("line " + std::to_string(file * 10000 + i));
      text += expected.back() + "\n";
    }
    dir.Write("f" + std::to_string(file), text);
  }
  dir.Write(".hidden", "no\n");
  std::filesystem::create_directory(dir.path() + "/sub");
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make = [&] { return file::Source{.path = dir.path()}.CreateReader(); },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
      .restore_points_max = 20,
  }));
}

TEST_CASE("line ends and empty files", "[file]") {
  const TempDir dir;
  REQUIRE(*ReadLines({.path = dir.Write("a", "one\ntwo\r\n\nlast")}) == Values{"one", "two", "", "last"});
  REQUIRE(ReadLines({.path = dir.Write("b", "")})->empty());
  REQUIRE(*ReadLines({.path = dir.Write("c", "\n")}) == Values{""});
}

TEST_CASE("lines longer than a block pass, and those over the limit are named", "[file]") {
  const TempDir dir;
  const std::string big(1 << 20, 'x');
  const std::string path = dir.Write("big", "a\n" + big + "\nb\n");
  REQUIRE(*ReadLines({.path = path}) == Values{"a", big, "b"});
  const auto refused = ReadLines({.path = path, .line_bytes_max = 300'000});
  REQUIRE(refused.status().code() == absl::StatusCode::kOutOfRange);
  REQUIRE_THAT(std::string(refused.status().message()), Catch::Contains(path) && Catch::Contains("line 2"));
}

TEST_CASE("a path that is not there is named", "[file]") {
  const auto read = ReadLines({.path = "/nowhere/at/all"});
  REQUIRE(read.status().code() == absl::StatusCode::kNotFound);
  REQUIRE_THAT(std::string(read.status().message()), Catch::Contains("/nowhere/at/all"));
  REQUIRE_FALSE(file::Source{}.Validate().ok());
}

Values LinesIn(const std::string& directory) {
  Values lines;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with('.')) continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  return lines;
}

TEST_CASE("file sink conforms", "[file]") {
  const TempDir dir;
  const file::Sink sink{.path = dir.path() + "/out",
                        .delivery = GENERATE(Delivery::at_least_once, Delivery::exactly_once)};
  REQUIRE_OK(testing::CheckSink({.make = [&] { return sink.CreateWriter<std::string>(); },
                                 .read = [&] { return LinesIn(sink.path); },
                                 .delivery = sink.delivery}));
}

TEST_CASE("a line that was not finished is removed, and a record with a line break is refused", "[file]") {
  const TempDir dir;
  dir.Write("part-0", "whole\nto" + std::string(100'000, 'r') + "n");
  testing::FakeContext context;
  const auto writer = file::Sink{.path = dir.path()}.CreateWriter<Bytes>();
  REQUIRE(writer->Open(context).ok());
  REQUIRE(writer->Write(Bytes("next", 4), kNoTimestamp).ok());
  REQUIRE(writer->Write(Bytes("a\nb", 3), kNoTimestamp).code() == absl::StatusCode::kInvalidArgument);
  REQUIRE(writer->Flush().ok());
  REQUIRE(LinesIn(dir.path()) == Values{"whole", "next"});
}

}  // namespace
}  // namespace penstock
