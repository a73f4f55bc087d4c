// The file sink that writes exactly once, through TwoPhaseWriter: every crash between write and rename.
#include "connectors/file/rolling_writer.h"

#include <sys/stat.h>
#include <utime.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "penstock/testing/fake_context.h"
#include "runtime/task/two_phase_sink.h"
#include "tests/support/temp_dir.h"

namespace penstock::file {
namespace {

using testing::FakeContext;
using testing::TempDir;

void RequireOk(const absl::Status& status) {
  INFO(status.ToString());
  REQUIRE(status.ok());
}

// A source that counts, and one sink subtask; a coordinator of a few lines.
class Job {
 public:
  explicit Job(std::string directory, int64_t roll_bytes = 1 << 20)
      : directory_(std::move(directory)), roll_bytes_(roll_bytes) {}

  struct Checkpoint {
    uint64_t id = 0;
    int position = 0;
    SinkPart part;
  };

  absl::Status Start() {
    writer_.reset();
    context_ = std::make_unique<FakeContext>();
    context_->wait_max_ms = 5'000;
    next = newest ? newest->position : 0;
    writer_ = MakeRollingWriter<std::string>(
        {.path = directory_, .delivery = Delivery::exactly_once, .roll_bytes = roll_bytes_});
    SinkStart start{.origin = {.checkpoints = true,
                               .cluster_id = "c",
                               .job_uid = "j",
                               .generation = "g" + std::to_string(++generation_)},
                    .sink_uid = "out"};
    if (newest) start.parts = {newest->part};
    writer_->transactions()->Begin(std::move(start));
    return writer_->Open(*context_);
  }
  void Write(int count) {
    for (const int end = next + count; next < end; ++next)
      RequireOk(writer_->Write(std::to_string(next), kNoTimestamp));
  }
  Checkpoint Prepare() {
    auto part = transactions().Prepare({.id = next_id_, .last_decided = last_decided_});
    RequireOk(part.status());
    return {next_id_++, next, *std::move(part)};
  }
  void Decide(const Checkpoint& checkpoint) {
    newest = checkpoint;
    last_decided_ = checkpoint.id;
  }
  absl::Status AwaitCommit() {
    absl::Status status;
    context_->WaitUntil("commit", [&] {
      status = transactions().Advance();
      return !status.ok() || !transactions().OldestUncommitted();
    });
    return status;
  }
  SinkTransactions& transactions() { return *writer_->transactions(); }
  void Die() { writer_.reset(); }

  std::vector<std::string> Files(bool hidden) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(".") == hidden) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // Every number below count once.
  void Audit(int count) const {
    std::vector<int> seen;
    for (const std::string& name : Files(false)) {
      std::ifstream file(directory_ + "/" + name);
      for (std::string line; std::getline(file, line);) seen.push_back(std::stoi(line));
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int> expected;
    for (int i = 0; i < count; ++i) expected.push_back(i);
    REQUIRE(seen == expected);
  }

  int next = 0;
  std::optional<Checkpoint> newest;

 private:
  const std::string directory_;
  const int64_t roll_bytes_;
  int generation_ = 0;
  uint64_t next_id_ = 0;
  std::optional<uint64_t> last_decided_;
  std::unique_ptr<FakeContext> context_;
  std::unique_ptr<SinkWriter<std::string>> writer_;
};

TEST_CASE("files appear whole with their checkpoint, and roll by size", "[file]") {
  const TempDir dir;
  Job job(dir.path(), 100);
  RequireOk(job.Start());
  job.Write(100);
  CHECK(job.Files(false).empty());
  const auto checkpoint = job.Prepare();
  CHECK(job.Files(false).empty());
  CHECK(job.Files(true).size() == 3);  // 290 bytes
  CHECK(job.transactions().OldestUncommitted());
  job.Decide(checkpoint);
  job.transactions().OnDecided(checkpoint.id);
  RequireOk(job.AwaitCommit());
  job.Audit(100);
  CHECK(job.Files(true).empty());
}

TEST_CASE("a crash before, between and after decision and commit", "[file]") {
  const TempDir dir;
  Job job(dir.path());
  const std::string point = GENERATE("in the epoch", "prepared", "decided", "committed, and nobody knows");
  INFO(point);
  RequireOk(job.Start());
  job.Write(10);
  auto checkpoint = job.Prepare();
  job.Decide(checkpoint);
  job.transactions().OnDecided(checkpoint.id);
  RequireOk(job.AwaitCommit());
  job.Write(10);
  if (point != "in the epoch") checkpoint = job.Prepare();
  if (point.starts_with("decided") || point.starts_with("committed")) job.Decide(checkpoint);
  if (point.starts_with("committed")) {
    job.transactions().OnDecided(checkpoint.id);
    RequireOk(job.AwaitCommit());
  }
  job.Die();
  RequireOk(job.Start());
  job.Write(30 - job.next);
  checkpoint = job.Prepare();
  job.Decide(checkpoint);
  job.transactions().OnDecided(checkpoint.id);
  RequireOk(job.AwaitCommit());
  job.Audit(30);
}

TEST_CASE("a checkpoint that is given up: the next covers its files", "[file]") {
  const TempDir dir;
  Job job(dir.path());
  RequireOk(job.Start());
  job.Write(10);
  const auto given_up = job.Prepare();
  CHECK_FALSE(job.transactions().HasUnprepared());
  job.transactions().OnAborted(given_up.id);
  CHECK(job.transactions().HasUnprepared());  // a task at its end waits for one more
  const auto covering = job.Prepare();
  CHECK(covering.part.state == given_up.part.state);
  job.Decide(covering);
  SECTION("told by a notice") { job.transactions().OnDecided(covering.id); }
  SECTION("told by the next barrier") { job.Prepare(); }
  RequireOk(job.AwaitCommit());
  job.Audit(10);
}

TEST_CASE("a file that is gone fails the commit by name", "[file]") {
  const TempDir dir;
  Job job(dir.path());
  RequireOk(job.Start());
  job.Write(10);
  const auto checkpoint = job.Prepare();
  job.Decide(checkpoint);
  const std::string hidden = job.Files(true).at(0);
  std::filesystem::remove(dir.path() + "/" + hidden);
  job.transactions().OnDecided(checkpoint.id);
  const absl::Status status = job.AwaitCommit();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(status.message()), Catch::Contains(hidden));
}

TEST_CASE("what dead attempts left behind goes when it is old", "[file]") {
  const TempDir dir;
  Job job(dir.path());
  RequireOk(job.Start());
  job.Write(10);
  job.Prepare();
  job.Die();
  const std::string left = job.Files(true).at(0);
  RequireOk(job.Start());
  CHECK(job.Files(true) == std::vector<std::string>{left});
  const utimbuf long_ago = {1'000'000'000, 1'000'000'000};
  REQUIRE(utime((dir.path() + "/" + left).c_str(), &long_ago) == 0);
  std::ofstream(dir.path() + "/.part-of-another") << "x";
  REQUIRE(utime((dir.path() + "/.part-of-another").c_str(), &long_ago) == 0);
  RequireOk(job.Start());
  // Another subtask may have yet to commit it: the job may have been down for long.
  CHECK(job.Files(true) == std::vector<std::string>{left, ".part-of-another"});
  job.Prepare();
  CHECK(job.Files(true) == std::vector<std::string>{".part-of-another"});
}

TEST_CASE("without checkpoints it is refused", "[file]") {
  const TempDir dir;
  FakeContext context;
  const auto writer = MakeRollingWriter<std::string>({.path = dir.path(), .delivery = Delivery::exactly_once});
  writer->transactions()->Begin({.sink_uid = "out"});
  CHECK_THAT(std::string(writer->Open(context).message()), Catch::Contains("execution.checkpointing.dir"));
}

}  // namespace
}  // namespace penstock::file
