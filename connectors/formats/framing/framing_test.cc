#include "penstock/formats/framing.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <vector>

namespace penstock::framing {
namespace {

// Reads by pieces of `step` bytes, as a source does.
absl::StatusOr<std::vector<std::string>> ReadAll(Framing framing, std::string_view bytes, size_t step,
                                                 const Limits& limits = {}) {
  std::vector<std::string> frames;
  size_t begin = 0, end = 0;
  while (true) {
    auto frame = FirstFrame(framing, bytes.substr(begin, end - begin), end == bytes.size(), limits);
    if (!frame.ok()) return frame.status();
    if (frame->has_value()) {
      frames.emplace_back((*frame)->payload);
      begin += (*frame)->size_bytes;
    } else if (end == bytes.size()) {
      return frames;
    } else {
      end = std::min(end + step, bytes.size());
    }
  }
}

using Strings = std::vector<std::string>;

TEST_CASE("lines, CSV records and prefixed records", "[framing]") {
  CHECK(*ReadAll(Framing::kLines, "a\r\n\nb", 1) == Strings{"a", "", "b"});
  CHECK(*ReadAll(Framing::kCsv, "a,\"b\n\"\"c\"\n\"\"\nd", 1) == Strings{"a,\"b\n\"\"c\"", "\"\"", "d"});
  CHECK(*ReadAll(Framing::kLengthPrefixed, std::string("\0\0\0\1a\0\0\0\0\0\0\0\2bc", 15), 1) ==
        Strings{"a", "", "bc"});
}

TEST_CASE("what is cut off or too long is told apart", "[framing]") {
  CHECK(ReadAll(Framing::kLengthPrefixed, std::string("\0\0\0\2a", 5), 5).status().code() ==
        absl::StatusCode::kDataLoss);
  CHECK(ReadAll(Framing::kLengthPrefixed, std::string("\0\0", 2), 5).status().code() == absl::StatusCode::kDataLoss);
  CHECK(ReadAll(Framing::kLengthPrefixed, "\xff\xff\xff\xff", 1).status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ReadAll(Framing::kLines, "abcdef\n", 1, {.frame_bytes_max = 5}).status().code() ==
        absl::StatusCode::kOutOfRange);
  std::string out;
  CHECK_FALSE(AppendFrame(Framing::kLines, "a\nb", out).ok());
  CHECK_FALSE(AppendFrame(Framing::kCsv, "a\nb", out).ok());
  CHECK(AppendFrame(Framing::kCsv, "\"a\nb\"", out).ok());
  CHECK_FALSE(AppendFrame(Framing::kLengthPrefixed, "abc", out, {.frame_bytes_max = 2}).ok());
}

TEST_CASE("random payloads come back, by pieces of any size", "[framing]") {
  const char* const given = std::getenv("PENSTOCK_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("PENSTOCK_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300; ++i) {
    Strings payloads;
    std::string bytes;
    for (size_t count = random() % 6; count > 0; --count) {
      std::string payload;
      for (size_t size = random() % 9; size > 0; --size) payload += static_cast<char>(random());
      if (AppendFrame(Framing::kLengthPrefixed, payload, bytes).ok()) payloads.push_back(payload);
    }
    REQUIRE(*ReadAll(Framing::kLengthPrefixed, bytes, 1 + random() % 7) == payloads);
  }
}

}  // namespace
}  // namespace penstock::framing
