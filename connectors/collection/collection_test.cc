#include "penstock/connectors/collection.h"

#include "penstock/connectors/collect.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"

namespace penstock {
namespace {

TEST_CASE("collection source conforms", "[collection]") {
  const int count = GENERATE(0, 1, 37, 1000);
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i);
  REQUIRE_OK(testing::CheckSource<int>({
      .make = [&] { return collection::Source<int>{.records = numbers}.CreateReader(); },
      .expected = numbers,
  }));
}

TEST_CASE("collection source gives timestamps by a function", "[collection]") {
  const collection::Source<int> source{.records = {7}, .timestamp = [](const int& value) { return value * 10; }};
  testing::FakeContext context;
  testing::FakeOutput<int> output;
  const auto reader = source.CreateReader();
  REQUIRE(reader->Open(context, output).ok());
  REQUIRE(testing::PollToEnd(*reader, output, context).ok());
  REQUIRE(output.records[0].timestamp == 70);
}

TEST_CASE("collect sink conforms", "[collect]") {
  const collect::Results<std::string> results;
  const collect::Sink<std::string> sink{results};
  REQUIRE_OK(testing::CheckSink(
      {.make = [&] { return sink.CreateWriter<std::string>(); }, .read = [&] { return results.values(); }}));
}

TEST_CASE("Bytes are collected as strings", "[collect]") {
  collect::Results<std::string> results;
  const auto writer = collect::Sink<std::string>{results}.CreateWriter<Bytes>();
  REQUIRE(writer->Write(Bytes("ab", 2), kNoTimestamp).ok());
  REQUIRE(results.values() == std::vector<std::string>{"ab"});
  results.clear();
  REQUIRE(results.size() == 0);
}

}  // namespace
}  // namespace penstock
