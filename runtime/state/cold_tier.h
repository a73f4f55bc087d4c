// The tier below the hot tables: entries that were evicted or folded, by (table, key group, key).
//
// Values are handed over in the table's current encoding, whatever encoding they were stored in. Owner: the task's
// thread, except where said. Writes are collected and become visible to reads with Flush.
#ifndef PENSTOCK_RUNTIME_STATE_COLD_TIER_H_
#define PENSTOCK_RUNTIME_STATE_COLD_TIER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/state/chain.h"

namespace penstock {

struct ColdFigures {
  int64_t disk_bytes = 0;
  int64_t memtable_bytes = 0;
  int64_t unfolded_bases = 0;  // of old tasks, after a rescale
};

class ColdTier {
 public:
  virtual ~ColdTier() = default;

  // Once, before anything else: the tables by id, and the bases to begin from.
  virtual absl::Status Open(const std::vector<TableSpec>& tables, const std::vector<ChainPart>& bases) = 0;

  virtual absl::StatusOr<bool> Get(uint32_t table, uint32_t key_group, std::string_view key, std::string* value) = 0;
  virtual void Put(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value) = 0;
  virtual void Delete(uint32_t table, uint32_t key_group, std::string_view key) = 0;
  virtual absl::Status Flush() = 0;

  // Entries whose key begins with the prefix, in order; until visit says false.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  virtual absl::Status Scan(uint32_t table, uint32_t key_group, std::string_view prefix, const Visitor& visit) = 0;
  // The namespaces in use in a key group of a namespaced table, ascending.
  virtual absl::StatusOr<std::vector<int64_t>> Namespaces(uint32_t table, uint32_t key_group) = 0;

  // Takes over some entries of the old tasks' bases; false when nothing is left of them (protocols.md C6).
  virtual absl::StatusOr<bool> FoldOldBases(int entries_max) = 0;

  // A base of all that was written before the call. Any thread, one call at a time; may take long.
  virtual absl::StatusOr<ChainPart> MakeBase(uint64_t id, const std::string& name_prefix) = 0;

  virtual ColdFigures ReadFigures() const = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_COLD_TIER_H_
