// An open-addressing table key → value for one key group, probed by a 64-bit hash that the caller has at hand.
//
// Linear probing over a dense array of 8-byte control words (hash fragment and entry index), entries in a vector in
// order of insertion: iteration is a scan and can be resumed by index, and rehashing moves control words only. Erase
// swaps with the last entry. Owner: the task's thread. References are valid until the next insertion or erase.
#ifndef PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_
#define PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace penstock {

template <class K, class V>
class KeyedTable {
 public:
  struct Entry {
    uint64_t hash;
    K key;
    V value;
  };

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  Entry& at(size_t index) { return entries_[index]; }

  V* Find(uint64_t hash, const K& key) {
    if (entries_.empty()) return nullptr;
    const size_t slot = FindSlot(hash, key);
    return slots_[slot] == kFree ? nullptr : &entries_[IndexOf(slots_[slot])].value;
  }

  // The value of the key, made by `make()` when there is none.
  template <class Make>
  V& FindOrInsert(uint64_t hash, const K& key, Make&& make) {
    if ((entries_.size() + 1) * 4 > slots_.size() * 3) Grow();
    const size_t slot = FindSlot(hash, key);
    if (slots_[slot] == kFree) {
      slots_[slot] = Word(hash, entries_.size());
      entries_.push_back({hash, key, make()});
      return entries_.back().value;
    }
    return entries_[IndexOf(slots_[slot])].value;
  }

  bool Erase(uint64_t hash, const K& key) {
    if (entries_.empty()) return false;
    const size_t slot = FindSlot(hash, key);
    if (slots_[slot] == kFree) return false;
    const size_t index = IndexOf(slots_[slot]);
    RemoveSlot(slot);
    const size_t last = entries_.size() - 1;
    if (index != last) {
      slots_[SlotOfIndex(entries_[last].hash, last)] = Word(entries_[last].hash, index);
      entries_[index] = std::move(entries_[last]);
    }
    entries_.pop_back();
    return true;
  }

  // Removes the newest entry; for scans that consume from the end.
  void PopBack() {
    RemoveSlot(SlotOfIndex(entries_.back().hash, entries_.size() - 1));
    entries_.pop_back();
  }

 private:
  static constexpr uint64_t kFree = 0;
  static constexpr int kIndexBits = 32;

  // Never kFree: the index is stored plus one. The upper half holds hash bits that the slot number does not use.
  static uint64_t Word(uint64_t hash, size_t index) { return (hash >> 32) << kIndexBits | (index + 1); }
  static size_t IndexOf(uint64_t word) { return static_cast<size_t>(word & 0xffffffffu) - 1; }
  size_t HomeSlot(uint64_t hash) const { return static_cast<size_t>(hash) & (slots_.size() - 1); }
  size_t NextSlot(size_t slot) const { return (slot + 1) & (slots_.size() - 1); }

  size_t FindSlot(uint64_t hash, const K& key) const {
    size_t slot = HomeSlot(hash);
    while (slots_[slot] != kFree) {
      const uint64_t word = slots_[slot];
      if (word >> kIndexBits == hash >> 32 && entries_[IndexOf(word)].hash == hash &&
          entries_[IndexOf(word)].key == key) {
        break;
      }
      slot = NextSlot(slot);
    }
    return slot;
  }

  size_t SlotOfIndex(uint64_t hash, size_t index) const {
    size_t slot = HomeSlot(hash);
    while (IndexOf(slots_[slot]) != index) slot = NextSlot(slot);
    return slot;
  }

  // Backward-shift deletion keeps probe sequences without tombstones.
  void RemoveSlot(size_t slot) {
    size_t hole = slot;
    for (size_t next = NextSlot(hole); slots_[next] != kFree; next = NextSlot(next)) {
      const size_t home = HomeSlot(entries_[IndexOf(slots_[next])].hash);
      const size_t mask = slots_.size() - 1;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        slots_[hole] = slots_[next];
        hole = next;
      }
    }
    slots_[hole] = kFree;
  }

  void Grow() {
    const size_t size = slots_.empty() ? 8 : slots_.size() * 2;
    slots_.assign(size, kFree);
    for (size_t i = 0; i < entries_.size(); ++i) {
      size_t slot = HomeSlot(entries_[i].hash);
      while (slots_[slot] != kFree) slot = NextSlot(slot);
      slots_[slot] = Word(entries_[i].hash, i);
    }
  }

  std::vector<uint64_t> slots_;
  std::vector<Entry> entries_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_KEYED_TABLE_H_
