#include "runtime/record/key_hash.h"

#include <catch2/catch.hpp>

namespace penstock {
namespace {

TEST_CASE("Every key group has exactly one subtask, and ranges agree with it", "[record]") {
  for (const uint32_t groups : {1u, 7u, 128u, 720u}) {
    for (int parallelism = 1; parallelism <= static_cast<int>(groups) && parallelism <= 130; ++parallelism) {
      uint32_t next = 0;
      for (int subtask = 0; subtask < parallelism; ++subtask) {
        const KeyGroupRange range = RangeOfSubtask(subtask, parallelism, groups);
        REQUIRE(range.begin == next);
        next = range.end;
        for (uint32_t group = range.begin; group < range.end; ++group) {
          REQUIRE(SubtaskOfKeyGroup(KeyGroup(group), parallelism, groups) == subtask);
        }
      }
      REQUIRE(next == groups);
    }
  }
}

TEST_CASE("Key hash 1 never changes", "[record]") {
  KeyHasher<std::string> strings;
  KeyHasher<int64_t> integers;
  // The last golden value comes from another implementation (Python xxhash).
  const char text_bytes[] = "\x05s-001";
  const int64_t number = 42;
  CHECK(strings("s-001") == XXH3_64bits(text_bytes, 6));
  CHECK(integers(42) == XXH3_64bits(&number, 8));
  CHECK(integers(42) == 0xd5a6f8c838df27c8ULL);
}

TEST_CASE("Key groups are evenly used", "[record]") {
  KeyHasher<std::string> hasher;
  std::vector<int> counts(720, 0);
  for (int i = 0; i < 72'000; ++i) ++counts[KeyGroupOf(hasher("session-" + std::to_string(i)), 720).value];
  for (const int count : counts) {
    CHECK(count > 40);
    CHECK(count < 180);
  }
}

}  // namespace
}  // namespace penstock
