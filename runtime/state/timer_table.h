// TimerTable: one timer per (time, key), in order of time. Kept in the snapshot chain like any table, the time as
// namespace.
//
// Knows keys as bytes. Over a cold tier it writes every timer through, and keeps only the earliest in memory: at most
// kTimerHeadMax. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_STATE_TIMER_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_TIMER_TABLE_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runtime/state/keyed_backend.h"
#include "runtime/state/table.h"

namespace penstock {

inline constexpr size_t kTimerHeadMax = 64 << 10;

class TimerTable final : public TableBase {
 public:
  // head_max: for tests.
  explicit TimerTable(TableSpec spec, size_t head_max = kTimerHeadMax);

  void Add(int64_t time_ms, uint32_t key_group, std::string_view key);
  void Remove(int64_t time_ms, uint32_t key_group, std::string_view key);
  // Takes the earliest timer out if it is due at `now_ms`.
  struct Timer {
    int64_t time_ms = 0;
    std::string key;
  };
  std::optional<Timer> TakeDue(int64_t now_ms);
  bool HasDue(int64_t now_ms);

  // ---- for the backend ----
  void Attach(KeyedBackend& backend, uint32_t id) override;
  void WriteDirty(uint32_t) override {}
  void FoldDirty(uint32_t) override {}
  void WriteAll() override;
  absl::Status Load(const StateEntry& entry) override;
  absl::Status FinishLoad() override;
  bool Evict(int64_t) override { return false; }  // the head has its own bound
  bool AllHot() const override { return !horizon_; }
  void BeginDump() override { dump_after_.clear(); }
  bool StepDump(int entries) override;
  int64_t entries() const override { return static_cast<int64_t>(head_.size()); }

 private:
  // Sorts by time: 8 bytes of time, 2 of key group (big-endian both), the key.
  static std::string Pack(int64_t time_ms, uint32_t key_group, std::string_view key);
  static int64_t TimeOf(std::string_view packed);
  static uint32_t GroupOf(std::string_view packed);
  static std::string StoredKey(std::string_view packed);
  bool InHead(const std::string& packed) const { return !horizon_ || packed < *horizon_; }
  void Insert(std::string packed);
  void Erase(const std::string& packed);
  // Brings the next timers out of the cold tier when the head has run empty; false: there are none, or an error.
  bool Refill();

  const size_t head_max_;
  std::set<std::string> head_;
  // All timers from here on are in the cold tier only; none: the head has all.
  std::optional<std::string> horizon_;
  std::string dump_after_;  // the last one in the base in the making
  bool has_cold_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_TIMER_TABLE_H_
