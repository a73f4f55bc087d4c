#include "jobmanager/leader/epoch.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "runtime/core/log.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

std::string PrefixOf(const std::string& directory) { return directory + "leader/epoch-"; }

}  // namespace

absl::StatusOr<uint64_t> NewestEpoch(Storage& storage, const std::string& directory) {
  const std::string prefix = PrefixOf(directory);
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, storage.List(prefix));
  uint64_t newest = 0;
  for (const StoredObject& object : objects) {
    uint64_t epoch = 0;
    const char* const begin = object.name.data() + prefix.size();
    const char* const end = object.name.data() + object.name.size();
    if (std::from_chars(begin, end, epoch).ptr == end) newest = std::max(newest, epoch);
  }
  return newest;
}

absl::Status MintEpoch(Storage& storage, const std::string& directory, uint64_t epoch, const std::string& by) {
  const std::string name = fmt::format("{}{:020}", PrefixOf(directory), epoch);
  // The random part tells two writers apart when storage gives no clear answer.
  PENSTOCK_ASSIGN_OR_RETURN(const bool won, PutIfAbsent(storage, name, fmt::format("{} {}\n", by, RandomHex(16))));
  if (!won) return Aborted("leader epoch {} was taken by another JobManager", epoch);
  // One older is kept: where a listing lags, its number is not given out again.
  if (epoch > 2) {
    const absl::Status deleted = storage.Delete({fmt::format("{}{:020}", PrefixOf(directory), epoch - 2)});
    if (!deleted.ok()) PENSTOCK_LOG(warn, "an old leader epoch is left: {}", MessageOf(deleted));
  }
  return absl::OkStatus();
}

}  // namespace penstock::jobmanager
