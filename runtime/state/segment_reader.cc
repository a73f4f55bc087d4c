#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/core/status.h"
#include "runtime/state/segment.h"

namespace penstock {
namespace {

constexpr int64_t kHeaderStartBytes = 16;
constexpr int64_t kFooterBytes = 36;
constexpr int64_t kIndexEntryBytes = 24;
constexpr size_t kTablesMax = 4096;

bool DecodeTable(ByteReader& in, TableSpec& table) {
  std::string_view uid, name, kind, key, value;
  uint8_t flags = 0;
  if (!detail::ReadString(in, uid) || !detail::ReadString(in, name) || !detail::ReadString(in, kind) ||
      !in.GetFixed(flags) || flags > 3 || !detail::ReadString(in, key) || !detail::ReadString(in, value)) {
    return false;
  }
  absl::StatusOr<Schema> key_schema = Schema::Decode(key);
  absl::StatusOr<Schema> value_schema = Schema::Decode(value);
  if (!key_schema.ok() || !value_schema.ok()) return false;
  table = {.uid = std::string(uid),
           .name = std::string(name),
           .kind = std::string(kind),
           .namespaced = (flags & 1) != 0,
           .expires = (flags & 2) != 0,
           .key = *std::move(key_schema),
           .value = *std::move(value_schema)};
  return true;
}

bool DecodeBody(std::string_view body, SegmentHeader& header) {
  ByteReader in(body);
  uint8_t kind = 0;
  uint64_t tables = 0;
  if (!in.GetFixed(kind) || kind > 1 || !in.GetFixed(header.id) || !in.GetFixed(header.key_hash_id) ||
      !in.GetFixed(header.key_groups) || !in.GetFixed(header.range.begin) || !in.GetFixed(header.range.end) ||
      !detail::ReadCount(in, tables) || tables > kTablesMax) {
    return false;
  }
  header.kind = static_cast<SegmentKind>(kind);
  if (header.key_groups > kKeyGroupsMax || header.range.begin > header.range.end ||
      header.range.end > header.key_groups) {
    return false;
  }
  for (uint64_t i = 0; i < tables; ++i) {
    if (!DecodeTable(in, header.tables.emplace_back())) return false;
  }
  return in.remaining() == 0;
}

// Takes the checksum off the end of the bytes; false when it is not theirs.
bool TakeChecksum(std::string_view& bytes) {
  uint64_t checksum = 0;
  if (bytes.size() < sizeof checksum) return false;
  std::memcpy(&checksum, bytes.data() + bytes.size() - sizeof checksum, sizeof checksum);
  bytes.remove_suffix(sizeof checksum);
  return XXH3_64bits(bytes.data(), bytes.size()) == checksum;
}

}  // namespace

absl::Status SegmentReader::Corrupt(std::string_view what) const {
  return DataLoss("state file {} is damaged: {}", file_->name(), what);
}

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(StateFilePtr file) {
  std::unique_ptr<SegmentReader> reader(new SegmentReader(std::move(file)));
  PENSTOCK_RETURN_IF_ERROR(reader->ReadFooter());
  PENSTOCK_RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

absl::Status SegmentReader::ReadFooter() {
  const int64_t size = file_->size_bytes();
  if (size < kHeaderStartBytes + kFooterBytes) return Corrupt(fmt::format("only {} bytes", size));
  const absl::StatusOr<std::string> footer_read = file_->Read(size - kFooterBytes, kFooterBytes);
  PENSTOCK_RETURN_IF_ERROR(footer_read.status());
  const std::string& footer = *footer_read;
  if (footer.substr(kFooterBytes - 8) != "PNSTKEND") return Corrupt("it has no end mark (cut short?)");
  ByteReader in(footer);
  uint64_t index_offset = 0;
  uint32_t blocks = 0;
  uint64_t entries = 0;
  in.GetFixed(index_offset);
  in.GetFixed(blocks);
  in.GetFixed(entries);
  if (index_offset > static_cast<uint64_t>(size - kFooterBytes) ||
      size - kFooterBytes - static_cast<int64_t>(index_offset) != kIndexEntryBytes * static_cast<int64_t>(blocks)) {
    return Corrupt("its footer does not fit");
  }
  index_offset_ = static_cast<int64_t>(index_offset);
  entries_ = static_cast<int64_t>(entries);
  const absl::StatusOr<std::string> end_read = file_->Read(index_offset_, size - index_offset_ - 8);
  PENSTOCK_RETURN_IF_ERROR(end_read.status());
  const std::string& end = *end_read;
  std::string_view checked = end;
  if (!TakeChecksum(checked)) return Corrupt("the checksum of its index is wrong");
  ByteReader index(checked);
  for (uint32_t i = 0; i < blocks; ++i) {
    Block& block = blocks_.emplace_back();
    index.GetFixed(block.offset);
    index.GetFixed(block.length);
    index.GetFixed(block.first_group);
    index.GetFixed(block.last_group);
    index.GetFixed(block.entries);
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentHeader> SegmentHeader::Decode(std::string_view bytes, std::string_view where) {
  uint32_t version = 0;
  uint32_t length = 0;
  if (bytes.size() < kHeaderStartBytes || bytes.substr(0, 8) != "PNSTKSEG") {
    return DataLoss("state file {} is damaged: it does not begin as a state file", where);
  }
  std::memcpy(&version, bytes.data() + 8, 4);
  std::memcpy(&length, bytes.data() + 12, 4);
  if (version != kSegmentFormat) {
    return Unimplemented("state file {} has format {}; this program reads {}", where, version, kSegmentFormat);
  }
  if (bytes.size() != kHeaderStartBytes + size_t{length} + 8 || !TakeChecksum(bytes)) {
    return DataLoss("state file {} is damaged: the checksum of its header is wrong", where);
  }
  SegmentHeader header;
  if (!DecodeBody(bytes.substr(kHeaderStartBytes), header)) {
    return DataLoss("state file {} is damaged: its header does not decode", where);
  }
  return header;
}

absl::Status SegmentReader::ReadHeader() {
  const absl::StatusOr<std::string> start = file_->Read(0, kHeaderStartBytes);
  PENSTOCK_RETURN_IF_ERROR(start.status());
  uint32_t length = 0;
  std::memcpy(&length, start->data() + 12, 4);
  const int64_t header_bytes = kHeaderStartBytes + static_cast<int64_t>(length) + 8;
  if (header_bytes > index_offset_) return Corrupt("its header does not fit");
  const absl::StatusOr<std::string> bytes = file_->Read(0, header_bytes);
  PENSTOCK_RETURN_IF_ERROR(bytes.status());
  PENSTOCK_ASSIGN_OR_RETURN(header_, SegmentHeader::Decode(*bytes, file_->name()));
  int64_t expected = header_bytes;
  for (const Block& block : blocks_) {
    if (static_cast<int64_t>(block.offset) != expected) return Corrupt("its blocks do not follow each other");
    expected += block.length;
  }
  if (expected != index_offset_) return Corrupt("its blocks do not reach its index");
  return absl::OkStatus();
}

absl::Status SegmentReader::ReadGroups(KeyGroupRange groups, const Visitor& visit) const {
  for (const Block& block : blocks_) {
    if (block.last_group < groups.begin || block.first_group >= groups.end) continue;
    PENSTOCK_RETURN_IF_ERROR(VisitBlock(block, groups, visit));
  }
  return absl::OkStatus();
}

absl::Status SegmentReader::VisitBlock(const Block& block, KeyGroupRange groups, const Visitor& visit) const {
  const absl::StatusOr<std::string> bytes_read = file_->Read(static_cast<int64_t>(block.offset), block.length);
  PENSTOCK_RETURN_IF_ERROR(bytes_read.status());
  const std::string& bytes = *bytes_read;
  std::string_view body = bytes;
  if (!TakeChecksum(body)) return Corrupt(fmt::format("the checksum of the block at {} is wrong", block.offset));
  ByteReader in(body);
  uint32_t count = 0;
  if (!in.GetFixed(count) || uint64_t{count} * 8 > in.remaining()) return Corrupt("a block without its directory");
  const std::string_view entries = body.substr(4 + size_t{count} * 8);
  uint32_t group = 0;
  uint32_t begin = 0;
  if (count > 0) {
    in.GetFixed(group);
    in.GetFixed(begin);
  }
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t next_group = 0;
    uint32_t end = static_cast<uint32_t>(entries.size());
    if (i + 1 < count) {
      in.GetFixed(next_group);
      in.GetFixed(end);
    }
    if (begin > end || end > entries.size()) return Corrupt("a block whose directory does not fit");
    if (group >= groups.begin && group < groups.end) {
      PENSTOCK_RETURN_IF_ERROR(VisitEntries(group, entries.substr(begin, end - begin), visit));
    }
    group = next_group;
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status SegmentReader::VisitEntries(uint32_t key_group, std::string_view bytes, const Visitor& visit) const {
  ByteReader in(bytes);
  StateEntry entry;
  entry.key_group = key_group;
  while (in.remaining() > 0) {
    uint64_t tag = 0;
    if (!in.GetVarint(tag) || (tag & 3) > 2 || (tag >> 2) >= header_.tables.size() ||
        !detail::ReadString(in, entry.key)) {
      return Corrupt("an entry that does not decode");
    }
    entry.op = static_cast<EntryOp>(tag & 3);
    entry.table = static_cast<uint32_t>(tag >> 2);
    entry.value = {};
    if (entry.op == EntryOp::kPut && !detail::ReadString(in, entry.value)) {
      return Corrupt("an entry that does not decode");
    }
    PENSTOCK_RETURN_IF_ERROR(visit(entry));
  }
  return absl::OkStatus();
}

}  // namespace penstock
