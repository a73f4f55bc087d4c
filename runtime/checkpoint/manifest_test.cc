#include "runtime/checkpoint/manifest.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
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

// What programs of version 1 have written can be read for as long as this passes.
TEST_CASE("format 1 of manifests, handles, commit records and barriers, byte by byte", "[manifest]") {
  proto::TaskHandle handle;
  handle.set_version(1);
  handle.set_key_group_begin(3);
  handle.set_key_group_end(8);
  handle.set_key_groups(128);
  handle.set_keyed("k");
  handle.set_watermark_ms(300);
  proto::OperatorHandle& op = *handle.add_operators();
  op.set_uid("src");
  proto::OperatorStateHandle& state = *op.add_states();
  state.set_name("splits");
  state.set_kind(proto::OperatorStateHandle::UNION);
  state.add_items("p0");
  proto::OperatorFile& file = *state.add_files();
  file.set_item(0);
  file.set_name("f");
  file.set_size_bytes(9);
  file.set_checksum(0x0102030405060708);
  file.set_location("0 9 o");
  proto::Manifest manifest = Example();
  manifest.set_kind(proto::Manifest::SAVEPOINT);
  manifest.set_parent_generation("p");
  manifest.set_parent_id(41);
  manifest.set_leader_epoch(2);
  manifest.set_trigger_ms(1000);
  manifest.set_decided_ms(1001);
  manifest.set_attempt(3);
  manifest.set_cluster_id("c");
  manifest.mutable_subtasks(0)->set_handle(handle.SerializeAsString());
  CHECK(absl::BytesToHexString(EncodeManifest(manifest)) ==
        "504e53544b4d414e"          // PNSTKMAN
        "010000006400000000000000"  // format, length
        "080110011a036a6f62202a2a01673201703829400248e80750e90758036a420a01761a3d"
        "0801100318082080012a2c0a0373726312250a0673706c69747310011a02703022151201"
        "6618092108070605040302012a05302039206f32016b38ac02"  // the handle
        "7a0163"
        "b98119816869cc99");  // checksum
  CHECK(absl::BytesToHexString(EncodeCommitRecord(42, "g")) ==
        "504e53544b434d54"  // PNSTKCMT
        "010000000500000000000000"
        "082a120167"
        "64411cd4f98c72e7");
  CHECK(absl::BytesToHexString(EncodeBarrier({.id = 42, .last_decided = 41})) ==
        "2a00000000000000"  // id
        "2a00000000000000"  // the last decided one and 1
        "0000000000000000"  // time of the trigger
        "00");              // goes on
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
