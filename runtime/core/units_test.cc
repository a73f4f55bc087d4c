#include "runtime/core/units.h"

#include <catch2/catch.hpp>

namespace penstock {

TEST_CASE("Durations are read with and without a space, in every unit", "[units]") {
  CHECK(*ParseDurationMs("5 s") == 5000);
  CHECK(*ParseDurationMs("200ms") == 200);
  CHECK(*ParseDurationMs(" 1min ") == 60'000);
  CHECK(*ParseDurationMs("2 H") == 7'200'000);
  CHECK(*ParseDurationMs("1 day") == 86'400'000);
  CHECK(*ParseDurationMs("42") == 42);
}

TEST_CASE("A bad duration is refused and named", "[units]") {
  for (const char* bad : {"", "s", "-5 s", "1.5 s", "5 fortnights", "99999999999999999 d"}) {
    const auto parsed = ParseDurationMs(bad);
    REQUIRE_FALSE(parsed.ok());
    CHECK(std::string(parsed.status().message()).find(bad) != std::string::npos);
  }
}

TEST_CASE("Sizes are powers of 1024", "[units]") {
  CHECK(*ParseBytes("32kb") == 32 * 1024);
  CHECK(*ParseBytes("256 mb") == 256LL << 20);
  CHECK(*ParseBytes("4GiB") == 4LL << 30);
  CHECK(*ParseBytes("7") == 7);
  CHECK_FALSE(ParseBytes("7 sheep").ok());
}

TEST_CASE("Quantities are written in the largest unit that divides them", "[units]") {
  CHECK(FormatDurationMs(5000) == "5 s");
  CHECK(FormatDurationMs(1500) == "1500 ms");
  CHECK(FormatDurationMs(120'000) == "2 min");
  CHECK(FormatDurationMs(0) == "0 ms");
  CHECK(FormatBytes(32 * 1024) == "32 kb");
  CHECK(FormatBytes(1025) == "1025 b");
}

TEST_CASE("EditDistance counts insertions, deletions and replacements", "[units]") {
  CHECK(EditDistance("", "abc") == 3);
  CHECK(EditDistance("rest.port", "rest.prot") == 2);
  CHECK(EditDistance("kitten", "sitting") == 3);
}

}  // namespace penstock
