// Open addressing over entries that lie elsewhere: hash → position of an entry in a slab.
//
// Linear probing over 8-byte words: the low half of the hash, which has the home slot in it, and the position. So a
// rehash and an erasure (which shifts back, without tombstones) move words only and read no entry. Owner: the task's
// thread.
#ifndef PENSTOCK_RUNTIME_STATE_HASH_INDEX_H_
#define PENSTOCK_RUNTIME_STATE_HASH_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

class HashIndex {
 public:
  static constexpr size_t kNowhere = ~size_t{0};
  static constexpr uint32_t kNoEntry = ~uint32_t{0};

  size_t size() const { return size_; }
  size_t slots() const { return words_.size(); }
  // The entry at a slot; kNoEntry: it is free.
  uint32_t EntryAt(size_t slot) const { return words_[slot] == kFree ? kNoEntry : EntryOf(words_[slot]); }

  // match(entry) compares keys. The slot, or kNowhere.
  template <class Match>
  size_t Find(uint64_t hash, Match&& match) const {
    if (size_ == 0) return kNowhere;
    for (size_t slot = HomeOf(hash);; slot = Next(slot)) {
      const uint64_t word = words_[slot];
      if (word == kFree) return kNowhere;
      if (word >> 32 == Fragment(hash) && match(EntryOf(word))) return slot;
    }
  }
  size_t SlotOf(uint64_t hash, uint32_t entry) const {
    return Find(hash, [entry](uint32_t candidate) { return candidate == entry; });
  }
  // REQUIRES: no entry of that key is in it.
  void Insert(uint64_t hash, uint32_t entry) {
    if ((size_ + 1) * 4 > words_.size() * 3) Grow();
    Place(Word(hash, entry));
    ++size_;
  }
  void RemoveAt(size_t slot) {
    size_t hole = slot;
    const size_t mask = words_.size() - 1;
    for (size_t next = Next(hole); words_[next] != kFree; next = Next(next)) {
      const size_t home = HomeOf(words_[next] >> 32);
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        words_[hole] = words_[next];
        hole = next;
      }
    }
    words_[hole] = kFree;
    --size_;
  }
  size_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  static constexpr uint64_t kFree = 0;

  // Never kFree: the position is stored plus one.
  static uint64_t Fragment(uint64_t hash) { return hash & 0xffffffffu; }
  static uint64_t Word(uint64_t hash, uint32_t entry) { return Fragment(hash) << 32 | (uint64_t{entry} + 1); }
  static uint32_t EntryOf(uint64_t word) { return static_cast<uint32_t>(word & 0xffffffffu) - 1; }
  size_t HomeOf(uint64_t hash) const { return static_cast<size_t>(hash) & (words_.size() - 1); }
  size_t Next(size_t slot) const { return (slot + 1) & (words_.size() - 1); }

  void Place(uint64_t word) {
    size_t slot = HomeOf(word >> 32);
    while (words_[slot] != kFree) slot = Next(slot);
    words_[slot] = word;
  }
  void Grow() {
    const std::vector<uint64_t> old = std::move(words_);
    words_.assign(old.empty() ? 8 : old.size() * 2, kFree);
    for (const uint64_t word : old) {
      if (word != kFree) Place(word);
    }
  }

  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_HASH_INDEX_H_
