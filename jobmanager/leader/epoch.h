// Leader epochs: leader/epoch-<number> in durable storage, written put-if-absent. The largest one leads; a number is
// never given out twice, whatever the storage. Calls block for I/O.
#ifndef PENSTOCK_JOBMANAGER_LEADER_EPOCH_H_
#define PENSTOCK_JOBMANAGER_LEADER_EPOCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

// 0: none yet. directory: of the cluster, ending in a slash.
absl::StatusOr<uint64_t> NewestEpoch(Storage& storage, const std::string& directory);
// Aborted: somebody else has it. by: who, for people.
absl::Status MintEpoch(Storage& storage, const std::string& directory, uint64_t epoch, const std::string& by);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_LEADER_EPOCH_H_
