// The container of segments and of hashmap bases: entries in blocks by key group, with an index (docs/state_format.md).
//
//   file    := header block* index footer                       integers little-endian
//   header  := "PNSTKSEG" u32 version u32 length, body, u64 XXH3-64 of all before
//   body    := u8 kind, u64 id, u32 key hash id, u32 key groups, u32 begin, u32 end, varint tables, table*
//   table   := string uid, string name, string kind, u8 flags, string key schema, string value schema
//   block   := u32 groups, (u32 key group, u32 where its entries begin)*, entries, u64 XXH3-64 of all before
//   entry   := varint (table << 2 | op), string key, [op put: string value]
//   index   := (u64 offset, u32 length, u32 first group, u32 last group, u32 entries)*
//   footer  := u64 offset of the index, u32 blocks, u64 entries, u64 XXH3-64 of index and footer so far, "PNSTKEND"
//
// Within a file the later entry of a key wins. Writer and reader: one thread each.
#ifndef PENSTOCK_RUNTIME_STATE_SEGMENT_H_
#define PENSTOCK_RUNTIME_STATE_SEGMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/record/byte_io.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/schema.h"
#include "runtime/state/state_file.h"

namespace penstock {

inline constexpr uint32_t kSegmentFormat = 1;
inline constexpr size_t kBlockBytes = 256 << 10;  // of entries, before a block is closed
inline constexpr uint32_t kKeyGroupsMax = 32768;

// What a table is, as the program declares it and as a snapshot says.
struct TableSpec {
  std::string uid;          // of the operator
  std::string name;         // of the state, unique within the operator
  std::string kind;         // "row", "window", "map", "timers"
  bool namespaced = false;  // keys begin with 8 bytes of namespace, ordered
  bool expires = false;     // values begin with i64 milliseconds since the epoch: gone from then on; 0: never
  Schema key;
  Schema value;

  std::string Label() const { return "'" + uid + "' state '" + name + "'"; }
};

enum class EntryOp : uint8_t { kPut = 0, kDelete = 1, kDeleteNamespace = 2 };

struct StateEntry {
  uint32_t key_group = 0;
  uint32_t table = 0;  // position in the file's header
  EntryOp op = EntryOp::kPut;
  std::string_view key;    // without the key group; kDeleteNamespace: the 8 bytes of the namespace
  std::string_view value;  // kPut only
};

enum class SegmentKind : uint8_t { kSegment = 0, kBase = 1 };

struct SegmentHeader {
  SegmentKind kind = SegmentKind::kSegment;
  uint64_t id = 0;
  uint32_t key_hash_id = kKeyHashId;
  uint32_t key_groups = kDefaultKeyGroups;
  KeyGroupRange range;
  std::vector<TableSpec> tables;

  std::string Encode() const;
  // DataLoss names `where`.
  static absl::StatusOr<SegmentHeader> Decode(std::string_view bytes, std::string_view where);
};

// Namespaces as bytes that sort like the numbers.
void PutNamespace(int64_t ns, ByteWriter& out);
bool GetNamespace(std::string_view& key, int64_t& ns);

class SegmentWriter {
 public:
  SegmentWriter(const SegmentHeader& header, SpillBuffer out);

  void Append(uint32_t key_group, uint32_t table, EntryOp op, std::string_view key, std::string_view value);
  int64_t entries() const { return total_entries_ + static_cast<int64_t>(pending_.size()); }
  int64_t bytes() const { return out_.size_bytes() + static_cast<int64_t>(log_.size()); }
  // The first error, if writing failed.
  const absl::Status& status() const { return status_; }
  absl::StatusOr<StateFilePtr> Finish();
  // Closes the running block, so that later entries share none with earlier ones.
  void CloseBlock();

 private:
  struct Pending {
    uint32_t key_group;
    uint32_t offset;
  };
  struct IndexEntry {
    uint64_t offset;
    uint32_t length;
    uint32_t first_group;
    uint32_t last_group;
    uint32_t entries;
  };
  void Write(std::string_view bytes);

  const KeyGroupRange range_;
  SpillBuffer out_;
  ByteWriter log_;  // entries in order of appending
  std::vector<Pending> pending_;
  std::vector<uint32_t> counts_;  // scratch: entries by key group less range_.begin
  std::vector<uint32_t> order_;   // scratch
  ByteWriter block_;
  std::vector<IndexEntry> index_;
  int64_t total_entries_ = 0;
  absl::Status status_;
};

class SegmentReader {
 public:
  // Reads header and index. DataLoss names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(StateFilePtr file);

  const SegmentHeader& header() const { return header_; }
  int64_t entries() const { return entries_; }
  using Visitor = std::function<absl::Status(const StateEntry& entry)>;
  // All entries of these key groups, for each key in the order they were written.
  absl::Status ReadGroups(KeyGroupRange groups, const Visitor& visit) const;

 private:
  struct Block {
    uint64_t offset = 0;
    uint32_t length = 0;
    uint32_t first_group = 0;
    uint32_t last_group = 0;
    uint32_t entries = 0;
  };
  explicit SegmentReader(StateFilePtr file) : file_(std::move(file)) {}
  absl::Status ReadFooter();
  absl::Status ReadHeader();
  absl::Status VisitBlock(const Block& block, KeyGroupRange groups, const Visitor& visit) const;
  absl::Status VisitEntries(uint32_t key_group, std::string_view bytes, const Visitor& visit) const;
  absl::Status Corrupt(std::string_view what) const;

  const StateFilePtr file_;
  SegmentHeader header_;
  int64_t index_offset_ = 0;
  int64_t entries_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_SEGMENT_H_
