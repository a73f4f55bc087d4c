// Entries in blocks that never move, named by 32-bit positions: lists of dirty entries and a clock hand can point at
// them. Freed positions are used again, newest first. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_STATE_SLAB_H_
#define PENSTOCK_RUNTIME_STATE_SLAB_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace penstock {

// Entry has a `uint8_t flags` that tells whether the position is free, and is made from its fields.
template <class Entry>
class Slab {
 public:
  static constexpr uint32_t kBlockEntries = 256;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (uint32_t i = 0; i < end_; ++i) at(i).~Entry();
  }

  Entry& at(uint32_t position) { return *Address(position); }
  const Entry& at(uint32_t position) const { return *const_cast<Slab*>(this)->Address(position); }
  void Prefetch(uint32_t position) const { __builtin_prefetch(const_cast<Slab*>(this)->Address(position)); }

  template <class... Fields>
  uint32_t Add(Fields&&... fields) {
    ++size_;
    if (!free_.empty()) {
      const uint32_t position = free_.back();
      free_.pop_back();
      at(position).~Entry();
      new (Address(position)) Entry{std::forward<Fields>(fields)...};
      return position;
    }
    if (end_ % kBlockEntries == 0) blocks_.push_back(std::make_unique_for_overwrite<Block>());
    new (Address(end_)) Entry{std::forward<Fields>(fields)...};
    return end_++;
  }
  // What Free left in the flags of the position that the next Add takes.
  uint8_t NextFlags() const { return free_.empty() ? uint8_t{0} : at(free_.back()).flags; }
  // The entry's key and value give their memory back; `flags` stay with the position.
  void Free(uint32_t position, uint8_t flags = 0) {
    Entry& entry = at(position);
    entry.~Entry();
    new (&entry) Entry{};
    entry.flags = flags;
    free_.push_back(position);
    --size_;
  }

  uint32_t size() const { return size_; }
  uint32_t end() const { return end_; }  // above every position in use
  size_t memory_bytes() const { return blocks_.size() * sizeof(Block) + free_.capacity() * sizeof(uint32_t); }

 private:
  struct Block {
    alignas(Entry) std::byte memory[sizeof(Entry) * kBlockEntries];
  };
  Entry* Address(uint32_t position) {
    return reinterpret_cast<Entry*>(blocks_[position / kBlockEntries]->memory) + position % kBlockEntries;
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<uint32_t> free_;
  uint32_t end_ = 0;
  uint32_t size_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_SLAB_H_
