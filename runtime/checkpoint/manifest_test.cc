#include "runtime/checkpoint/manifest.h"

#include <catch2/catch.hpp>

#include "runtime/checkpoint/barrier.h"
#include "runtime/core/status.h"

namespace penstock {
namespace {

proto::Manifest Example() {
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_job_uid("job");
  manifest.set_checkpoint_id(42);
  manifest.set_generation("g");
  proto::SubtaskSnapshot& subtask = *manifest.add_subtasks();
  subtask.set_vertex_id("v");
  subtask.set_handle(std::string("\0\xff", 2));
  return manifest;
}

TEST_CASE("a manifest survives its bytes", "[manifest]") {
  const auto read = DecodeManifest(EncodeManifest(Example()), "m");
  REQUIRE(read.ok());
  CHECK(read->SerializeAsString() == Example().SerializeAsString());
}

TEST_CASE("a commit record counts for the savepoint that it names", "[manifest]") {
  const std::string name = CommitRecordName(ManifestName("jobs/job", 42));
  CHECK(name == "jobs/job/manifests/00000000000000000042.committed");
  CHECK_FALSE(IdOfManifestName(name));
  const std::string good = EncodeCommitRecord(42, "g");
  CHECK(CheckCommitRecord(good, name, Example()).ok());
  CHECK(absl::IsDataLoss(CheckCommitRecord(EncodeCommitRecord(42, "h"), name, Example())));
  CHECK(absl::IsDataLoss(CheckCommitRecord(EncodeCommitRecord(41, "g"), name, Example())));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_FALSE(CheckCommitRecord(bad, name, Example()).ok());
  }
  CHECK_FALSE(CheckCommitRecord(EncodeManifest(Example()), name, Example()).ok());
}

TEST_CASE("every damaged byte of a manifest is noticed and the manifest named", "[manifest]") {
  const std::string good = EncodeManifest(Example());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    const auto read = DecodeManifest(bad, "manifests/42");
    REQUIRE_FALSE(read.ok());
    CHECK(MessageOf(read.status()).find("manifests/42") != std::string::npos);
    CHECK_FALSE(DecodeManifest(good.substr(0, i), "cut").ok());
  }
}

TEST_CASE("a manifest of a newer format is refused with both formats named", "[manifest]") {
  std::string bytes = EncodeManifest(Example());
  bytes[8] = 9;
  const auto read = DecodeManifest(bytes, "m");
  CHECK(absl::IsUnimplemented(read.status()));
  CHECK(MessageOf(read.status()) == "m is a manifest of format 9, this program reads format 1");
}

TEST_CASE("names of manifests sort by id", "[manifest]") {
  CHECK(ManifestName("jobs/a", 7) == "jobs/a/manifests/00000000000000000007");
  CHECK(ManifestName("jobs/a", 9) < ManifestName("jobs/a", 10));
  CHECK(IdOfManifestName(ManifestName("jobs/a", 123)) == 123u);
  CHECK_FALSE(IdOfManifestName("jobs/a/manifests/12"));
  CHECK_FALSE(IdOfManifestName("jobs/a/manifests/0000000000000000000x"));
}

TEST_CASE("a barrier survives its bytes", "[barrier]") {
  const Barrier barrier{.id = 7, .last_decided = 0, .ending = BarrierEnding::kDrain, .trigger_ms = 5};
  CHECK(DecodeBarrier(EncodeBarrier(barrier)) == barrier);
  const Barrier first{.id = 0, .last_decided = {}, .trigger_ms = 1};
  CHECK(DecodeBarrier(EncodeBarrier(first)) == first);
  CHECK_FALSE(DecodeBarrier("short"));
}

}  // namespace
}  // namespace penstock
