#include "runtime/state/segment.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/state/chain.h"

namespace penstock {
namespace {

SegmentHeader Header(KeyGroupRange range = {0, 8}) {
  SegmentHeader header;
  header.id = 7;
  header.key_groups = 8;
  header.range = range;
  header.tables.push_back(
      {.uid = "op", .name = "s", .kind = "row", .key = SchemaOf<std::string>(), .value = SchemaOf<int32_t>()});
  return header;
}

StateFilePtr Written(const SegmentHeader& header, const std::vector<StateEntry>& entries, int blocks = 1) {
  SegmentWriter writer(header, SpillBuffer("f", "", 0));
  for (size_t i = 0; i < entries.size(); ++i) {
    const StateEntry& entry = entries[i];
    writer.Append(entry.key_group, entry.table, entry.op, entry.key, entry.value);
    if (blocks > 1 && (i + 1) % (entries.size() / blocks) == 0) writer.CloseBlock();
  }
  absl::StatusOr<StateFilePtr> file = writer.Finish();
  REQUIRE(file.ok());
  return *file;
}

absl::StatusOr<std::vector<std::string>> ReadAll(StateFilePtr file, KeyGroupRange groups = {0, 8}) {
  absl::StatusOr<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(std::move(file));
  if (!reader.ok()) return reader.status();
  std::vector<std::string> lines;
  absl::Status status = (*reader)->ReadGroups(groups, [&](const StateEntry& entry) {
    lines.push_back(fmt::format("{}/{}{}{}={}", entry.key_group, entry.table, "+-*"[static_cast<int>(entry.op)],
                                entry.key, entry.value));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return lines;
}

const std::vector<StateEntry> kEntries = {
    {5, 0, EntryOp::kPut, "a", "1"}, {1, 0, EntryOp::kPut, "b", "22"},   {5, 0, EntryOp::kDelete, "a", ""},
    {5, 0, EntryOp::kPut, "a", "3"}, {7, 0, EntryOp::kDelete, "zz", ""}, {1, 0, EntryOp::kPut, "", ""},
};

TEST_CASE("a segment gives back its entries by key group, in order within a key", "[state]") {
  const int blocks = GENERATE(1, 3);
  const StateFilePtr file = Written(Header(), kEntries, blocks);
  CHECK(ReadAll(file, {5, 6}).value() == std::vector<std::string>{"5/0+a=1", "5/0-a=", "5/0+a=3"});
  CHECK(ReadAll(file, {0, 2}).value() == std::vector<std::string>{"1/0+b=22", "1/0+="});
  CHECK(ReadAll(file)->size() == 6);
  CHECK(ReadAll(Written(Header(), {}))->empty());
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return text;
}

TEST_CASE("format 1 of segments, byte by byte", "[state]") {
  const StateFilePtr file = Written(Header(), {{3, 0, EntryOp::kPut, "k", "vv"}, {3, 0, EntryOp::kDelete, "d", ""}});
  const std::string bytes = file->Read(0, file->size_bytes()).value();
  CHECK(Hex(bytes) ==
        "504e53544b534547"  // PNSTKSEG
        "010000002e000000"  // format, length of the body
        "00"                // a segment
        "0700000000000000"  // id
        "0100000008000000"  // key hash, key groups
        "0000000008000000"  // range
        "01"                // tables
        "026f70"
        "0173"
        "03726f77"
        "00"
        "0405000000"
        "0402040000"        // op, s, row, flags, string, int32
        "ffef42befeeefc1c"  // checksum
        "01000000"
        "0300000000000000"  // groups; 3, from 0
        "00016b027676"
        "010164"            // put k = vv, delete d
        "5de1fd2116f37862"  // checksum
        "4600000000000000"
        "1d000000"
        "03000000"
        "03000000"
        "02000000"  // block: where, length, groups, entries
        "6300000000000000"
        "01000000"
        "0200000000000000"    // index: where, blocks, entries
        "873c9732f1644501"    // checksum
        "504e53544b454e44");  // PNSTKEND
}

TEST_CASE("each flipped byte and each missing byte is noticed, and the file is named", "[state]") {
  std::vector<StateEntry> entries;
  for (int i = 0; i < 30; ++i) entries.push_back(kEntries[static_cast<size_t>(i) % kEntries.size()]);
  const StateFilePtr file = Written(Header(), entries, 3);
  const std::string bytes = file->Read(0, file->size_bytes()).value();
  REQUIRE(ReadAll(MakeMemoryStateFile("good", bytes)).ok());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const auto read = ReadAll(MakeMemoryStateFile("chk-12-segment", damaged));
      INFO("byte " << i << " bit " << bit);
      REQUIRE(!read.ok());
      REQUIRE(MessageOf(read.status()).find("chk-12-segment") != std::string::npos);
    }
    const auto cut = ReadAll(MakeMemoryStateFile("chk-12-segment", bytes.substr(0, i)));
    REQUIRE(!cut.ok());
    REQUIRE(MessageOf(cut.status()).find("chk-12-segment") != std::string::npos);
  }
}

TEST_CASE("hash and key groups are checked, schemas are named", "[state]") {
  SegmentHeader header = Header();
  const auto match = [&](uint32_t key_groups) {
    return TableMatcher::MatchAll(header, Header().tables, key_groups, "f", 0).status();
  };
  CHECK(match(8).ok());
  CHECK(MessageOf(match(9)).find("8 key groups") != std::string::npos);
  header.key_hash_id = 2;
  CHECK(match(8).code() == absl::StatusCode::kFailedPrecondition);
  header = Header();
  header.tables[0].value = SchemaOf<std::string>();
  const std::string message = MessageOf(match(8));
  CHECK(message.find("'op' state 's'") != std::string::npos);
  CHECK(message.find("the state has string, the program reads int32") != std::string::npos);
  header = Header();
  header.tables[0].key = SchemaOf<int64_t>();
  CHECK(match(8).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a state file in memory and one that was spilled read alike", "[state]") {
  const int64_t bound = GENERATE(4, 1000);
  SpillBuffer buffer("spill-test", "/tmp", bound);
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string piece(static_cast<size_t>(i), static_cast<char>('a' + i));
    all += piece;
    REQUIRE(buffer.Append(piece).ok());
  }
  const StateFilePtr file = buffer.Seal().value();
  CHECK(file->local_path().empty() == (bound == 1000));
  CHECK(file->checksum() == MakeMemoryStateFile("m", all)->checksum());
  for (size_t i = 0; i <= all.size(); i += 7) {
    CHECK(file->Read(static_cast<int64_t>(i), static_cast<int64_t>(all.size() - i)).value() == all.substr(i));
  }
  CHECK(file->Read(1, static_cast<int64_t>(all.size())).status().code() == absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace penstock
