#include "runtime/record/frame.h"

#include <catch2/catch.hpp>

namespace penstock {
namespace {

TEST_CASE("Frame bytes are as the format page says", "[record]") {
  const uint32_t header = EncodeFrameHeader(FrameKind::kBareRecord, 2, false);
  std::string bytes(reinterpret_cast<const char*>(&header), 4);
  bytes += "ab";
  CHECK(bytes == std::string("\x02\x00\x00\x50\x61\x62", 6));
  FrameReader reader(bytes.data(), bytes.size());
  Frame frame;
  REQUIRE(reader.Next(frame) == FrameResult::kFrame);
  CHECK(frame.kind == FrameKind::kBareRecord);
  CHECK_FALSE(frame.more);
  CHECK(frame.payload == "ab");
  CHECK(reader.Next(frame) == FrameResult::kEndOfBuffer);
}

TEST_CASE("FrameReader calls cut and unknown frames corrupt", "[record]") {
  const uint32_t header = EncodeFrameHeader(FrameKind::kRecord, 10, false);
  const std::string cut(reinterpret_cast<const char*>(&header), 4);
  Frame frame;
  CHECK(FrameReader(cut.data(), 4).Next(frame) == FrameResult::kCorrupt);
  CHECK(FrameReader(cut.data(), 3).Next(frame) == FrameResult::kCorrupt);
  const uint32_t unknown = 7u << 28;
  CHECK(FrameReader(reinterpret_cast<const char*>(&unknown), 4).Next(frame) == FrameResult::kCorrupt);
}

}  // namespace
}  // namespace penstock
