// What every sink must do, run through by each connector's test.
#ifndef PENSTOCK_TESTS_SUPPORT_SINK_CONFORMANCE_H_
#define PENSTOCK_TESTS_SUPPORT_SINK_CONFORMANCE_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/task/sink.h"
#include "tests/support/fake_context.h"

namespace penstock::testing {

struct SinkCase {
  std::function<std::unique_ptr<SinkWriter<std::string>>()> make;
  std::function<std::vector<std::string>()> read;  // everything that has been written, in any order
};

inline void RequireSinkConforms(const SinkCase& sink) {
  constexpr int kRecords = 2000;
  std::vector<std::string> expected;
  FakeContext contexts[2] = {FakeContext(0, 2), FakeContext(1, 2)};
  std::unique_ptr<SinkWriter<std::string>> writers[2] = {sink.make(), sink.make()};
  for (int i = 0; i < 2; ++i) REQUIRE(writers[i]->Open(contexts[i]).ok());
  for (const auto& writer : writers) REQUIRE(writer->Flush().ok());  // of nothing
  for (int i = 0; i < kRecords; ++i) {
    expected.push_back("record " + std::to_string(i));
    std::string passing = expected.back();
    REQUIRE(writers[i % 2]->Write(passing, i).ok());
    passing.assign(passing.size(), '#');  // views are over when Write returns
  }
  for (const auto& writer : writers) REQUIRE(writer->Flush().ok());
  const auto sorted = [](std::vector<std::string> values) {
    std::sort(values.begin(), values.end());
    return values;
  };
  REQUIRE(sorted(sink.read()) == sorted(expected));
  // A flush is not an end.
  REQUIRE(writers[0]->Write("one more", kNoTimestamp).ok());
  REQUIRE(writers[0]->Flush().ok());
  expected.push_back("one more");
  REQUIRE(sorted(sink.read()) == sorted(expected));
  for (const auto& writer : writers) {
    writer->Close();
    writer->Close();  // harmless
  }
  // A new writer adds to what is there.
  FakeContext context(0, 2);
  const auto later = sink.make();
  REQUIRE(later->Open(context).ok());
  REQUIRE(later->Write("later", kNoTimestamp).ok());
  REQUIRE(later->Flush().ok());
  later->Close();
  expected.push_back("later");
  REQUIRE(sorted(sink.read()) == sorted(expected));
  sink.make()->Close();  // never opened
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_SINK_CONFORMANCE_H_
