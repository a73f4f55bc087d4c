#include "runtime/core/memory/memory_arbiter.h"

#include <algorithm>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int64_t kBlockCacheBytesMin = 2 << 20;
constexpr int64_t kMegabyte = 1 << 20;

// Of what keyed state gets: the hot tables are where streaming lives.
absl::Status SplitState(int64_t bytes, const MemoryRequest& request, MemoryBytes& shares) {
  int64_t& cache = shares[MemoryHolder::kBlockCache];
  int64_t& memtables = shares[MemoryHolder::kMemtables];
  int64_t& hot = shares[MemoryHolder::kHotState];
  cache = !request.rocksdb ? 0 : request.block_cache_bytes > 0 ? request.block_cache_bytes : bytes / 8;
  memtables = request.rocksdb ? bytes / 8 : 0;
  hot = bytes - cache - memtables;
  if (hot >= bytes / 2) return absl::OkStatus();
  return InvalidArgument(
      "state.backend.rocksdb.block.cache-size is {} MB, but keyed state of this worker has {} MB in all, of which at "
      "least half is for the hot tables: make it smaller, or give state more (state.memory.size)",
      cache / kMegabyte, bytes / kMegabyte);
}

}  // namespace

const char* MemoryHolderName(MemoryHolder holder) {
  switch (holder) {
    case MemoryHolder::kHotState:
      return "hot state";
    case MemoryHolder::kBlockCache:
      return "RocksDB block cache";
    case MemoryHolder::kMemtables:
      return "RocksDB memtables";
    case MemoryHolder::kNetwork:
      return "network buffers";
    case MemoryHolder::kClientQueues:
      return "client queues";
    case MemoryHolder::kWriteAheadLog:
      return "write-ahead logs";
    case MemoryHolder::kRest:
      return "rest";
  }
  return "rest";
}

absl::StatusOr<MemoryBytes> SplitGrant(const MemoryRequest& request) {
  MemoryBytes shares;
  const bool stateful = request.stateful_tasks > 0;
  shares[MemoryHolder::kNetwork] = request.network_bytes;
  shares[MemoryHolder::kClientQueues] = request.clients * kClientQueueBytes;
  shares[MemoryHolder::kWriteAheadLog] = request.stateful_tasks * kWriteAheadBytesPerTask;
  if (request.grant_bytes <= 0) {
    if (stateful) {
      PENSTOCK_RETURN_IF_ERROR(
          SplitState(request.state_bytes > 0 ? request.state_bytes : kStateBytesDefault, request, shares));
    }
    return shares;
  }
  const int64_t grant = request.grant_bytes;
  shares[MemoryHolder::kRest] = std::clamp(grant / 8, kRestBytesMin, kRestBytesMax);
  // Queues of clients are a convenience beyond their minimum: at most a quarter goes there.
  shares[MemoryHolder::kClientQueues] =
      std::clamp(shares[MemoryHolder::kClientQueues], request.clients * kClientQueueBytesMin,
                 std::max(grant / 4, request.clients * kClientQueueBytesMin));
  const int64_t left = grant - shares.Sum();
  const int64_t state = !stateful ? 0 : request.state_bytes > 0 ? request.state_bytes : std::max(left, kStateBytesMin);
  if (state > left || left < 0) {
    return ResourceExhausted(
        "the worker was granted {} MB of memory, but needs {} MB: {} for itself, {} for network buffers "
        "(taskmanager.network.memory.size), {} for the queues of {} sources and sinks, {} for keyed state "
        "(state.memory.size). Give the TaskManager more (taskmanager.memory.size, or the cgroup's limit), or fewer "
        "slots",
        grant / kMegabyte, (shares.Sum() + state + kMegabyte - 1) / kMegabyte,
        (shares[MemoryHolder::kRest] + shares[MemoryHolder::kWriteAheadLog]) / kMegabyte,
        shares[MemoryHolder::kNetwork] / kMegabyte, shares[MemoryHolder::kClientQueues] / kMegabyte, request.clients,
        state / kMegabyte);
  }
  if (stateful) PENSTOCK_RETURN_IF_ERROR(SplitState(state, request, shares));
  shares[MemoryHolder::kRest] += grant - shares.Sum();
  return shares;
}

const MemoryBytes& MemoryArbiter::Watch(const MemoryBytes& used, int64_t resident_bytes) {
  if (grant_bytes_ <= 0) return budgets_;
  int64_t& cache = budgets_[MemoryHolder::kBlockCache];
  int64_t& hot = budgets_[MemoryHolder::kHotState];
  const int64_t cache_full = full_[MemoryHolder::kBlockCache];
  const int64_t hot_full = full_[MemoryHolder::kHotState];
  const int64_t cache_min = std::min(cache_full, kBlockCacheBytesMin);
  const int64_t hot_min = hot_full / 4;
  if (resident_bytes > grant_bytes_ / 16 * 15) {
    under_pressure_ = true;
    if (cache > cache_min) {
      cache = std::max(cache / 2, cache_min);
    } else {
      hot = std::clamp(std::min(hot, used[MemoryHolder::kHotState]) / 8 * 7, hot_min, hot_full);
    }
  } else if (resident_bytes < grant_bytes_ / 8 * 7) {
    hot = std::min(hot + hot_full / 8, hot_full);
    if (hot == hot_full) cache = std::min(cache + cache_full / 8, cache_full);
    under_pressure_ = hot < hot_full || cache < cache_full;
  }
  return budgets_;
}

}  // namespace penstock
