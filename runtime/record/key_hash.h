// Key → 64-bit hash → key group → subtask.
//
// Hash id 1: XXH3 64 of the key's Serde bytes. It is part of every state format, so it never changes; another hash gets
// another id. Source: xxHash specification, https://github.com/Cyan4973/xxHash.
#ifndef PENSTOCK_RUNTIME_RECORD_KEY_HASH_H_
#define PENSTOCK_RUNTIME_RECORD_KEY_HASH_H_

#include <cstdint>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include "runtime/core/ids.h"
#include "runtime/record/serde.h"

namespace penstock {

inline constexpr int kKeyHashId = 1;
inline constexpr int kDefaultKeyGroups = 720;

// Owns scratch memory: one per thread and user.
template <class K>
class KeyHasher {
 public:
  uint64_t operator()(const K& key) {
    scratch_.Clear();
    Serde<K>::Write(key, scratch_);
    return XXH3_64bits(scratch_.data(), scratch_.size());
  }

 private:
  ByteWriter scratch_;
};

// Multiply-shift instead of modulo: uniform over [0, key_groups) from the hash's high bits.
inline KeyGroup KeyGroupOf(uint64_t hash, uint32_t key_groups) {
  return KeyGroup(static_cast<uint32_t>((static_cast<unsigned __int128>(hash) * key_groups) >> 64));
}

// Contiguous ranges of key groups: subtask i of p owns [ceil(i·g/p), ceil((i+1)·g/p)).
struct KeyGroupRange {
  uint32_t begin = 0;
  uint32_t end = 0;  // excluded
  bool operator==(const KeyGroupRange&) const = default;
};
inline KeyGroupRange RangeOfSubtask(int subtask, int parallelism, uint32_t key_groups) {
  const auto ceil_div = [&](uint64_t i) {
    return static_cast<uint32_t>((i * key_groups + parallelism - 1) / parallelism);
  };
  return {ceil_div(static_cast<uint64_t>(subtask)), ceil_div(static_cast<uint64_t>(subtask) + 1)};
}
inline int SubtaskOfKeyGroup(KeyGroup group, int parallelism, uint32_t key_groups) {
  return static_cast<int>(static_cast<uint64_t>(group.value) * parallelism / key_groups);
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_KEY_HASH_H_
