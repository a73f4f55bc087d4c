// What lies in checkpoint storage: manifests, the chain of a task, segments and bases, schemas, logs of sinks.
#define XXH_INLINE_ALL
#include <google/protobuf/stubs/logging.h>
#include <xxhash.h>

#include <cstring>
#include <memory>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"
#include "runtime/state/chain.h"
#include "runtime/state/segment.h"
#include "runtime/task/sink_log.h"
#include "tests/fuzz/target.h"

namespace penstock::fuzz {
namespace {

constexpr int64_t kLogBytesMax = 1 << 20;

void RunManifest(std::string_view bytes) {
  google::protobuf::SetLogHandler(nullptr);  // it complains of text that is no UTF-8
  (void)DecodeManifest(bytes, "fuzz");
}

// The checksum put right, so that what lies behind it is reached.
void RunSealedManifest(std::string_view bytes) {
  std::string whole = "PNSTKMAN";
  const uint32_t version = 1;
  const uint64_t size = bytes.size();
  whole.append(reinterpret_cast<const char*>(&version), sizeof version);
  whole.append(reinterpret_cast<const char*>(&size), sizeof size);
  whole += bytes;
  const uint64_t checksum = XXH3_64bits(whole.data(), whole.size());
  whole.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  RunManifest(whole);
}

absl::StatusOr<StateFilePtr> OpenNothing(const std::string& name, int64_t, uint64_t, const std::string&) {
  return MakeMemoryStateFile(name, "");
}
void RunChain(std::string_view bytes) { (void)DecodeKeyedSnapshot(bytes, OpenNothing); }

void RunSegment(std::string_view bytes) {
  const auto reader = SegmentReader::Open(MakeMemoryStateFile("fuzz", std::string(bytes)));
  if (!reader.ok()) return;
  size_t seen = 0;
  (void)(*reader)->ReadGroups((*reader)->header().range, [&](const StateEntry& entry) {
    seen += entry.key.size() + entry.value.size();
    return absl::OkStatus();
  });
}

void RunSegmentHeader(std::string_view bytes) { (void)SegmentHeader::Decode(bytes, "fuzz"); }
void RunSchema(std::string_view bytes) { (void)Schema::Decode(bytes); }

void RunSinkLog(std::string_view bytes) {
  size_t seen = 0;
  (void)SealedLog(MakeMemoryStateFile("fuzz", std::string(bytes))).Replay([&](std::string_view record) {
    seen += record.size();
    return absl::OkStatus();
  });
}

proto::Manifest SampleManifest() {
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_job_uid("job");
  manifest.set_generation("0123456789abcdef");
  manifest.add_subtasks()->set_vertex_id("v");
  return manifest;
}
SegmentHeader SampleHeader() {
  SegmentHeader header;
  header.id = 7;
  header.key_groups = 8;
  header.range = {0, 8};
  header.tables.push_back(
      {.uid = "op", .name = "s", .kind = "row", .key = SchemaOf<std::string>(), .value = SchemaOf<int32_t>()});
  return header;
}
StateFilePtr SampleSegment() {
  SegmentWriter writer(SampleHeader(), SpillBuffer("f", "", 0));
  for (uint32_t i = 0; i < 40; ++i) {
    writer.Append(i % 8, 0, i % 5 == 0 ? EntryOp::kDelete : EntryOp::kPut, "key" + std::to_string(i), "value");
  }
  return *writer.Finish();
}

std::vector<std::string> ManifestSeeds() { return {EncodeManifest(SampleManifest())}; }
std::vector<std::string> SealedManifestSeeds() { return {SampleManifest().SerializeAsString()}; }
std::vector<std::string> ChainSeeds() {
  KeyedSnapshot snapshot{.checkpoint_id = 3, .key_groups = 8, .range = {0, 8}};
  snapshot.parts.push_back({.id = 1, .mask = {0, 8}, .entries = 40, .files = {{SampleSegment(), ""}}});
  return {EncodeKeyedSnapshot(snapshot, [](const StateFile&) { return std::string("0 10 object"); })};
}
std::vector<std::string> SegmentSeeds() {
  const StateFilePtr file = SampleSegment();
  return {*file->Read(0, file->size_bytes())};
}
std::vector<std::string> HeaderSeeds() { return {SampleHeader().Encode()}; }
std::vector<std::string> SchemaSeeds() {
  return {SchemaOf<int64_t>().Encode(), SchemaOf<std::vector<std::string>>().Encode()};
}
std::vector<std::string> SinkLogSeeds() {
  const auto log = MakeSinkLog("f", "", kLogBytesMax);
  for (const char* record : {"one", "", "three"}) {
    if (!log->Append(record).ok()) return {};
  }
  const absl::StatusOr<SealedLog> sealed = log->Seal();
  return {*sealed->file()->Read(0, sealed->size_bytes())};
}

}  // namespace

const Target kStateTargets[] = {{"manifest", RunManifest, ManifestSeeds},
                                {"sealed_manifest", RunSealedManifest, SealedManifestSeeds},
                                {"chain", RunChain, ChainSeeds},
                                {"segment", RunSegment, SegmentSeeds},
                                {"segment_header", RunSegmentHeader, HeaderSeeds},
                                {"schema", RunSchema, SchemaSeeds},
                                {"sink_log", RunSinkLog, SinkLogSeeds}};
const size_t kStateTargetCount = std::size(kStateTargets);

}  // namespace penstock::fuzz
