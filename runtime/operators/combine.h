// Aggregation before the shuffle: what comes for one key and slice of time within a short while travels as one
// accumulator. So a key that carries most of a stream costs its subtask a record per producer and flush, not one per
// record.
//
// Safe for aggregates that merge (a reduce function might not be associative, and is left alone), in windows of event
// time whose late records nobody reads one by one: a part is sent before the watermark that would make it late, before
// each barrier (nothing is kept here in state), when the input runs dry and when the table is full. A record that is
// late here goes as it is, and what becomes of it is the window's business. Where keys hardly repeat, records go as
// they are, too: the table is tried again now and then. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_COMBINE_H_
#define PENSTOCK_RUNTIME_OPERATORS_COMBINE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/operators/unary_operator.h"
#include "runtime/record/key_hash.h"

namespace penstock {

inline constexpr size_t kCombineEntriesMax = 4096;
// Records after which it is judged whether combining pays: it does when they make at most this share of parts.
inline constexpr int64_t kCombineTrialRecords = 8192;
inline constexpr double kCombineShareMax = 0.7;
// Records that go uncombined after a trial that did not pay; doubled each time up to the maximum.
inline constexpr int64_t kCombineRestRecords = 1 << 16;
inline constexpr int64_t kCombineRestRecordsMax = 1 << 22;

template <class K, class Accumulator>
struct CombinedPart {
  K key{};
  int64_t records = 0;
  TimestampMs end = 0;  // of the slice of time
  Accumulator value{};
};

// Either a part or a record as it came.
template <class T, class K, class Accumulator>
struct Combined {
  std::optional<CombinedPart<K, Accumulator>> part;
  std::optional<T> raw;
};

template <class T, class K, class Accumulator, class KeyOf>
struct CombinedKey {
  KeyOf key_of;
  K operator()(const Combined<T, K, Accumulator>& combined) const {
    return combined.part.has_value() ? combined.part->key : std::invoke(key_of, *combined.raw);
  }
};

// Decides from time to time whether combining pays. Pure.
class CombineTrial {
 public:
  // For each record: whether it is to be combined.
  bool Take() {
    if (rest_ == 0) return true;
    --rest_;
    return false;
  }
  // So many records have become so many parts.
  void Judge(int64_t records, int64_t parts) {
    records_ += records;
    parts_ += parts;
    if (records_ < kCombineTrialRecords) return;
    const bool pays = static_cast<double>(parts_) <= kCombineShareMax * static_cast<double>(records_);
    next_rest_ = pays ? kCombineRestRecords : next_rest_;
    if (!pays) {
      rest_ = next_rest_;
      next_rest_ = std::min(2 * next_rest_, kCombineRestRecordsMax);
    }
    records_ = parts_ = 0;
  }

 private:
  int64_t rest_ = 0;
  int64_t next_rest_ = kCombineRestRecords;
  int64_t records_ = 0;
  int64_t parts_ = 0;
};

// SliceEnd(TimestampMs) → the end of the slice that a time is in.
template <class T, class K, class KeyOf, class Aggregate, class SliceEnd>
class CombineOperator final : public UnaryOperator<T, Combined<T, K, typename Aggregate::Accumulator>> {
  using Accumulator = typename Aggregate::Accumulator;
  using Out = Combined<T, K, Accumulator>;

 public:
  CombineOperator(KeyOf key_of, Aggregate aggregate, SliceEnd slice_end, bool combine)
      : key_of_(std::move(key_of)),
        aggregate_(std::move(aggregate)),
        slice_end_(std::move(slice_end)),
        combine_(combine),
        slots_(2 * kCombineEntriesMax, kFree) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    records_ = &context.counter("combined_records");
    parts_ = &context.counter("combined_parts");
    OpenFunction(aggregate_, &context);
    return absl::OkStatus();
  }

  void OnRecord(const T& value, TimestampMs timestamp) override {
    if (!combine_ || timestamp == kNoTimestamp || !trial_.Take()) return SendRaw(value, timestamp);
    const TimestampMs end = slice_end_(timestamp);
    if (end - 1 <= watermark_) {
      Send();  // a key's records stay in order
      return SendRaw(value, timestamp);
    }
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      CombinedPart<K, Accumulator>& part = *Find(hasher_(key), end, key).part;
      aggregate_.add(part.value, value);
      ++part.records;
    });
    first_end_ = std::min(first_end_, end);
    ++pending_records_;
    if (used_ == kCombineEntriesMax) Send();
  }
  void OnWatermark(TimestampMs watermark) override {
    watermark_ = watermark;
    if (first_end_ - 1 <= watermark) Send();
    this->ForwardWatermark(watermark);
  }
  void OnIdle(bool idle) override {
    Send();
    this->ForwardIdle(idle);
  }
  void Flush() override { Send(); }
  absl::Status PrepareBarrier(const Barrier&) override {
    Send();
    return absl::OkStatus();
  }
  void Close() override { CloseFunction(aggregate_); }

 private:
  struct Entry {
    uint64_t hash = 0;
    uint32_t slot = 0;
    Out out;
  };
  static constexpr uint32_t kFree = UINT32_MAX;

  Out& Find(uint64_t hash, TimestampMs end, const K& key) {
    const uint64_t mixed = hash ^ (static_cast<uint64_t>(end) * 0x9E3779B97F4A7C15u);
    for (uint32_t at = static_cast<uint32_t>(mixed >> 32) % slots_.size();; at = (at + 1) % slots_.size()) {
      if (slots_[at] == kFree) return Add(mixed, at, end, key);
      Entry& entry = entries_[slots_[at]];
      if (entry.hash == mixed && entry.out.part->end == end && entry.out.part->key == key) return entry.out;
    }
  }
  // Entries stay for the next round, so that keys keep the memory they have.
  Out& Add(uint64_t mixed, uint32_t at, TimestampMs end, const K& key) {
    if (used_ == entries_.size()) {
      entries_.emplace_back();
      entries_.back().out.part.emplace();
    }
    slots_[at] = static_cast<uint32_t>(used_);
    Entry& entry = entries_[used_++];
    entry.hash = mixed;
    entry.slot = at;
    entry.out.part->key = key;
    entry.out.part->end = end;
    entry.out.part->records = 0;
    entry.out.part->value = Accumulator{};
    return entry.out;
  }
  void Send() {
    if (used_ == 0) return;
    trial_.Judge(pending_records_, static_cast<int64_t>(used_));
    records_->Add(pending_records_);
    parts_->Add(static_cast<int64_t>(used_));
    // Nothing is re-entered while this waits for room, and what is sent is no longer here.
    const size_t parts = std::exchange(used_, 0);
    pending_records_ = 0;
    first_end_ = kMaxWatermark;
    for (size_t i = 0; i < parts; ++i) slots_[entries_[i].slot] = kFree;
    for (size_t i = 0; i < parts; ++i) this->out_->OnRecord(entries_[i].out, entries_[i].out.part->end - 1);
  }
  void SendRaw(const T& value, TimestampMs timestamp) {
    if (raw_.raw.has_value()) {
      *raw_.raw = value;
    } else {
      raw_.raw.emplace(value);
    }
    this->out_->OnRecord(raw_, timestamp);
  }

  const KeyOf key_of_;
  Aggregate aggregate_;
  const SliceEnd slice_end_;
  const bool combine_;
  KeyHasher<K> hasher_;
  CombineTrial trial_;
  std::vector<uint32_t> slots_;  // open addressing: positions in entries_
  std::vector<Entry> entries_;
  size_t used_ = 0;
  int64_t pending_records_ = 0;
  TimestampMs first_end_ = kMaxWatermark;
  TimestampMs watermark_ = kNoTimestamp;
  Out raw_;
  Counter* records_ = nullptr;
  Counter* parts_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_COMBINE_H_
