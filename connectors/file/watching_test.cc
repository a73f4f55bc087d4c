// A directory that is watched: files that come, change and go.
#include <filesystem>
#include <fstream>
#include <set>

#include "connectors/file/file_id.h"
#include "penstock/connectors/file.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"
#include "tests/support/temp_dir.h"

namespace penstock::file {
namespace {

using testing::FakeContext;
using testing::TempDir;
using Values = std::vector<std::string>;

Source Watch(const TempDir& dir, WhenChanged when_changed = WhenChanged::kIgnore) {
  return {.path = dir.path(), .watch_interval = std::chrono::milliseconds(1), .when_changed = when_changed};
}

// A reader that runs until a condition holds.
struct Watcher {
  explicit Watcher(const Source& source, const Values* positions = nullptr, int subtask = 0, int parallelism = 1)
      : context(subtask, parallelism), reader(source.CreateReader()) {
    REQUIRE_OK(source.Validate());
    if (positions != nullptr) REQUIRE_OK(reader->Restore(*positions));
    REQUIRE_OK(reader->Open(context, output));
  }
  ~Watcher() { reader->Close(); }
  absl::Status Until(const std::function<bool()>& done) {
    absl::Status failure;
    const bool held = testing::PollUntil<Bytes>(*reader, output, context, done, &failure);
    if (!failure.ok()) return failure;
    return held ? absl::OkStatus() : absl::DeadlineExceededError("not within a minute");
  }
  absl::Status UntilCount(size_t count) {
    return Until([&] { return output.records.size() >= count; });
  }
  // Looks so often again and finds nothing.
  void RequireQuietFor(int looks) {
    const size_t before = output.records.size();
    for (int i = 0; i < looks; ++i) {
      output.caught_up.clear();
      REQUIRE_OK(Until([&] { return !output.caught_up.empty(); }));
      context.fake_waker().WaitFor(std::chrono::milliseconds(5));
    }
    REQUIRE(output.records.size() == before);
  }
  Values Snapshot() {
    Values positions;
    REQUIRE_OK(reader->Snapshot(1, &positions));
    return positions;
  }

  FakeContext context;
  testing::FakeOutput<Bytes, std::string> output = testing::BytesOutput();
  std::unique_ptr<SourceReader<Bytes>> reader;
};

TEST_CASE("a watching source conforms while it watches", "[file]") {
  const TempDir dir;
  Values expected;
  for (int file = 0; file < 5; ++file) {
    std::string text;
    for (int i = 0; i < 10; ++i) text += expected.emplace_back(std::to_string(file * 100 + i)) + "\n";
    dir.Write("f" + std::to_string(file), text);
  }
  int added = 1000;
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make = [&] { return Source{.path = dir.path()}.CreateReader(); },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
      .make_endless = [&] { return Watch(dir).CreateReader(); },
      .append =
          [&] {
            dir.Write("g" + std::to_string(added), std::to_string(added) + "\n");
            return std::to_string(added++);
          },
  }));
}

TEST_CASE("every file is read once, whatever the parallelism, restored after every record", "[file]") {
  const TempDir dir;
  std::set<std::string> left;
  const auto add = [&](int file) {
    std::string text;
    for (int i = 0; i < 4; ++i) text += *left.insert(fmt::format("{}-{}", file, i)).first + "\n";
    dir.Write("f" + std::to_string(file), text);
  };
  int files = 0;
  while (files < 5) add(files++);
  Values positions;
  for (int round = 0; !left.empty(); ++round) {
    REQUIRE(round < 100);
    const int parallelism = round % 3 + 1;
    Values next;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      Watcher watcher(Watch(dir), round == 0 ? nullptr : &positions, subtask, parallelism);
      watcher.output.yield_at = 1;
      REQUIRE_OK(watcher.Until([&] { return !watcher.output.records.empty() || !watcher.output.caught_up.empty(); }));
      for (const std::string& value : watcher.output.values()) {
        INFO(value);
        REQUIRE(left.erase(value) == 1);
      }
      for (const std::string& each : watcher.Snapshot()) next.push_back(each);
    }
    positions = next;
    if (files < 9) add(files++);
  }
  Watcher last(Watch(dir), &positions);
  last.RequireQuietFor(5);
}

TEST_CASE("files come in the order of their time of change", "[file]") {
  const TempDir dir;
  const auto now = std::filesystem::file_time_type::clock::now();
  const Values names = {"c", "a", "b"};
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string path = dir.Write(names[i], names[i] + "\n");
    std::filesystem::last_write_time(path, now - std::chrono::hours(10 - i));
  }
  Watcher watcher(Watch(dir));
  REQUIRE_OK(watcher.UntilCount(3));
  REQUIRE(watcher.output.values() == names);
}

TEST_CASE("a file that grows is taken up when it has come to rest", "[file]") {
  const TempDir dir;
  dir.Write("first", "x\n");
  Watcher watcher(Watch(dir));
  REQUIRE_OK(watcher.UntilCount(1));
  std::ofstream growing(dir.path() + "/growing");
  // Each look finds it changed: it is written to at each poll.
  for (int i = 0; i < 50; ++i) {
    growing << "line " << i << std::endl;
    REQUIRE(watcher.reader->Poll(watcher.output).ok());
  }
  growing.close();
  REQUIRE_OK(watcher.UntilCount(51));
  watcher.RequireQuietFor(3);
  const Values values = watcher.output.values();
  REQUIRE(std::set<std::string>(values.begin(), values.end()).size() == 51);
}

TEST_CASE("a file that has changed after it was read", "[file]") {
  const TempDir dir;
  const std::string path = dir.Write("f", "one\n");
  const auto when_changed = GENERATE(WhenChanged::kIgnore, WhenChanged::kReadAgain);
  Watcher watcher(Watch(dir, when_changed));
  REQUIRE_OK(watcher.UntilCount(1));
  watcher.RequireQuietFor(2);
  dir.Write("f", "two\nlines\n");
  REQUIRE_OK(watcher.Until([&] { return watcher.context.counter("filesChanged").value() == 1; }));
  if (when_changed == WhenChanged::kIgnore) {
    watcher.RequireQuietFor(3);
    REQUIRE(watcher.output.values() == Values{"one"});
    REQUIRE(watcher.context.warnings.size() == 1);
    REQUIRE_THAT(watcher.context.warnings[0], Catch::Contains(path));
  } else {
    REQUIRE_OK(watcher.UntilCount(3));
    REQUIRE(watcher.output.values() == Values{"one", "two", "lines"});
  }
  Values positions = watcher.Snapshot();
  REQUIRE(positions.size() == 1);
  Watcher later(Watch(dir, when_changed), &positions);
  later.RequireQuietFor(3);
}

TEST_CASE("what is read and gone leaves the checkpoint", "[file]") {
  const TempDir dir;
  dir.Write("a", "a\n");
  dir.Write("b", "b\n");
  Watcher watcher(Watch(dir));
  REQUIRE_OK(watcher.UntilCount(2));
  REQUIRE(watcher.Snapshot().size() == 2);
  std::filesystem::remove(dir.path() + "/a");
  REQUIRE_OK(watcher.Until([&] { return watcher.Snapshot().size() == 1; }));
  watcher.RequireQuietFor(2);
}

TEST_CASE("a directory that comes later, and one that goes, are waited for", "[file]") {
  const TempDir dir;
  const std::string path = dir.path() + "/later";
  Source source = Watch(dir);
  source.path = path;
  Watcher watcher(source);
  REQUIRE_OK(watcher.Until([&] { return !watcher.context.note.empty(); }));
  REQUIRE_THAT(watcher.context.note, Catch::Contains(path) && Catch::Contains("retrying"));
  std::filesystem::create_directory(path);
  std::ofstream(path + "/f") << "here\n";
  REQUIRE_OK(watcher.UntilCount(1));
  REQUIRE(watcher.context.note.empty());
}

TEST_CASE("a file half read that has gone is missed, one not begun is not", "[file]") {
  const TempDir dir;
  Values positions = {EncodePosition({.id = {4, 1}}, dir.path() + "/renamed")};
  dir.Write("f", "x\n");
  Watcher watcher(Watch(dir), &positions);
  REQUIRE_OK(watcher.UntilCount(1));
  REQUIRE(watcher.context.warnings.size() == 1);
  positions = {EncodePosition({.bytes = 2, .records = 1, .id = {4, 1}}, dir.path() + "/half")};
  Watcher missing(Watch(dir), &positions);
  const absl::Status status = missing.UntilCount(1);
  REQUIRE(status.code() == absl::StatusCode::kNotFound);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("half"));
}

}  // namespace
}  // namespace penstock::file
