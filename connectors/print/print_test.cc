#include "penstock/connectors/print.h"

#include <cstdlib>

#include "penstock/connectors/discard.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"

namespace penstock {
namespace {

struct Point {
  int x, y;
};
std::ostream& operator<<(std::ostream& stream, const Point& point) { return stream << point.x << '/' << point.y; }
struct Opaque {};
static_assert(print::Printable<Point> && print::Printable<int> && !print::Printable<Opaque>);

// A stream in memory.
struct Memory {
  char* data = nullptr;
  size_t size = 0;
  FILE* stream = open_memstream(&data, &size);
  ~Memory() {
    fclose(stream);
    free(data);
  }
  std::string text() {
    fflush(stream);
    return {data, size};
  }
};

TEST_CASE("print writes one line per record with the subtask in front", "[print]") {
  Memory memory;
  testing::FakeContext context(3, 4);
  const print::Sink sink{.prefix = "out ", .stream = memory.stream};
  const auto points = sink.CreateWriter<Point>();
  const auto numbers = sink.CreateWriter<int>();
  const auto bytes = sink.CreateWriter<Bytes>();
  REQUIRE(points->Open(context).ok());
  REQUIRE(numbers->Open(context).ok());
  REQUIRE(bytes->Open(context).ok());
  REQUIRE(points->Write({1, 2}, kNoTimestamp).ok());
  REQUIRE(numbers->Write(42, kNoTimestamp).ok());
  REQUIRE(bytes->Write(Bytes("raw", 3), kNoTimestamp).ok());
  REQUIRE(bytes->Flush().ok());
  REQUIRE(memory.text() == "out 3> 1/2\nout 3> 42\nout 3> raw\n");
}

TEST_CASE("print sink conforms", "[print]") {
  Memory memory;
  REQUIRE_OK(
      testing::CheckSink({.make = [&] { return print::Sink{.stream = memory.stream}.CreateWriter<std::string>(); },
                          .read =
                              [&] {
                                std::vector<std::string> lines;
                                std::string text = memory.text();
                                for (size_t at = 0, end; at < text.size(); at = end + 1) {
                                  end = text.find('\n', at);
                                  const std::string line = text.substr(at, end - at);
                                  lines.push_back(line.substr(line.find("> ") + 2));
                                }
                                return lines;
                              }}));
}

TEST_CASE("discard takes anything", "[discard]") {
  testing::FakeContext context;
  const auto writer = discard::Sink{}.CreateWriter<Opaque>();
  REQUIRE(writer->Open(context).ok());
  REQUIRE(writer->Write({}, 1).ok());
  REQUIRE(writer->Flush().ok());
  writer->Close();
}

}  // namespace
}  // namespace penstock
