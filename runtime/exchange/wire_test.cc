#include "runtime/exchange/wire.h"

#include <catch2/catch.hpp>

namespace penstock::wire {
namespace {

TEST_CASE("A hello comes back as it was, and another version is refused with both named", "[exchange]") {
  const Hello hello{kExchangeVersion, JobId(1, 2), AttemptId(3), 4, 5};
  std::string bytes = EncodeHello(hello);
  const auto back = DecodeHello(bytes);
  REQUIRE(back.ok());
  CHECK(back->job == hello.job);
  CHECK(back->attempt == hello.attempt);
  CHECK(back->from == 4);
  CHECK(back->to == 5);
  bytes[4] = 9;
  const std::string message(DecodeHello(bytes).status().message());
  CHECK(message.find("version 9") != std::string::npos);
  CHECK(message.find("version 2") != std::string::npos);
  CHECK_FALSE(DecodeHello("GET / HTTP/1.1").ok());
  CHECK_FALSE(DecodeHello(EncodeHello(hello).substr(0, 20)).ok());
}

TEST_CASE("Item bytes are as the format says", "[exchange]") {
  std::string out;
  AppendCredits(7, 2, out);
  CHECK(out == std::string("\x02\x07\0\0\0\x02\0\0\0", 9));
  CHECK(out.size() == kCreditItemBytes);
  out.clear();
  AppendBufferHeader({1, 2, 3, 4}, out);
  CHECK(out == std::string("\x01\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0", 17));
  CHECK(out.size() == kBufferHeaderBytes);
  out.clear();
  AppendLimit(5, {.buffer_bytes = 1024, .sender_buffers = 3}, out);
  CHECK(out == std::string("\x03\x05\0\0\0\0\x04\0\0\x03\0\0\0", 13));
  CHECK(out.size() == kLimitItemBytes);
}

TEST_CASE("Cursor reads across pieces and refuses to read beyond the end", "[exchange]") {
  Cursor cursor({"ab", "", "cde"});
  char text[4] = {};
  CHECK(cursor.Copy(text, 4));
  CHECK(std::string(text, 4) == "abcd");
  CHECK_FALSE(cursor.Copy(text, 2));
  CHECK(cursor.Copy(text, 1));
  CHECK(text[0] == 'e');
  CHECK(cursor.remaining() == 0);
}

}  // namespace
}  // namespace penstock::wire
