// HotTable: what the typed tables share: entries in a slab with their marks, their way into segments and the cold tier,
// and eviction. How entries are found is the business of KeyedTable and WindowTable.
//
// Owner: the task's thread. A reference to a value stays good until the entry is erased, or evicted by MakeRoom.
#ifndef PENSTOCK_RUNTIME_STATE_HOT_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_HOT_TABLE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "runtime/record/key_hash.h"
#include "runtime/record/serde.h"
#include "runtime/state/hash_index.h"
#include "runtime/state/heap_bytes.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/state/slab.h"
#include "runtime/state/table.h"

namespace penstock {

// Marks of an entry.
inline constexpr uint8_t kEntryUsed = 1;
inline constexpr uint8_t kEntrySegmentDirty = 2;  // changed since it was last written to a segment
inline constexpr uint8_t kEntryFoldDirty = 4;     // changed since it was last written to the cold tier
inline constexpr uint8_t kEntryPersisted = 8;     // in a base or a segment, so that its end must be told there
inline constexpr uint8_t kEntryInCold = 16;       // in the cold tier, perhaps with another value
inline constexpr uint8_t kEntryReferenced = 32;   // used since the clock hand came by
// The slot is in the backend's list of slots to be written to a segment, or to the cold tier. These stay with the slot
// when the entry goes, so that a list names no slot twice.
inline constexpr uint8_t kEntryInSegmentList = 64;
inline constexpr uint8_t kEntryInFoldList = 128;
inline constexpr uint8_t kEntryListMarks = kEntryInSegmentList | kEntryInFoldList;

// How values of a table become bytes.
template <class V>
struct SerdeCodec {
  V Make() const { return V(); }
  void Write(const V& value, ByteWriter& out) const { Serde<V>::Write(value, out); }
  bool Read(ByteReader& in, V& value) const { return Serde<V>::Read(in, value); }
  int64_t ExpiresMs(const V&) const { return 0; }
  size_t HeapBytesOf(const V& value) const { return HeapBytes(value); }
};

template <class K, class V, class Codec>
class HotTable : public TableBase {
 public:
  struct Entry {
    uint64_t hash = 0;
    int64_t ns = 0;
    uint32_t heap_bytes = 0;
    uint8_t flags = 0;
    K key{};
    V value{};
  };

  HotTable(TableSpec spec, Codec codec) : TableBase(std::move(spec)), codec_(std::move(codec)) {}

  void Attach(KeyedBackend& backend, uint32_t id) override {
    TableBase::Attach(backend, id);
    range_ = backend.range();
    key_groups_ = backend.key_groups();
    has_cold_ = backend.cold() != nullptr;
    dirty_marks_ = has_cold_ ? kEntryFoldDirty : 0;
  }

  V& value(uint32_t slot) { return slab_.at(slot).value; }
  const K& key(uint32_t slot) { return slab_.at(slot).key; }
  int64_t entries() const override { return slab_.size(); }
  const Codec& codec() const { return codec_; }

  // The value has been changed, or will be before the next Trickle or Cut.
  void MarkDirty(uint32_t slot) {
    Entry& entry = slab_.at(slot);
    const uint8_t missing = static_cast<uint8_t>(dirty_marks_ & ~entry.flags);
    if (missing != 0) MarkMissing(slot, entry, missing);
  }

  void WriteDirty(uint32_t slot) override {
    Entry& entry = slab_.at(slot);
    entry.flags &= static_cast<uint8_t>(~kEntryInSegmentList);
    WriteEntry(entry);
  }
  void Prefetch(uint32_t slot) const override { slab_.Prefetch(slot); }
  void FoldDirty(uint32_t slot) override {
    Entry& entry = slab_.at(slot);
    entry.flags &= static_cast<uint8_t>(~kEntryInFoldList);
    if ((entry.flags & kEntryFoldDirty) != 0) WriteCold(entry);
  }
  void WriteAll() override {
    for (uint32_t slot = 0; slot < slab_.end(); ++slot) {
      Entry& entry = slab_.at(slot);
      if ((entry.flags & kEntryUsed) == 0) continue;
      entry.flags |= kEntrySegmentDirty;
      WriteEntry(entry);
      if ((entry.flags & kEntryFoldDirty) != 0) ListForFold(slot, entry);
    }
    dirty_marks_ |= kEntrySegmentDirty;
  }
  absl::Status FinishLoad() override {
    dirty_marks_ |= backend().tracks() ? kEntrySegmentDirty : 0;
    return absl::OkStatus();
  }

  void BeginDump() override { dump_next_ = 0; }
  bool StepDump(int entries) override {
    const int64_t now_ms = spec().expires ? backend().clock().NowMs() : 0;
    for (; entries > 0 && dump_next_ < slab_.end(); --entries) {
      Entry& entry = slab_.at(dump_next_++);
      if ((entry.flags & kEntryUsed) == 0) continue;
      const int64_t expires_ms = codec_.ExpiresMs(entry.value);
      if (expires_ms != 0 && expires_ms <= now_ms) continue;
      entry.flags |= kEntryPersisted;
      backend().AppendToBase(id(), GroupOf(entry.hash), EncodeKey(entry), EncodeValue(entry));
    }
    return dump_next_ < slab_.end();
  }

  void Weigh(uint32_t slot) override {
    Entry& entry = slab_.at(slot);
    if ((entry.flags & kEntryUsed) != 0) Account(entry);
  }
  bool Evict(int64_t bytes) override {
    int64_t freed = 0;
    // Twice around: the first round may only take away marks of use.
    for (uint64_t looked = 0; freed < bytes && looked < uint64_t{2} * slab_.end(); ++looked) {
      if (hand_ >= slab_.end()) hand_ = 0;
      const uint32_t slot = hand_++;
      Entry& entry = slab_.at(slot);
      if ((entry.flags & kEntryUsed) == 0) continue;
      if ((entry.flags & kEntryReferenced) != 0) {
        entry.flags &= static_cast<uint8_t>(~kEntryReferenced);
        continue;
      }
      freed += static_cast<int64_t>(sizeof(Entry)) + entry.heap_bytes;
      WriteEntry(entry);
      if ((entry.flags & kEntryFoldDirty) != 0 || (entry.flags & kEntryInCold) == 0) WriteCold(entry);
      backend().NoteEvicted();
      OnEvict(entry);
      Drop(slot);
    }
    return freed > 0;
  }

 protected:
  virtual HashIndex& IndexOf(const Entry& entry) = 0;

  uint32_t GroupOf(uint64_t hash) const { return KeyGroupOf(hash, key_groups_).value; }

  // A new entry, not yet in an index.
  uint32_t AddEntry(uint64_t hash, int64_t ns, const K& key, V value, uint8_t flags) {
    flags |= static_cast<uint8_t>(kEntryUsed | kEntryReferenced | (slab_.NextFlags() & kEntryListMarks));
    const uint32_t slot = slab_.Add(hash, ns, 0u, flags, key, std::move(value));
    backend().NoteMemory(static_cast<int64_t>(sizeof(Entry)) + kIndexBytesPerEntry);
    return slot;
  }
  // Out of the hot tier, without a word to anybody.
  void Drop(uint32_t slot) {
    Entry& entry = slab_.at(slot);
    HashIndex& index = IndexOf(entry);
    index.RemoveAt(index.SlotOf(entry.hash, slot));
    FreeEntry(slot);
  }
  // The same for an entry that is in no index any more.
  void FreeEntry(uint32_t slot) {
    const Entry& entry = slab_.at(slot);
    backend().NoteMemory(-static_cast<int64_t>(sizeof(Entry) + kIndexBytesPerEntry + entry.heap_bytes));
    slab_.Free(slot, entry.flags & kEntryListMarks);
  }
  // Tells segment and cold tier that the entry is gone.
  void TellErased(const Entry& entry, bool to_segment) {
    if ((entry.flags & (kEntryPersisted | kEntryInCold)) == 0) return;
    const std::string_view key = EncodeKey(entry);
    if (to_segment && (entry.flags & kEntryPersisted) != 0) backend().AppendDelete(id(), GroupOf(entry.hash), key);
    if ((entry.flags & kEntryInCold) != 0) backend().cold()->Delete(id(), GroupOf(entry.hash), key);
  }

  std::string_view EncodeKey(const Entry& entry) { return EncodeKey(entry.ns, entry.key); }
  std::string_view EncodeKey(int64_t ns, const K& key) {
    key_scratch_.Clear();
    if (spec().namespaced) PutNamespace(ns, key_scratch_);
    Serde<K>::Write(key, key_scratch_);
    return key_scratch_.view();
  }
  std::string_view EncodeValue(const Entry& entry) {
    value_scratch_.Clear();
    if (spec().expires) value_scratch_.PutFixed(codec_.ExpiresMs(entry.value));
    codec_.Write(entry.value, value_scratch_);
    return value_scratch_.view();
  }
  bool DecodeKey(std::string_view bytes, int64_t& ns, K& key) {
    if (spec().namespaced && !GetNamespace(bytes, ns)) return false;
    ByteReader in(bytes);
    return Serde<K>::Read(in, key) && in.remaining() == 0;
  }
  bool DecodeValue(std::string_view bytes, V& value) {
    ByteReader in(bytes);
    int64_t expires_ms = 0;
    return (!spec().expires || in.GetFixed(expires_ms)) && codec_.Read(in, value) && in.remaining() == 0;
  }
  absl::Status BadEntry(std::string_view what) {
    return absl::DataLossError("a " + std::string(what) + " of operator " + spec().Label() + " does not decode");
  }

  void WriteCold(Entry& entry) {
    // It may get into a base from here, and then its end must be told to the segments, too.
    entry.flags = static_cast<uint8_t>((entry.flags & ~kEntryFoldDirty) | kEntryInCold | kEntryPersisted);
    Account(entry);
    backend().cold()->Put(id(), GroupOf(entry.hash), EncodeKey(entry), EncodeValue(entry));
  }
  // From now on an entry that is not here may lie in the cold tier. (Folding leaves entries here, so that as long as
  // nothing was evicted a new key needs no look below.)
  virtual void OnEvict(const Entry& entry) = 0;

  // Memory of the value changes in place; it is looked at after the first change, and when the entry is written.
  void Account(Entry& entry) {
    const size_t bytes = HeapBytes(entry.key) + codec_.HeapBytesOf(entry.value);
    const uint32_t capped = static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX));
    backend().NoteMemory(static_cast<int64_t>(capped) - entry.heap_bytes);
    entry.heap_bytes = capped;
  }
  void Touch(uint32_t slot) { slab_.at(slot).flags |= kEntryReferenced; }

  static constexpr int64_t kIndexBytesPerEntry = 16;

  const Codec codec_;
  Slab<Entry> slab_;
  KeyGroupRange range_;
  uint32_t key_groups_ = 0;
  bool has_cold_ = false;
  KeyHasher<K> hasher_;

 private:
  void MarkMissing(uint32_t slot, Entry& entry, uint8_t missing) {
    entry.flags |= missing;
    if constexpr (!std::is_trivially_copyable_v<V>) backend().NoteChanged(id(), slot);
    if ((missing & kEntrySegmentDirty) != 0 && (entry.flags & kEntryInSegmentList) == 0) {
      entry.flags |= kEntryInSegmentList;
      backend().PushSegmentDirty(id(), slot);
    }
    if ((missing & kEntryFoldDirty) != 0 && backend().tracks()) ListForFold(slot, entry);
  }
  void ListForFold(uint32_t slot, Entry& entry) {
    if ((entry.flags & kEntryInFoldList) != 0) return;
    entry.flags |= kEntryInFoldList;
    backend().PushFoldDirty(id(), slot);
  }
  // Into the running segment, if it is not there as it is.
  void WriteEntry(Entry& entry) {
    if ((entry.flags & kEntrySegmentDirty) == 0) return;
    entry.flags = static_cast<uint8_t>((entry.flags & ~kEntrySegmentDirty) | kEntryPersisted);
    Account(entry);
    backend().AppendPut(id(), GroupOf(entry.hash), EncodeKey(entry), EncodeValue(entry));
  }

  uint8_t dirty_marks_ = 0;
  uint32_t hand_ = 0;
  uint32_t dump_next_ = 0;
  ByteWriter key_scratch_;
  ByteWriter value_scratch_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_HOT_TABLE_H_
