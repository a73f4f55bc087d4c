// WindowTable: (namespace, key) → value, the namespace first: a fire is a scan of one namespace, a purge drops it
// (protocols.md C9). Windows use their end as namespace.
//
// Owner: the task's thread. The pane of the last record is remembered, since neighbours in a stream mostly share it.
#ifndef PENSTOCK_RUNTIME_STATE_WINDOW_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_WINDOW_TABLE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/record/time.h"
#include "runtime/state/hot_table.h"

namespace penstock {

template <class K, class V, class Codec = SerdeCodec<V>>
class WindowTable final : public HotTable<K, V, Codec> {
  using Base = HotTable<K, V, Codec>;
  using Entry = typename Base::Entry;

 public:
  static constexpr uint32_t kNone = HashIndex::kNoEntry;

  explicit WindowTable(TableSpec spec, Codec codec = {}) : Base(std::move(spec), std::move(codec)) {}

  // The slot of (ns, key), made by the codec when there is none; to be changed, and so dirty.
  uint32_t FindOrInsert(int64_t ns, uint64_t hash, const K& key) {
    Pane& pane = PaneOf(ns);
    const uint32_t group = this->GroupOf(hash);
    uint32_t slot = FindHot(pane, group, hash, key);
    if (slot == kNone && pane.cold) slot = Fetch(pane, group, ns, hash, key);
    if (slot == kNone) {
      slot = this->AddEntry(hash, ns, key, this->codec_.Make(), 0);
      pane.groups[group - this->range_.begin].Insert(hash, slot);
      if (group - this->range_.begin < pane.taken_groups) {  // behind a fire in progress, which then comes back for it
        pane.taken_groups = group - this->range_.begin;
        pane.group_loaded = false;
      }
    }
    this->MarkDirty(slot);
    return slot;
  }

  bool empty() const { return panes_.empty(); }
  // REQUIRES: !empty().
  int64_t first_ns() const { return panes_.begin()->first; }
  size_t panes() const { return panes_.size(); }

  // Takes entries out of the first namespace, at most `max`, calling fn(key, value) for each. True when the namespace
  // is used up (and gone). What has been taken out is no longer state, so a Cut between two calls is consistent.
  template <class Fn>
  bool TakeFromFirst(int max, Fn&& fn) {
    const int64_t ns = panes_.begin()->first;
    Pane& pane = panes_.begin()->second;
    for (; pane.taken_groups < pane.groups.size(); ++pane.taken_groups) {
      if (pane.cold && !pane.group_loaded && !LoadGroup(pane, ns)) return false;
      if (!TakeGroup(pane, ns, max, fn)) return false;
      pane.group_loaded = false;
      pane.groups[pane.taken_groups] = HashIndex();
    }
    if (last_pane_ == &pane) last_pane_ = nullptr;
    panes_.erase(panes_.begin());
    return true;
  }

  absl::Status Load(const StateEntry& entry) override {
    int64_t ns = 0;
    if (entry.op == EntryOp::kDeleteNamespace) {
      std::string_view bytes = entry.key;
      if (!GetNamespace(bytes, ns) || !bytes.empty()) return this->BadEntry("namespace");
      return LoadDeleteNamespace(entry, ns);
    }
    K key{};
    if (!this->DecodeKey(entry.key, ns, key)) return this->BadEntry("key");
    const uint64_t hash = this->hasher_(key);
    if (entry.op == EntryOp::kDelete) {
      const auto pane = panes_.find(ns);
      if (pane != panes_.end()) {
        const uint32_t slot = FindHot(pane->second, entry.key_group, hash, key);
        if (slot != kNone) this->Drop(slot);
      }
      // What came first may have been evicted again meanwhile.
      if (cold_expected_ || (pane != panes_.end() && pane->second.cold))
        this->backend().cold()->Delete(this->id(), entry.key_group, entry.key);
      return absl::OkStatus();
    }
    V value = this->codec_.Make();
    if (!this->DecodeValue(entry.value, value)) return this->BadEntry("value");
    Pane& pane = PaneOf(ns);
    pane.cold |= cold_expected_;
    uint32_t slot = FindHot(pane, entry.key_group, hash, key);
    if (slot == kNone) {
      const uint8_t flags = static_cast<uint8_t>(kEntryPersisted | (pane.cold ? kEntryInCold : 0));
      slot = this->AddEntry(hash, ns, key, std::move(value), flags);
      pane.groups[entry.key_group - this->range_.begin].Insert(hash, slot);
    } else {
      this->value(slot) = std::move(value);
    }
    this->Account(this->slab_.at(slot));
    this->MarkDirty(slot);
    return absl::OkStatus();
  }
  void ExpectCold() override { cold_expected_ = true; }
  bool AllHot() const override {
    return std::none_of(panes_.begin(), panes_.end(), [](const auto& pane) { return pane.second.cold; });
  }
  // Namespaces that lie in the cold tier alone need their panes, or they would never fire.
  absl::Status FinishLoad() override {
    if (cold_expected_) {
      for (uint32_t group = this->range_.begin; group < this->range_.end; ++group) {
        auto found = this->backend().cold()->Namespaces(this->id(), group);
        if (!found.ok()) return found.status();
        for (const int64_t ns : *found) PaneOf(ns).cold = true;
      }
    }
    for (auto it = panes_.begin(); it != panes_.end();) {
      it = it->second.cold || HotEntries(it->second) > 0 ? std::next(it) : panes_.erase(it);
    }
    last_pane_ = nullptr;
    cold_expected_ = false;
    return Base::FinishLoad();
  }

 private:
  struct Pane {
    std::vector<HashIndex> groups;  // by key group less range_.begin
    bool cold = false;              // some of it may lie in the cold tier
    bool group_loaded = false;      // what the cold tier had of groups[taken_groups] is here
    size_t taken_groups = 0;        // while it fires
  };
  // Entries that a fire fetches ahead of the one it takes: they lie in the slab in order of arrival.
  static constexpr size_t kPrefetchSlots = 12;

  Pane& PaneOf(int64_t ns) {
    if (last_pane_ == nullptr || last_ns_ != ns) {
      Pane& pane = panes_[ns];
      if (pane.groups.empty()) pane.groups.resize(this->range_.end - this->range_.begin);
      last_pane_ = &pane;
      last_ns_ = ns;
    }
    return *last_pane_;
  }
  HashIndex& IndexOf(const Entry& entry) override {
    return PaneOf(entry.ns).groups[this->GroupOf(entry.hash) - this->range_.begin];
  }
  void OnEvict(const Entry& entry) override {
    Pane& pane = PaneOf(entry.ns);
    pane.cold = true;
    pane.group_loaded = false;  // a fire in progress may need it back
  }
  static size_t HotEntries(const Pane& pane) {
    size_t entries = 0;
    for (const HashIndex& group : pane.groups) entries += group.size();
    return entries;
  }

  uint32_t FindHot(const Pane& pane, uint32_t group, uint64_t hash, const K& key) {
    const HashIndex& index = pane.groups[group - this->range_.begin];
    const size_t at = index.Find(hash, [&](uint32_t slot) {
      const Entry& entry = this->slab_.at(slot);
      return entry.hash == hash && entry.key == key;
    });
    if (at == HashIndex::kNowhere) return kNone;
    const uint32_t slot = index.EntryAt(at);
    this->Touch(slot);
    return slot;
  }
  uint32_t Fetch(Pane& pane, uint32_t group, int64_t ns, uint64_t hash, const K& key) {
    if (!this->backend().ReadCold(this->id(), group, this->EncodeKey(ns, key), &cold_value_)) return kNone;
    return AddFetched(pane, group, ns, hash, key, cold_value_);
  }
  uint32_t AddFetched(Pane& pane, uint32_t group, int64_t ns, uint64_t hash, const K& key, std::string_view bytes) {
    V value = this->codec_.Make();
    if (!this->DecodeValue(bytes, value)) {
      this->backend().Fail(this->BadEntry("value in the cold tier"));
      return kNone;
    }
    const uint32_t slot = this->AddEntry(hash, ns, key, std::move(value), kEntryPersisted | kEntryInCold);
    pane.groups[group - this->range_.begin].Insert(hash, slot);
    this->Account(this->slab_.at(slot));
    return slot;
  }

  // Brings in what the cold tier has of the key group that is to be taken; false on an error.
  bool LoadGroup(Pane& pane, int64_t ns) {
    const uint32_t group = this->range_.begin + static_cast<uint32_t>(pane.taken_groups);
    absl::Status status = this->backend().cold()->Flush();
    bool good = true;
    if (status.ok()) {
      status = this->backend().cold()->Scan(this->id(), group, NamespacePrefix(ns),
                                            [&](std::string_view key_bytes, std::string_view value) {
                                              int64_t key_ns = 0;
                                              K key{};
                                              good = this->DecodeKey(key_bytes, key_ns, key);
                                              if (!good) return false;
                                              const uint64_t hash = this->hasher_(key);
                                              if (FindHot(pane, group, hash, key) != kNone) return true;
                                              good = AddFetched(pane, group, ns, hash, key, value) != kNone;
                                              return good;
                                            });
    }
    if (!status.ok()) this->backend().Fail(status);
    if (!good) this->backend().Fail(this->BadEntry("key in the cold tier"));
    pane.group_loaded = status.ok() && good;
    return pane.group_loaded;
  }
  std::string_view NamespacePrefix(int64_t ns) {
    prefix_scratch_.Clear();
    PutNamespace(ns, prefix_scratch_);
    return prefix_scratch_.view();
  }

  // A group that is taken whole is told gone by one line; of others, each entry.
  template <class Fn>
  bool TakeGroup(Pane& pane, int64_t ns, int& max, Fn& fn) {
    HashIndex& index = pane.groups[pane.taken_groups];
    if (index.size() == 0) return true;
    const bool whole = index.size() <= static_cast<size_t>(max);
    bool persisted = false;
    for (size_t at = index.slots(); at > 0 && index.size() > 0;) {
      if (at > kPrefetchSlots) {
        const uint32_t ahead = index.EntryAt(at - 1 - kPrefetchSlots);
        if (ahead != kNone) this->slab_.Prefetch(ahead);
      }
      const uint32_t slot = index.EntryAt(at - 1);
      if (slot == kNone) {
        --at;
        continue;
      }
      if (max-- == 0) return false;
      const Entry& entry = this->slab_.at(slot);
      fn(entry.key, entry.value);
      persisted |= (entry.flags & kEntryPersisted) != 0;
      this->TellErased(entry, !whole);
      index.RemoveAt(at - 1);
      this->FreeEntry(slot);
    }
    if (whole && persisted) {
      this->backend().AppendDeleteNamespace(this->id(), this->range_.begin + static_cast<uint32_t>(pane.taken_groups),
                                            ns);
    }
    return true;
  }

  absl::Status LoadDeleteNamespace(const StateEntry& entry, int64_t ns) {
    const auto found = panes_.find(ns);
    if (found != panes_.end()) {
      HashIndex& index = found->second.groups[entry.key_group - this->range_.begin];
      for (size_t at = 0; at < index.slots(); ++at) {
        if (const uint32_t slot = index.EntryAt(at); slot != kNone) this->FreeEntry(slot);
      }
      index = HashIndex();
    }
    if (!cold_expected_ && (found == panes_.end() || !found->second.cold)) return absl::OkStatus();
    std::vector<std::string> keys;
    absl::Status status = this->backend().cold()->Flush();
    if (!status.ok()) return status;
    status = this->backend().cold()->Scan(this->id(), entry.key_group, entry.key,
                                          [&](std::string_view key, std::string_view) {
                                            keys.emplace_back(key);
                                            return true;
                                          });
    for (const std::string& key : keys) this->backend().cold()->Delete(this->id(), entry.key_group, key);
    return status;
  }

  std::map<int64_t, Pane> panes_;
  Pane* last_pane_ = nullptr;
  int64_t last_ns_ = 0;
  bool cold_expected_ = false;  // while a snapshot is loaded
  std::string cold_value_;
  ByteWriter prefix_scratch_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_WINDOW_TABLE_H_
