// MapTable: for each key a map, in memory as a whole while the key is in use, persisted entry by entry.
//
// Knows keys as bytes: a state's handle does not know the type of the stream's keys. A persisted key is the key's bytes
// and then the map key's. Owner: the task's thread. A slot stays good until its box is evicted (MakeRoom) or dropped.
#ifndef PENSTOCK_RUNTIME_STATE_MAP_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_MAP_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/state/hot_table.h"
#include "runtime/state/state_row.h"

namespace penstock {

template <class MK, class MV>
class MapTable final : public TableBase {
 public:
  static constexpr uint32_t kNone = HashIndex::kNoEntry;
  struct Item {
    MV value{};
    int64_t expires_ms = 0;  // with TTL
    uint32_t counted_bytes = 0;
    uint8_t flags = 0;
  };
  using Items = std::map<MK, Item>;

  MapTable(TableSpec spec, SkipKey skip_key) : TableBase(std::move(spec)), skip_key_(skip_key) {}

  void Attach(KeyedBackend& backend, uint32_t id) override {
    TableBase::Attach(backend, id);
    groups_.resize(backend.range().end - backend.range().begin);
    dirty_marks_ = backend.cold() != nullptr ? kEntryFoldDirty : 0;
  }

  // The box of a key, with all its map; made empty when there is none.
  uint32_t BoxOf(uint64_t hash, std::string_view key) {
    uint32_t slot = FindHot(hash, key);
    if (slot != kNone) return slot;
    slot = AddBox(hash, key);
    if (cold_used_) LoadBox(slot);
    return slot;
  }
  const Items& items(uint32_t slot) { return slab_.at(slot).items; }
  void Put(uint32_t slot, const MK& map_key, MV value, int64_t expires_ms) {
    Box& box = slab_.at(slot);
    Item& item = box.items[map_key];
    item.value = std::move(value);
    item.expires_ms = expires_ms;
    WeighItem(box, map_key, item);
    MarkDirty(slot, map_key, item);
  }
  // To be changed; made when there is none.
  MV& Edit(uint32_t slot, const MK& map_key, int64_t expires_ms) {
    Box& box = slab_.at(slot);
    Item& item = box.items[map_key];
    item.expires_ms = expires_ms;
    if (item.counted_bytes == 0) WeighItem(box, map_key, item);
    MarkDirty(slot, map_key, item);
    return item.value;
  }
  void Renew(uint32_t slot, const MK& map_key, int64_t expires_ms) {
    Item& item = slab_.at(slot).items.at(map_key);
    item.expires_ms = expires_ms;
    MarkDirty(slot, map_key, item);
  }
  void Remove(uint32_t slot, const MK& map_key) {
    Box& box = slab_.at(slot);
    const auto found = box.items.find(map_key);
    if (found == box.items.end()) return;
    TellRemoved(box, *found);
    EraseItem(box, found);
  }
  void Clear(uint32_t slot) {
    Box& box = slab_.at(slot);
    for (const auto& item : box.items) TellRemoved(box, item);
    for (auto it = box.items.begin(); it != box.items.end();) it = EraseItem(box, it);
  }
  // An empty map takes no room.
  void DropIfEmpty(uint32_t slot) {
    if (slab_.at(slot).items.empty()) Drop(slot);
  }

  // ---- for the backend ----
  int64_t entries() const override { return slab_.size(); }
  void WriteDirty(uint32_t slot) override {
    Box& box = slab_.at(slot);
    box.flags &= static_cast<uint8_t>(~kEntryInSegmentList);
    if ((box.flags & kEntryUsed) != 0) WriteItems(box);
  }
  void FoldDirty(uint32_t slot) override {
    Box& box = slab_.at(slot);
    box.flags &= static_cast<uint8_t>(~kEntryInFoldList);
    for (const MK& map_key : std::exchange(box.fold_dirty, {})) {
      const auto found = box.items.find(map_key);
      if (found != box.items.end() && (found->second.flags & kEntryFoldDirty) != 0) WriteCold(box, *found);
    }
  }
  void WriteAll() override {
    for (uint32_t slot = 0; slot < slab_.end(); ++slot) {
      Box& box = slab_.at(slot);
      for (auto& item : box.items) {
        WriteItem(box, item);
        if ((item.second.flags & kEntryFoldDirty) == 0) continue;
        box.fold_dirty.push_back(item.first);
        ListForFold(slot, box);
      }
    }
    dirty_marks_ |= kEntrySegmentDirty;
  }
  void ExpectCold() override { cold_used_ = true; }
  bool AllHot() const override { return !cold_used_; }
  void BeginDump() override { dump_next_ = 0; }
  bool StepDump(int entries) override {
    const int64_t now_ms = spec().expires ? backend().clock().NowMs() : 0;
    while (entries > 0 && dump_next_ < slab_.end()) {
      Box& box = slab_.at(dump_next_++);
      --entries;
      for (auto& [map_key, item] : box.items) {
        if (item.expires_ms != 0 && item.expires_ms <= now_ms) continue;
        item.flags |= kEntryPersisted;
        backend().AppendToBase(id(), GroupOf(box.hash), EncodeKey(box, map_key), EncodeItem(item));
        --entries;
      }
    }
    return dump_next_ < slab_.end();
  }
  absl::Status FinishLoad() override {
    dirty_marks_ |= backend().tracks() ? kEntrySegmentDirty : 0;
    return absl::OkStatus();
  }
  absl::Status Load(const StateEntry& entry) override {
    ByteReader in(entry.key);
    if (!skip_key_(in)) return Bad("key");
    const std::string_view key = entry.key.substr(0, entry.key.size() - in.remaining());
    MK map_key{};
    if (!Serde<MK>::Read(in, map_key) || in.remaining() > 0) return Bad("key");
    const uint64_t hash = XXH3_64bits(key.data(), key.size());
    const uint32_t slot = BoxOf(hash, key);
    Box& box = slab_.at(slot);
    if (entry.op == EntryOp::kDelete) {
      if (const auto found = box.items.find(map_key); found != box.items.end()) EraseItem(box, found);
      if (cold_used_) backend().cold()->Delete(id(), entry.key_group, entry.key);
      DropIfEmpty(slot);
      return absl::OkStatus();
    }
    Item item;
    if (entry.op != EntryOp::kPut || !DecodeItem(entry.value, item)) return Bad("value");
    item.flags = static_cast<uint8_t>(kEntryPersisted | (cold_used_ ? kEntryInCold : 0));
    Item& kept = box.items[map_key];
    item.counted_bytes = kept.counted_bytes;
    kept = std::move(item);
    WeighItem(box, map_key, kept);
    MarkDirty(slot, map_key, kept);
    return absl::OkStatus();
  }
  void CollectKeys(uint32_t key_group, std::set<std::string>& keys) override {
    const HashIndex& index = groups_[key_group - backend().range().begin];
    for (size_t at = 0; at < index.slots(); ++at) {
      const uint32_t slot = index.EntryAt(at);
      if (slot != kNone) keys.insert(slab_.at(slot).key);
    }
    if (!cold_used_) return;
    const absl::Status status = backend().ScanCold(id(), key_group, [&](std::string_view key) {
      ByteReader in(key);
      if (!skip_key_(in)) return false;
      keys.emplace(key.substr(0, key.size() - in.remaining()));
      return true;
    });
    if (!status.ok()) backend().Fail(status);
  }
  bool Evict(int64_t bytes) override {
    int64_t freed = 0;
    for (uint64_t looked = 0; freed < bytes && looked < uint64_t{2} * slab_.end(); ++looked) {
      if (hand_ >= slab_.end()) hand_ = 0;
      const uint32_t slot = hand_++;
      Box& box = slab_.at(slot);
      if ((box.flags & kEntryUsed) == 0) continue;
      if ((box.flags & kEntryReferenced) != 0) {
        box.flags &= static_cast<uint8_t>(~kEntryReferenced);
        continue;
      }
      WriteItems(box);
      for (auto& item : box.items) {
        if ((item.second.flags & kEntryFoldDirty) != 0 || (item.second.flags & kEntryInCold) == 0) WriteCold(box, item);
      }
      freed += static_cast<int64_t>(sizeof(Box)) + box.heap_bytes;
      backend().NoteEvicted();
      cold_used_ = true;
      Drop(slot);
    }
    return freed > 0;
  }
  void Sweep(int entries) override {
    if (!spec().expires || slab_.end() == 0) return;
    const int64_t now_ms = backend().clock().NowMs();
    for (int i = 0; i < entries; ++i) {
      if (sweep_ >= slab_.end()) sweep_ = 0;
      const uint32_t slot = sweep_++;
      Box& box = slab_.at(slot);
      if ((box.flags & kEntryUsed) == 0) continue;
      for (auto it = box.items.begin(); it != box.items.end();) {
        const bool expired = it->second.expires_ms != 0 && it->second.expires_ms <= now_ms;
        if (expired) TellRemoved(box, *it);
        it = expired ? EraseItem(box, it) : std::next(it);
      }
      DropIfEmpty(slot);
    }
  }

 private:
  struct Box {
    uint64_t hash = 0;
    int64_t heap_bytes = 0;
    uint8_t flags = 0;
    std::string key;
    Items items;
    std::vector<MK> segment_dirty;
    std::vector<MK> fold_dirty;
  };

  uint32_t GroupOf(uint64_t hash) const { return KeyGroupOf(hash, backend().key_groups()).value; }
  HashIndex& IndexOf(uint64_t hash) { return groups_[GroupOf(hash) - backend().range().begin]; }

  uint32_t FindHot(uint64_t hash, std::string_view key) {
    HashIndex& index = IndexOf(hash);
    const size_t at =
        index.Find(hash, [&](uint32_t slot) { return slab_.at(slot).hash == hash && slab_.at(slot).key == key; });
    if (at == HashIndex::kNowhere) return kNone;
    const uint32_t slot = index.EntryAt(at);
    slab_.at(slot).flags |= kEntryReferenced;
    return slot;
  }
  uint32_t AddBox(uint64_t hash, std::string_view key) {
    const uint32_t slot = slab_.Add(
        hash, int64_t{0}, static_cast<uint8_t>(kEntryUsed | kEntryReferenced | slab_.NextFlags()), std::string(key));
    IndexOf(hash).Insert(hash, slot);
    Box& box = slab_.at(slot);
    box.heap_bytes = static_cast<int64_t>(HeapBytes(box.key));
    backend().NoteMemory(static_cast<int64_t>(sizeof(Box)) + box.heap_bytes);
    return slot;
  }
  void Drop(uint32_t slot) {
    Box& box = slab_.at(slot);
    HashIndex& index = IndexOf(box.hash);
    index.RemoveAt(index.SlotOf(box.hash, slot));
    backend().NoteMemory(-static_cast<int64_t>(sizeof(Box)) - box.heap_bytes);
    slab_.Free(slot, box.flags & kEntryListMarks);
  }
  // All that the cold tier has of the key. A key's bytes are no prefix of another's: the encoding tells its own end.
  void LoadBox(uint32_t slot) {
    Box& box = slab_.at(slot);
    bool good = true;
    absl::Status status = backend().cold()->Flush();
    if (status.ok()) {
      status =
          backend().cold()->Scan(id(), GroupOf(box.hash), box.key, [&](std::string_view key, std::string_view value) {
            ByteReader in(key.substr(box.key.size()));
            MK map_key{};
            Item item;
            good = Serde<MK>::Read(in, map_key) && in.remaining() == 0 && DecodeItem(value, item);
            item.flags = kEntryPersisted | kEntryInCold;
            if (!good) return false;
            const auto added = box.items.emplace(std::move(map_key), std::move(item)).first;
            WeighItem(box, added->first, added->second);
            return true;
          });
    }
    if (!status.ok()) backend().Fail(status);
    if (!good) backend().Fail(Bad("value in the cold tier"));
  }

  void MarkDirty(uint32_t slot, const MK& map_key, Item& item) {
    const uint8_t missing = static_cast<uint8_t>(dirty_marks_ & ~item.flags);
    if (missing == 0) return;
    item.flags |= missing;
    Box& box = slab_.at(slot);
    if ((missing & kEntrySegmentDirty) != 0) {
      if ((box.flags & kEntryInSegmentList) == 0) {
        box.flags |= kEntryInSegmentList;
        backend().PushSegmentDirty(id(), slot);
      }
      box.segment_dirty.push_back(map_key);
    }
    if ((missing & kEntryFoldDirty) != 0 && backend().tracks()) {
      ListForFold(slot, box);
      box.fold_dirty.push_back(map_key);
    }
  }
  void ListForFold(uint32_t slot, Box& box) {
    if ((box.flags & kEntryInFoldList) != 0) return;
    box.flags |= kEntryInFoldList;
    backend().PushFoldDirty(id(), slot);
  }
  // Those that are segment dirty, into the running segment.
  void WriteItems(Box& box) {
    for (const MK& map_key : std::exchange(box.segment_dirty, {})) {
      const auto found = box.items.find(map_key);
      if (found == box.items.end() || (found->second.flags & kEntrySegmentDirty) == 0) continue;
      WriteItem(box, *found);
    }
  }
  void WriteItem(Box& box, std::pair<const MK, Item>& item) {
    WeighItem(box, item.first, item.second);
    item.second.flags = static_cast<uint8_t>((item.second.flags & ~kEntrySegmentDirty) | kEntryPersisted);
    backend().AppendPut(id(), GroupOf(box.hash), EncodeKey(box, item.first), EncodeItem(item.second));
  }
  void WriteCold(Box& box, std::pair<const MK, Item>& item) {
    WeighItem(box, item.first, item.second);
    item.second.flags = static_cast<uint8_t>((item.second.flags & ~kEntryFoldDirty) | kEntryInCold | kEntryPersisted);
    backend().cold()->Put(id(), GroupOf(box.hash), EncodeKey(box, item.first), EncodeItem(item.second));
  }
  void TellRemoved(const Box& box, const std::pair<const MK, Item>& item) {
    if ((item.second.flags & kEntryPersisted) != 0) {
      backend().AppendDelete(id(), GroupOf(box.hash), EncodeKey(box, item.first));
    }
    if ((item.second.flags & kEntryInCold) != 0) {
      backend().cold()->Delete(id(), GroupOf(box.hash), EncodeKey(box, item.first));
    }
  }

  std::string_view EncodeKey(const Box& box, const MK& map_key) {
    key_scratch_.Clear();
    key_scratch_.Put(box.key.data(), box.key.size());
    Serde<MK>::Write(map_key, key_scratch_);
    return key_scratch_.view();
  }
  std::string_view EncodeItem(const Item& item) {
    value_scratch_.Clear();
    if (spec().expires) value_scratch_.PutFixed(item.expires_ms);
    Serde<MV>::Write(item.value, value_scratch_);
    return value_scratch_.view();
  }
  bool DecodeItem(std::string_view bytes, Item& item) const {
    ByteReader in(bytes);
    return (!spec().expires || in.GetFixed(item.expires_ms)) && Serde<MV>::Read(in, item.value) && in.remaining() == 0;
  }
  // Item by item: a map may have millions.
  void WeighItem(Box& box, const MK& map_key, Item& item) {
    constexpr size_t kNodeBytes = sizeof(MK) + sizeof(Item) + kNodeOverheadBytes;
    const size_t bytes = std::min<size_t>(kNodeBytes + HeapBytes(map_key) + HeapBytes(item.value), UINT32_MAX);
    const int64_t delta = static_cast<int64_t>(bytes) - item.counted_bytes;
    item.counted_bytes = static_cast<uint32_t>(bytes);
    box.heap_bytes += delta;
    backend().NoteMemory(delta);
  }
  typename Items::iterator EraseItem(Box& box, typename Items::iterator item) {
    box.heap_bytes -= item->second.counted_bytes;
    backend().NoteMemory(-static_cast<int64_t>(item->second.counted_bytes));
    return box.items.erase(item);
  }
  absl::Status Bad(std::string_view what) {
    return absl::DataLossError("a " + std::string(what) + " of operator " + spec().Label() + " does not decode");
  }

  const SkipKey skip_key_;
  std::vector<HashIndex> groups_;  // by key group less the range's begin
  Slab<Box> slab_;
  uint8_t dirty_marks_ = 0;
  bool cold_used_ = false;
  uint32_t hand_ = 0;
  uint32_t dump_next_ = 0;
  uint32_t sweep_ = 0;
  ByteWriter key_scratch_;
  ByteWriter value_scratch_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_MAP_TABLE_H_
