// What the backend asks of a table, whatever types are in it.
//
// Owner: the task's thread. A table belongs to its operator and registers with the backend when the operator opens; the
// backend calls it in Start, Trickle, MakeRoom and Cut only.
#ifndef PENSTOCK_RUNTIME_STATE_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_TABLE_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "runtime/state/segment.h"

namespace penstock {

class KeyedBackend;

class TableBase {
 public:
  explicit TableBase(TableSpec spec) : spec_(std::move(spec)) {}
  virtual ~TableBase() = default;
  TableBase(const TableBase&) = delete;
  TableBase& operator=(const TableBase&) = delete;

  const TableSpec& spec() const { return spec_; }

  // ---- called by the backend ----
  virtual void Attach(KeyedBackend& backend, uint32_t id) {
    backend_ = &backend;
    id_ = id;
  }
  // The slot has been taken from the list of those that are segment dirty / fold dirty: if it still is dirty, it goes
  // into the running segment / the cold tier.
  virtual void WriteDirty(uint32_t slot) = 0;
  virtual void FoldDirty(uint32_t slot) = 0;
  // The slot will be written soon.
  virtual void Prefetch(uint32_t slot) const { (void)slot; }
  // Every entry of the hot tier into the running segment; from now on changes are tracked.
  virtual void WriteAll() = 0;
  // An entry of a snapshot, its value in this table's encoding; later ones win.
  virtual absl::Status Load(const StateEntry& entry) = 0;
  // The cold tier was opened on bases: entries may lie there already. Before the first Load.
  virtual void ExpectCold() {}
  // All has been loaded; what lies in the cold tier may be looked at.
  virtual absl::Status FinishLoad() { return absl::OkStatus(); }
  // Gives up entries, least used ones first, until about so many bytes are free; true if it freed anything.
  virtual bool Evict(int64_t bytes) = 0;
  // Every entry is in the hot tier, so that a dump of it is a base.
  virtual bool AllHot() const = 0;
  // A dump into the base in the making: from the start, and some more entries; false when it is through. Entries that
  // come or change behind it are in the segments anyway.
  virtual void BeginDump() = 0;
  virtual bool StepDump(int entries) = 0;
  // The next so many entries are looked at: those that have expired are erased.
  virtual void Sweep(int entries) { (void)entries; }
  // Counts the memory of the entry, if it still is there.
  virtual void Weigh(uint32_t slot) { (void)slot; }
  virtual int64_t entries() const = 0;

  // Of tables by key: adds the bytes of the stream's keys that have entries in the key group, in whatever tier.
  virtual void CollectKeys(uint32_t key_group, std::set<std::string>& keys) { (void)key_group, (void)keys; }

 protected:
  KeyedBackend& backend() const { return *backend_; }
  uint32_t id() const { return id_; }

 private:
  const TableSpec spec_;
  KeyedBackend* backend_ = nullptr;
  uint32_t id_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_TABLE_H_
