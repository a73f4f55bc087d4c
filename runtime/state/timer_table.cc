#include "runtime/state/timer_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr size_t kTimeBytes = 8;
constexpr size_t kPrefixBytes = kTimeBytes + 2;
// What a timer in memory takes beyond its key.
constexpr int64_t kTimerOverheadBytes = 80;

}  // namespace

TimerTable::TimerTable(TableSpec spec, size_t head_max) : TableBase(std::move(spec)), head_max_(head_max) {}

void TimerTable::Attach(KeyedBackend& backend, uint32_t id) {
  TableBase::Attach(backend, id);
  has_cold_ = backend.cold() != nullptr;
}

std::string TimerTable::Pack(int64_t time_ms, uint32_t key_group, std::string_view key) {
  ByteWriter packed;
  PutNamespace(time_ms, packed);
  packed.PutByte(static_cast<uint8_t>(key_group >> 8));
  packed.PutByte(static_cast<uint8_t>(key_group));
  packed.Put(key.data(), key.size());
  return std::string(packed.view());
}

int64_t TimerTable::TimeOf(std::string_view packed) {
  int64_t time_ms = 0;
  GetNamespace(packed, time_ms);
  return time_ms;
}

uint32_t TimerTable::GroupOf(std::string_view packed) {
  return static_cast<uint32_t>(static_cast<uint8_t>(packed[kTimeBytes])) << 8 |
         static_cast<uint8_t>(packed[kTimeBytes + 1]);
}

std::string TimerTable::StoredKey(std::string_view packed) {
  return std::string(packed.substr(0, kTimeBytes)).append(packed.substr(kPrefixBytes));
}

void TimerTable::Insert(std::string packed) {
  const int64_t bytes = kTimerOverheadBytes + static_cast<int64_t>(packed.size());
  if (!head_.insert(std::move(packed)).second) return;
  backend().NoteMemory(bytes);
  if (!has_cold_ || head_.size() <= head_max_) return;
  // The later half is in the cold tier anyway.
  while (head_.size() > head_max_ / 2) {
    const auto last = std::prev(head_.end());
    horizon_ = *last;
    Erase(*last);
  }
}

void TimerTable::Erase(const std::string& packed) {
  const int64_t bytes = kTimerOverheadBytes + static_cast<int64_t>(packed.size());
  if (head_.erase(std::string(packed)) > 0) backend().NoteMemory(-bytes);
}

void TimerTable::Add(int64_t time_ms, uint32_t key_group, std::string_view key) {
  std::string packed = Pack(time_ms, key_group, key);
  if (head_.count(packed) > 0) return;
  const std::string stored = StoredKey(packed);
  backend().AppendPut(id(), key_group, stored, {});
  if (has_cold_) backend().cold()->Put(id(), key_group, stored, {});
  if (InHead(packed)) Insert(std::move(packed));
}

void TimerTable::Remove(int64_t time_ms, uint32_t key_group, std::string_view key) {
  const std::string packed = Pack(time_ms, key_group, key);
  if (InHead(packed) && head_.count(packed) == 0) return;
  const std::string stored = StoredKey(packed);
  backend().AppendDelete(id(), key_group, stored);
  if (has_cold_) backend().cold()->Delete(id(), key_group, stored);
  Erase(packed);
}

bool TimerTable::HasDue(int64_t now_ms) {
  if (head_.empty() && !Refill()) return false;
  return TimeOf(*head_.begin()) <= now_ms;
}

std::optional<TimerTable::Timer> TimerTable::TakeDue(int64_t now_ms) {
  if (!HasDue(now_ms)) return std::nullopt;
  const std::string packed = *head_.begin();
  Timer timer{TimeOf(packed), packed.substr(kPrefixBytes)};
  Remove(timer.time_ms, GroupOf(packed), timer.key);
  return timer;
}

bool TimerTable::Refill() {
  if (!has_cold_ || !horizon_) return false;
  const KeyGroupRange range = backend().range();
  absl::Status status = backend().cold()->Flush();
  for (size_t share = head_max_ / (range.end - range.begin + 1) + 1; status.ok(); share *= 2) {
    // Of each key group the earliest; what is later than the last of a group that has more is not known to be next.
    std::vector<std::string> found;
    std::optional<std::string> horizon;
    for (uint32_t group = range.begin; group < range.end && status.ok(); ++group) {
      size_t taken = 0;
      status = backend().cold()->Scan(id(), group, {}, [&](std::string_view key, std::string_view) {
        std::string packed = Pack(0, group, key.substr(kTimeBytes));
        packed.replace(0, kTimeBytes, key.substr(0, kTimeBytes));
        if (taken++ == share) {
          if (!horizon || packed < *horizon) horizon = std::move(packed);
          return false;
        }
        found.push_back(std::move(packed));
        return true;
      });
    }
    if (!status.ok()) break;
    horizon_ = horizon;
    for (std::string& packed : found) {
      if (InHead(packed)) Insert(std::move(packed));
    }
    if (!head_.empty() || found.empty()) return !head_.empty();
  }
  backend().Fail(status);
  return false;
}

void TimerTable::WriteAll() {
  for (const std::string& packed : head_) backend().AppendPut(id(), GroupOf(packed), StoredKey(packed), {});
}

bool TimerTable::StepDump(int entries) {
  auto timer = head_.upper_bound(dump_after_);
  for (; entries > 0 && timer != head_.end(); ++timer, --entries) {
    backend().AppendToBase(id(), GroupOf(*timer), StoredKey(*timer), {});
    dump_after_ = *timer;
  }
  return timer != head_.end();
}

absl::Status TimerTable::Load(const StateEntry& entry) {
  if (entry.op == EntryOp::kDeleteNamespace || entry.key.size() < kTimeBytes) {
    return DataLoss("a timer of operator {} does not decode", spec().Label());
  }
  const bool put = entry.op == EntryOp::kPut;
  if (has_cold_) {
    if (put) {
      backend().cold()->Put(id(), entry.key_group, entry.key, {});
    } else {
      backend().cold()->Delete(id(), entry.key_group, entry.key);
    }
    return absl::OkStatus();
  }
  std::string packed = Pack(0, entry.key_group, entry.key.substr(kTimeBytes));
  packed.replace(0, kTimeBytes, entry.key.substr(0, kTimeBytes));
  if (put) {
    Insert(std::move(packed));
  } else {
    Erase(packed);
  }
  return absl::OkStatus();
}

absl::Status TimerTable::FinishLoad() {
  if (has_cold_) horizon_ = std::string();  // all that was loaded is below
  return absl::OkStatus();
}

}  // namespace penstock
