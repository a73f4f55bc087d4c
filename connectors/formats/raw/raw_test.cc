#include "penstock/formats/raw.h"

#include <catch2/catch.hpp>

#include "connectors/formats/utf8.h"

namespace penstock::raw {
namespace {

TEST_CASE("numbers are big-endian and of their size", "[raw]") {
  CHECK(write_number<int32_t>()(0x01020304) == "\x01\x02\x03\x04");
  CHECK(*parse_number<int32_t>()(std::string("\xff\xff\xff\xfe", 4)) == -2);
  CHECK(*parse_number<double>()(write_number<double>()(0.1)) == 0.1);
  CHECK(parse_number<int64_t>()(std::string("\1\2\3")).status().message() == "a number of 8 bytes has 3 (byte 3)");
}

TEST_CASE("text is UTF-8", "[raw]") {
  CHECK(*parse_text()(Bytes("né€𝄞")) == "né€𝄞");
  CHECK(parse_text()(std::string("ab\xc3(")).status().message() == "text: no UTF-8 (byte 2)");
  for (const char* bad : {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xe2\x82"}) {
    CHECK(formats::FirstBadUtf8(bad) == 0);
  }
  CHECK(to_string()(Bytes("\xff")) == "\xff");
}

}  // namespace
}  // namespace penstock::raw
