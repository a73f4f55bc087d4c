// How much lies in a task's keyed snapshot, table by table, for people.
#ifndef PENSTOCK_RUNTIME_STATE_SUMMARY_H_
#define PENSTOCK_RUNTIME_STATE_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/state/chain.h"

namespace penstock {

struct TableSummary {
  std::string uid;
  std::string name;
  std::string kind;
  std::string key;  // schemas as text, of the newest part
  std::string value;
  int64_t keys = 0;  // live ones: not deleted since, not expired
  int64_t key_bytes = 0;
  int64_t value_bytes = 0;
};

// In order of uid and name. Reads all of the snapshot, a few key groups at a time; directory: for RocksDB's files,
// removed again. Blocks.
absl::StatusOr<std::vector<TableSummary>> SummariseSnapshot(const KeyedSnapshot& snapshot, const std::string& directory,
                                                            int64_t now_ms);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_SUMMARY_H_
