// KeyedBackend: the keyed state of one task. Operators register typed tables when they open; the backend keeps the
// chain of segments and bases that a checkpoint hands in, and brings it back (protocols.md C).
//
// Life: constructed → Register… (operators' Open) → Start(parts) → records with Trickle between them, Cut at each
// barrier → destroyed. Owner: the task's thread, except where said. Errors are kept: once status() is not OK the task
// must fail, and no Cut succeeds. Bounds: the named constants below and the options.
#ifndef PENSTOCK_RUNTIME_STATE_KEYED_BACKEND_H_
#define PENSTOCK_RUNTIME_STATE_KEYED_BACKEND_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/clock.h"
#include "runtime/state/chain.h"
#include "runtime/state/cold_tier.h"
#include "runtime/state/renewal.h"
#include "runtime/state/table.h"

namespace penstock {

// What the hot tables of one task may hold, and do hold: told and asked by whoever shares out the worker's memory.
struct HotBudget {
  std::atomic<int64_t> bytes_max{0};  // 0: no limit; with a cold tier only
  std::atomic<int64_t> bytes{0};
  std::atomic<int64_t> segment_bytes{0};  // of the running segment and the chain's, in memory
};

struct KeyedBackendOptions {
  KeyGroupRange range;
  uint32_t key_groups = kDefaultKeyGroups;
  const Clock* clock = &Clock::System();
  // Begins the names of all files made here: unique over all tasks and attempts of the job.
  std::string file_prefix = "task";
  std::string local_directory;             // for what does not stay in memory; empty: everything stays
  int64_t segment_memory_bytes = 1 << 20;  // of all segments of the chain, before they go to local files
  // Entries changed since the last cut and not yet in the running segment: what a barrier has to write at most. Below
  // it the bound follows the time that the cuts before took per entry, towards kCutWriteTarget.
  size_t dirty_entries_max = 128 << 10;
  // False: the job takes no checkpoints, and nothing is written ahead of a Cut (a savepoint, which then writes all).
  bool track_changes = true;
  int64_t chain_replay_ms_max = 1000;  // estimated; beyond it the base is renewed
  int64_t hot_bytes_max = 0;           // of the tables and their lists, with a cold tier; 0: no limit
  std::shared_ptr<HotBudget> budget;   // in its place, looked at by Trickle; may be null
  std::unique_ptr<ColdTier> cold;      // null: hashmap
  // Runs work off the task's thread; null: at once. The backend waits for it when it is destroyed.
  std::function<void(std::function<void()>)> background;
};

inline constexpr size_t kSegmentsMax = 256;                 // in a chain before its base is renewed
inline constexpr int64_t kSegmentMemoryBytesMin = 4 << 10;  // of one segment: below that a file is not worth while
inline constexpr int kFoldEntriesPerTrickle = 512;
inline constexpr int kDumpEntriesPerTrickle = 1024;
// Beyond so much in the hot tables the base is RocksDB's, which shares files with the one before.
inline constexpr int64_t kDumpBytesMax = 64 << 20;
// Entries that change again and again are written once per checkpoint if they can wait for the barrier, which is held
// up so long by them.
inline constexpr std::chrono::nanoseconds kCutWriteTarget = std::chrono::microseconds(1500);
inline constexpr size_t kCutsTimed = 8;
inline constexpr size_t kDirtyEntriesMin = 4 << 10;       // a bound that follows the time does not go below
inline constexpr size_t kDirtyEntriesAtFirst = 32 << 10;  // before any cut has been timed
inline constexpr int kSweepEntries = 16;                  // looked at per trickle and table
inline constexpr size_t kUnweighedMax = 64;  // changed entries whose memory is not counted yet, between two records
inline constexpr int64_t kReplayEntriesPerMs = 2'000;
inline constexpr int64_t kReplayBytesPerMs = 200'000;

struct KeyedFigures {
  int64_t hot_entries = 0;
  int64_t hot_bytes = 0;
  int64_t dirty_entries = 0;
  int64_t segment_bytes = 0;  // of the running segment
  int64_t chain_parts = 0;
  int64_t chain_bytes = 0;
  int64_t evicted_entries = 0;
  int64_t cold_reads = 0;
  ColdFigures cold;
};

class KeyedBackend {
 public:
  explicit KeyedBackend(KeyedBackendOptions options);
  ~KeyedBackend();

  // ---- for operators ----
  // Takes the table in and gives it its id. InvalidArgument for a name that is taken.
  absl::Status Register(TableBase& table);
  // State beside the tables counts against their budget, so that they make room for it. delta_bytes: since the last
  // call.
  void ChargeState(int64_t delta_bytes);
  KeyGroupRange range() const { return options_.range; }
  uint32_t key_groups() const { return options_.key_groups; }
  const Clock& clock() const { return *options_.clock; }
  // Before a record is handled: makes room when the hot tables are over their budget. Entries found before it may be
  // gone after it.
  void MakeRoom() {
    if (unweighed_.size() >= kUnweighedMax) Weigh();
    if (hot_bytes_ > hot_bytes_limit_) Evict();
  }

  // ---- for the task ----
  // After all operators have registered: loads what the parts say (none: begins empty).
  // allow_non_restored: state of operators that are gone is left behind.
  absl::Status Start(std::vector<ChainPart> parts, bool allow_non_restored = false);
  // Between records, at least once per buffer: writes ahead, folds, drops expired entries, a bounded amount of each.
  absl::Status Trickle();
  // At the barrier: closes the running segment. What is returned stays valid whatever becomes of the checkpoint.
  absl::StatusOr<KeyedSnapshot> Cut(uint64_t checkpoint_id);
  // A new base to make durable in the background; then OnBaseDurable, and snapshots use it from the next cut on. Once
  // per base. OnBaseFailed gives it up; another is made later.
  std::optional<ChainPart> TakeNewBase();
  void OnBaseDurable(uint64_t base_id);
  void OnBaseFailed(uint64_t base_id);
  const absl::Status& status() const { return status_; }
  KeyedFigures ReadFigures() const;

  // ---- for tables ----
  bool tracks() const { return options_.track_changes; }
  ColdTier* cold() const { return options_.cold.get(); }
  void PushSegmentDirty(uint32_t table, uint32_t slot) { segment_dirty_.push_back({table, slot}); }
  // The entry is new or about to change, and what it holds has to be counted again: before kUnweighedMax others
  // changed.
  void NoteChanged(uint32_t table, uint32_t slot) { unweighed_.push_back({table, slot}); }
  void PushFoldDirty(uint32_t table, uint32_t slot) { fold_dirty_.push_back({table, slot}); }
  // Into the running segment; nothing happens where changes are not tracked.
  void AppendPut(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value);
  void AppendDelete(uint32_t table, uint32_t key_group, std::string_view key);
  void AppendDeleteNamespace(uint32_t table, uint32_t key_group, int64_t ns);
  // Into the base in the making, from StepDump only.
  void AppendToBase(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value);
  // Through to the cold tier. False: absent (or an error, see status()).
  bool ReadCold(uint32_t table, uint32_t key_group, std::string_view key, std::string* value);
  // The keys a table has in the cold tier, in a key group; visit says false for one that does not decode.
  absl::Status ScanCold(uint32_t table, uint32_t key_group, const std::function<bool(std::string_view key)>& visit);
  void NoteMemory(int64_t delta_bytes) { hot_bytes_ += delta_bytes; }
  void NoteEvicted() { ++evicted_entries_; }
  void Fail(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

 private:
  struct Dirty {
    uint32_t table;
    uint32_t slot;
  };

  SegmentHeader HeaderOf(SegmentKind kind, uint64_t id) const;
  void BeginSegment();
  void WriteAhead(size_t keep);
  void WriteRest();
  absl::Status CloseSegment();
  void WriteEverything();
  void Weigh();
  void Evict();
  void LogRestored(const std::vector<ChainPart>& parts, int64_t open_ns, int64_t load_ns) const;
  absl::Status LoadPart(const ChainPart& part, bool allow_non_restored);
  absl::Status LoadRocksBase(const ChainPart& part, bool allow_non_restored);
  std::vector<TableSpec> Specs() const;
  bool NeedsRenewal() const;
  void TellBudget();
  bool AllHot() const;
  void BeginRenewal();
  void StepRenewal();
  void FoldUntil(uint64_t target);
  void StepDump();
  void MakeBase();
  void NoteBase(absl::StatusOr<ChainPart> base);
  void AdoptBase();

  KeyedBackendOptions options_;
  std::vector<TableBase*> tables_;
  bool started_ = false;
  absl::Status status_;

  // The running segment and what is to go into it, oldest first.
  std::optional<SegmentWriter> segment_;
  uint64_t segments_made_ = 0;
  uint64_t last_cut_id_ = 0;
  std::deque<Dirty> segment_dirty_;
  size_t dirty_entries_bound_;
  std::deque<double> cut_entry_ns_;  // of the last cuts, at most kCutsTimed: time to write one entry
  std::deque<Dirty> fold_dirty_;
  uint64_t fold_popped_ = 0;  // entries ever taken from fold_dirty_

  std::vector<ChainPart> chain_;
  int64_t chain_memory_bytes_ = 0;    // as of the last cut
  std::shared_ptr<Renewal> renewal_;  // at most one
  uint64_t bases_made_ = 0;

  std::vector<Dirty> unweighed_;
  int64_t hot_bytes_ = 0;
  int64_t hot_bytes_limit_ = INT64_MAX;
  int64_t charged_bytes_ = 0;
  size_t evict_next_table_ = 0;
  int64_t evicted_entries_ = 0;
  int64_t cold_reads_ = 0;
  bool old_bases_ = false;  // of other tasks, still to be folded
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_KEYED_BACKEND_H_
