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

using framing::Framing;
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

TEST_CASE("file source conforms at every single position, in every framing", "[file]") {
  const auto framing = GENERATE(Framing::kLines, Framing::kCsv, Framing::kLengthPrefixed);
  const int header = GENERATE(0, 1);
  INFO("framing " << static_cast<int>(framing) << ", " << header << " header records");
  const TempDir dir;
  Values expected;
  for (int file = 0; file < 4; ++file) {
    std::string bytes;
    if (header > 0) REQUIRE_OK(framing::AppendFrame(framing, "the header", bytes));
    for (int i = 0; i < file * 7; ++i) {  // the first is empty
      expected.push_back(
          fmt::format(fmt::runtime(framing == Framing::kLines ? "{}/{}" : "{},\"two\nlines {}\""), file, i));
      REQUIRE_OK(framing::AppendFrame(framing, expected.back(), bytes));
    }
    std::filesystem::create_directory(fmt::format("{}/d{}", dir.path(), file));
    dir.Write(fmt::format("d{}/f.csv", file), bytes);
    dir.Write(fmt::format("d{}/f.tmp", file), "not read");
  }
  const file::Source source{
      .path = dir.path(), .framing = framing, .header_records = header, .name_pattern = "*.csv", .recursive = true};
  REQUIRE_OK(source.Validate());
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make = [&] { return source.CreateReader(); },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
  }));
}

TEST_CASE("positions of version 1 are understood", "[file]") {
  const TempDir dir;
  const std::string path = dir.Write("a b", "one\ntwo\nthree\n");
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = file::Source{.path = dir.path()}.CreateReader();
  REQUIRE_OK(reader->Restore({"0 4 1 " + path, "1 9 2 /gone"}));
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE_OK(testing::PollToEnd(*reader, output, context));
  REQUIRE(output.values() == Values{"two", "three"});
}

TEST_CASE("a file that is shorter than what was read of it is an error", "[file]") {
  const TempDir dir;
  const std::string path = dir.Write("a", "one\n");
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = file::Source{.path = path}.CreateReader();
  REQUIRE_OK(reader->Restore({"v2 0 8 2 8 1 " + path}));
  REQUIRE_OK(reader->Open(context, output));
  const absl::Status status = testing::PollToEnd(*reader, output, context);
  REQUIRE(status.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(path));
}

TEST_CASE("malformed file descriptions are refused by name", "[file]") {
  REQUIRE_OK(testing::CheckSourceRefused(
      file::Source{.record_bytes_max = 0, .header_records = -1, .when_changed = file::WhenChanged::kReadAgain},
      {".path", ".record_bytes_max", ".header_records", ".when_changed"}));
  REQUIRE_OK(testing::CheckSinkRefused<std::string>(file::Sink{.delivery = Delivery::none, .roll_bytes = 0},
                                                    {".path", ".delivery", ".roll_bytes"}));
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
  const auto refused = ReadLines({.path = path, .record_bytes_max = 300'000});
  REQUIRE(refused.status().code() == absl::StatusCode::kOutOfRange);
  REQUIRE_THAT(std::string(refused.status().message()), Catch::Contains(path) && Catch::Contains("record 2"));
}

TEST_CASE("a path that is not there is named", "[file]") {
  const auto read = ReadLines({.path = "/nowhere/at/all"});
  REQUIRE(read.status().code() == absl::StatusCode::kNotFound);
  REQUIRE_THAT(std::string(read.status().message()), Catch::Contains("/nowhere/at/all"));
}

// Of whole files, in any framing.
Values RecordsIn(const file::Sink& sink) {
  const auto read = ReadLines({.path = sink.path, .framing = sink.framing});
  return read.ok() ? *read : Values{};
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
                        .delivery = GENERATE(Delivery::at_least_once, Delivery::exactly_once),
                        .framing = GENERATE(Framing::kLines, Framing::kLengthPrefixed, Framing::kCsv)};
  REQUIRE_OK(testing::CheckSink({.make = [&] { return sink.CreateWriter<std::string>(); },
                                 .read = [&] { return RecordsIn(sink); },
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

TEST_CASE("a torn record is removed in every framing", "[file]") {
  const auto [framing, torn] = GENERATE(table<Framing, std::string>({
      {Framing::kLines, "to"},
      {Framing::kCsv, "1,\"to\nrn"},
      {Framing::kCsv, "1,to"},
      {Framing::kLengthPrefixed, std::string("\0\0\0\7to", 6)},
      {Framing::kLengthPrefixed, std::string("\0\0", 2)},
  }));
  const TempDir dir;
  std::string bytes;
  REQUIRE_OK(framing::AppendFrame(framing, "whole", bytes));
  dir.Write("part-0", bytes + torn);
  testing::FakeContext context;
  const file::Sink sink{.path = dir.path(), .framing = framing};
  const auto writer = sink.CreateWriter<std::string>();
  REQUIRE_OK(writer->Open(context));
  REQUIRE_OK(writer->Write("next", kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  REQUIRE(RecordsIn(sink) == Values{"whole", "next"});
}

}  // namespace
}  // namespace penstock
