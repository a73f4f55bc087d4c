// The one who says how much memory each part of a worker may hold, within the grant that the worker was given.
//
// A worker's grant is fixed when it starts. SplitGrant deals it out; MemoryArbiter watches what is used and takes from
// caches before the grant is passed. Pure: what is used is told, what follows is answered.
#ifndef PENSTOCK_RUNTIME_CORE_MEMORY_MEMORY_ARBITER_H_
#define PENSTOCK_RUNTIME_CORE_MEMORY_MEMORY_ARBITER_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"

namespace penstock {

enum class MemoryHolder {
  kHotState,       // tables of keyed state, all tasks together
  kBlockCache,     // RocksDB's cache of blocks, filters and indices
  kMemtables,      // RocksDB's write buffers
  kNetwork,        // buffers between tasks
  kClientQueues,   // of the client libraries of sources and sinks, such as librdkafka's
  kWriteAheadLog,  // segments and sink logs on their way to a checkpoint
  kRest,           // the program itself: code, stacks, gRPC, user functions, what the allocator holds
};
inline constexpr int kMemoryHolders = 7;
// "hot state", for people.
const char* MemoryHolderName(MemoryHolder holder);

class MemoryBytes {
 public:
  int64_t& operator[](MemoryHolder holder) { return bytes_[static_cast<size_t>(holder)]; }
  int64_t operator[](MemoryHolder holder) const { return bytes_[static_cast<size_t>(holder)]; }
  int64_t Sum() const {
    int64_t sum = 0;
    for (const int64_t bytes : bytes_) sum += bytes;
    return sum;
  }
  friend bool operator==(const MemoryBytes&, const MemoryBytes&) = default;

 private:
  std::array<int64_t, kMemoryHolders> bytes_ = {};
};

struct MemoryRequest {
  int64_t grant_bytes = 0;    // 0: nobody knows; then the defaults hold and nothing is watched
  int64_t network_bytes = 0;  // taskmanager.network.memory.size
  int64_t state_bytes = 0;    // state.memory.size; 0: what is left
  int clients = 0;            // sources and sinks of this worker, by subtask
  int stateful_tasks = 0;
  bool rocksdb = true;            // else the hot tables get all of what state gets
  int64_t block_cache_bytes = 0;  // state.backend.rocksdb.block.cache-size, of state's; 0: an eighth
};

inline constexpr int64_t kClientQueueBytes = 16 << 20;  // of each, where the grant allows
inline constexpr int64_t kClientQueueBytesMin = 1 << 20;
inline constexpr int64_t kWriteAheadBytesPerTask = 2 << 20;
inline constexpr int64_t kRestBytesMin = 64 << 20;
inline constexpr int64_t kRestBytesMax = 256 << 20;
inline constexpr int64_t kStateBytesMin = 8 << 20;        // with keyed state
inline constexpr int64_t kStateBytesDefault = 512 << 20;  // without a grant

// InvalidArgument: the block cache leaves the hot tables less than half of state's memory. ResourceExhausted: the grant
// is too small for what must be there; says what would do.
absl::StatusOr<MemoryBytes> SplitGrant(const MemoryRequest& request);

// Owner: one thread.
class MemoryArbiter {
 public:
  // grant_bytes 0: nothing is ever taken.
  MemoryArbiter(int64_t grant_bytes, const MemoryBytes& budgets)
      : grant_bytes_(grant_bytes), full_(budgets), budgets_(budgets) {}

  // Once per interval, with what each holds and the resident bytes of the process (kRest is what is left of those).
  // Beyond 15/16 of the grant the block cache is halved with each call, then the hot tables keep to what they have and
  // give an eighth; below 7/8 budgets grow back by an eighth of their full size.
  const MemoryBytes& Watch(const MemoryBytes& used, int64_t resident_bytes);

  int64_t grant_bytes() const { return grant_bytes_; }
  const MemoryBytes& budgets() const { return budgets_; }
  bool under_pressure() const { return under_pressure_; }

 private:
  const int64_t grant_bytes_;
  const MemoryBytes full_;
  MemoryBytes budgets_;
  bool under_pressure_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_MEMORY_MEMORY_ARBITER_H_
