// The chain of a task's keyed snapshots: bases and segments in order, later wins (protocols.md C).
//
// Value types; the files are shared. A part counts only for the key groups of its mask, so that the parts of several
// old tasks stand in one chain after a rescale.
#ifndef PENSTOCK_RUNTIME_STATE_CHAIN_H_
#define PENSTOCK_RUNTIME_STATE_CHAIN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/schema_resolver.h"
#include "runtime/state/segment.h"
#include "runtime/state/state_file.h"

namespace penstock {

// The numbers are part of the format.
enum class PartKind : uint8_t {
  kSegment = 0,
  kBase = 1,         // one file in the container of segments
  kRocksdbBase = 2,  // the files of a RocksDB checkpoint
};

struct ChainFile {
  StateFilePtr file;
  std::string path;  // its name inside the part; empty for parts of one file
};

struct ChainPart {
  PartKind kind = PartKind::kSegment;
  uint64_t id = 0;  // of the cut; for people
  KeyGroupRange mask;
  int64_t entries = 0;  // segments: what a replay reads
  std::vector<ChainFile> files;
};

// What one task hands in for one checkpoint. Every file in it must be durable before the checkpoint is acked.
struct KeyedSnapshot {
  uint64_t checkpoint_id = 0;
  uint32_t key_groups = 0;
  KeyGroupRange range;
  std::vector<ChainPart> parts;

  int64_t TotalBytes() const;
};

// The snapshot as the bytes in TaskHandle.keyed. `locate` gives what is needed to find a file again.
std::string EncodeKeyedSnapshot(const KeyedSnapshot& snapshot,
                                const std::function<std::string(const StateFile& file)>& locate);
// `open` makes the file from its name, size, checksum and location.
using OpenStateFile = std::function<absl::StatusOr<StateFilePtr>(const std::string& name, int64_t size_bytes,
                                                                 uint64_t checksum, const std::string& location)>;
absl::StatusOr<KeyedSnapshot> DecodeKeyedSnapshot(std::string_view bytes, const OpenStateFile& open);

// The parts a task with this range begins from: those of all old tasks, masked.
std::vector<ChainPart> PartsForRange(const std::vector<KeyedSnapshot>& sources, KeyGroupRange range);

// How the tables of a file relate to those of the program.
class TableMatcher {
 public:
  struct Match {
    int table = -1;    // the program's; -1: it has none of that uid and name
    bool same = true;  // the encoding is ours
    bool was_expiring = false;
    std::shared_ptr<const SchemaResolver> resolver;  // of the value behind the time of expiry; null: its schema is ours
  };
  // Errors name uid, state and both schemas; FailedPrecondition when hash or key groups differ.
  static absl::StatusOr<std::vector<Match>> MatchAll(const SegmentHeader& header, const std::vector<TableSpec>& tables,
                                                     uint32_t key_groups, std::string_view file, int64_t now_ms);
};

// Converts a stored value; DataLoss when it does not decode. `value` may point into `scratch` afterwards.
absl::Status ResolveValue(const TableSpec& table, const TableMatcher::Match& match, ByteWriter& scratch,
                          std::string_view& value);

// A value of a table with `expires`: is it gone at this time?
bool IsExpired(std::string_view value, int64_t now_ms);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_CHAIN_H_
