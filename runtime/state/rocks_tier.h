// The cold tier in RocksDB: one database per task, a column family per table, no write-ahead log (the snapshot chain is
// the log). A base is a RocksDB checkpoint by hard links.
//
// Keys are the key group (u16, big-endian) and the table's key. Values begin with a varint: 0 for "deleted here", else
// one plus the position, in the list of tables under "tables" in the default column family, of the schema they are in.
#ifndef PENSTOCK_RUNTIME_STATE_ROCKS_TIER_H_
#define PENSTOCK_RUNTIME_STATE_ROCKS_TIER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/state/cold_tier.h"

namespace penstock {

// What the databases of one worker share: block cache, and memtables, each with bytes of its own. Thread-safe.
class RocksResources {
 public:
  virtual ~RocksResources() = default;
  virtual int64_t cache_used_bytes() const = 0;
  virtual int64_t memtables_used_bytes() const = 0;
  // The cache gives back what is over it, as far as it is not in use.
  virtual void SetCacheBytes(int64_t bytes) = 0;
};
std::shared_ptr<RocksResources> MakeRocksResources(int64_t cache_bytes, int64_t memtable_bytes);

enum class RocksCompression { kNone, kLz4, kZstd };

struct RocksOptions {
  std::string directory;             // of the task alone; what lies in it is removed
  std::string file_prefix = "task";  // as in KeyedBackendOptions
  KeyGroupRange range;
  uint32_t key_groups = kDefaultKeyGroups;
  const Clock* clock = &Clock::System();
  bool allow_non_restored = false;
  int64_t write_buffer_bytes = 16 << 20;  // of one column family's memtable
  int max_background_jobs = 2;
  bool level_compaction_dynamic_level_bytes = true;
  RocksCompression compression = RocksCompression::kLz4;
  int write_buffers_max = 2;  // of one column family
  int64_t block_bytes = 8 << 10;
  int64_t target_file_bytes = 64 << 20;       // of a file of level 1
  double bloom_bits_per_key = 10;             // 0: no filters
  std::shared_ptr<RocksResources> resources;  // null: some of its own
};

std::unique_ptr<ColdTier> MakeRocksTier(RocksOptions options);

// All entries of a base, for those who keep no RocksDB themselves. `scratch_directory` is made and removed.
absl::Status ReadRocksBase(const ChainPart& base, const std::string& scratch_directory,
                           const std::vector<TableSpec>& tables, uint32_t key_groups, bool allow_non_restored,
                           int64_t now_ms, const SegmentReader::Visitor& visit);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_ROCKS_TIER_H_
