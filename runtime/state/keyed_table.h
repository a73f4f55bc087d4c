// KeyedTable: key → value, one hash index per key group, over the cold tier if there is one.
//
// Owner: the task's thread. Slots name entries until they are erased or evicted (KeyedBackend::MakeRoom).
#ifndef PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/state/hot_table.h"

namespace penstock {

template <class K, class V, class Codec = SerdeCodec<V>>
class KeyedTable final : public HotTable<K, V, Codec> {
  using Base = HotTable<K, V, Codec>;
  using Entry = typename Base::Entry;

 public:
  static constexpr uint32_t kNone = HashIndex::kNoEntry;

  // A table of name and kind in the state of an operator.
  KeyedTable(TableSpec spec, Codec codec = {}) : Base(std::move(spec), std::move(codec)) {}

  void Attach(KeyedBackend& backend, uint32_t id) override {
    Base::Attach(backend, id);
    groups_.resize(this->range_.end - this->range_.begin);
  }

  // The slot of the key, or kNone.
  uint32_t Find(uint64_t hash, const K& key) {
    const uint32_t group = this->GroupOf(hash);
    const uint32_t slot = FindHot(group, hash, key);
    if (slot != kNone || !cold_used_) return slot;
    return Fetch(group, hash, key);
  }
  // The slot of the key, made by the codec when there is none. A new entry is dirty.
  uint32_t FindOrInsert(uint64_t hash, const K& key, bool* inserted = nullptr) {
    const uint32_t group = this->GroupOf(hash);
    uint32_t slot = FindHot(group, hash, key);
    if (slot == kNone && cold_used_) slot = Fetch(group, hash, key);
    if (slot != kNone) return slot;
    slot = this->AddEntry(hash, 0, key, this->codec_.Make(), 0);
    IndexAt(group).Insert(hash, slot);
    this->MarkDirty(slot);
    if (inserted != nullptr) *inserted = true;
    return slot;
  }
  void Erase(uint32_t slot) {
    this->TellErased(this->slab_.at(slot), true);
    this->Drop(slot);
  }

  absl::Status Load(const StateEntry& entry) override {
    int64_t ns = 0;
    K key{};
    if (!this->DecodeKey(entry.key, ns, key)) return this->BadEntry("key");
    const uint64_t hash = this->hasher_(key);
    uint32_t slot = FindHot(entry.key_group, hash, key);
    if (entry.op == EntryOp::kDelete) {
      if (slot != kNone) this->Drop(slot);
      if (cold_used_) this->backend().cold()->Delete(this->id(), entry.key_group, entry.key);
      return absl::OkStatus();
    }
    V value = this->codec_.Make();
    if (entry.op != EntryOp::kPut || !this->DecodeValue(entry.value, value)) return this->BadEntry("value");
    if (slot == kNone) {
      const uint8_t flags = static_cast<uint8_t>(kEntryPersisted | (cold_used_ ? kEntryInCold : 0));
      slot = this->AddEntry(hash, 0, key, std::move(value), flags);
      IndexAt(entry.key_group).Insert(hash, slot);
    } else {
      this->value(slot) = std::move(value);
    }
    this->Account(this->slab_.at(slot));
    this->MarkDirty(slot);  // for the cold tier; changes are not tracked yet
    return absl::OkStatus();
  }
  void ExpectCold() override { cold_used_ = true; }
  bool AllHot() const override { return !cold_used_; }
  void CollectKeys(uint32_t key_group, std::set<std::string>& keys) override {
    const HashIndex& index = IndexAt(key_group);
    for (size_t at = 0; at < index.slots(); ++at) {
      const uint32_t slot = index.EntryAt(at);
      if (slot != kNone) keys.emplace(this->EncodeKey(0, this->key(slot)));
    }
    if (!cold_used_) return;
    const absl::Status status = this->backend().ScanCold(this->id(), key_group, [&](std::string_view key) {
      keys.emplace(key);
      return true;
    });
    if (!status.ok()) this->backend().Fail(status);
  }

  // Entries that are never written ahead, for the job takes no checkpoints, are weighed here, too.
  void Sweep(int entries) override {
    const bool weigh = this->has_cold_ && !this->backend().tracks() && !std::is_trivially_copyable_v<V>;
    if (!this->spec().expires && !weigh) return;
    const int64_t now_ms = this->spec().expires ? this->backend().clock().NowMs() : 0;
    for (int i = 0; i<entries&& this->slab_.end()> 0; ++i) {
      if (sweep_ >= this->slab_.end()) sweep_ = 0;
      const uint32_t slot = sweep_++;
      Entry& entry = this->slab_.at(slot);
      if ((entry.flags & kEntryUsed) == 0) continue;
      if (weigh) this->Account(entry);
      if (!this->spec().expires) continue;
      const int64_t expires_ms = this->codec_.ExpiresMs(entry.value);
      if (expires_ms != 0 && expires_ms <= now_ms) Erase(slot);
    }
  }

 private:
  HashIndex& IndexAt(uint32_t group) { return groups_[group - this->range_.begin]; }
  HashIndex& IndexOf(const Entry& entry) override { return IndexAt(this->GroupOf(entry.hash)); }
  void OnEvict(const Entry&) override { cold_used_ = true; }

  uint32_t FindHot(uint32_t group, uint64_t hash, const K& key) {
    const HashIndex& index = IndexAt(group);
    const size_t at = index.Find(hash, [&](uint32_t slot) {
      const Entry& entry = this->slab_.at(slot);
      return entry.hash == hash && entry.key == key;
    });
    if (at == HashIndex::kNowhere) return kNone;
    const uint32_t slot = index.EntryAt(at);
    this->Touch(slot);
    return slot;
  }
  // Out of the cold tier into the hot one.
  uint32_t Fetch(uint32_t group, uint64_t hash, const K& key) {
    if (!this->backend().ReadCold(this->id(), group, this->EncodeKey(0, key), &cold_value_)) return kNone;
    V value = this->codec_.Make();
    if (!this->DecodeValue(cold_value_, value)) {
      this->backend().Fail(this->BadEntry("value in the cold tier"));
      return kNone;
    }
    const uint32_t slot = this->AddEntry(hash, 0, key, std::move(value), kEntryPersisted | kEntryInCold);
    IndexAt(group).Insert(hash, slot);
    this->Account(this->slab_.at(slot));
    return slot;
  }

  std::vector<HashIndex> groups_;  // by key group less range_.begin
  bool cold_used_ = false;
  uint32_t sweep_ = 0;
  std::string cold_value_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_
