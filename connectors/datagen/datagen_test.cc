#include "penstock/connectors/datagen.h"

#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"

namespace penstock {
namespace {

using testing::FakeContext;
using testing::FakeOutput;

datagen::Source<uint64_t> Indices(std::optional<uint64_t> count) {
  return {.generate = [](uint64_t index) { return index; }, .count = count};
}

TEST_CASE("datagen source conforms", "[datagen]") {
  std::vector<uint64_t> expected(3000);
  for (uint64_t i = 0; i < 3000; ++i) expected[i] = i;
  const int splits = GENERATE(1, 3);
  REQUIRE_OK(testing::CheckSource<uint64_t>({
      .make =
          [&] {
            auto source = Indices(3000);
            source.splits_per_subtask = splits;
            return source.CreateReader();
          },
      .expected = expected,
  }));
}

TEST_CASE("datagen keeps to its rate by the clock, shared by the subtasks", "[datagen]") {
  auto source = Indices(std::nullopt);
  source.rate = 200;
  ManualClock clock(5'000);
  FakeContext context(1, 2);
  context.set_clock(clock);
  FakeOutput<uint64_t> output;
  const auto reader = source.CreateReader();
  REQUIRE(reader->Open(context, output).ok());
  REQUIRE(*reader->Poll(output) == PollResult::kDry);
  REQUIRE(output.records.empty());
  clock.AdvanceMs(500);
  REQUIRE(*reader->Poll(output) == PollResult::kMore);
  REQUIRE(output.records.size() == 50);
  REQUIRE(*reader->Poll(output) == PollResult::kDry);
  SECTION("what was missed is caught up for a second at most") {
    clock.AdvanceMs(60'000);
    while (*reader->Poll(output) == PollResult::kMore) {
    }
    REQUIRE(output.records.size() == 150);
  }
}

TEST_CASE("the same seed gives the same records at every parallelism", "[datagen]") {
  const auto read = [](uint64_t seed, int parallelism) {
    const datagen::Source<uint64_t> source{
        .generate = [](uint64_t index, datagen::Random& random) { return index * 1000 + random.Below(1000); },
        .count = 500,
        .seed = seed};
    std::vector<uint64_t> all;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      FakeContext context(subtask, parallelism);
      FakeOutput<uint64_t> output;
      const auto reader = source.CreateReader();
      REQUIRE(reader->Open(context, output).ok());
      REQUIRE(testing::PollToEnd(*reader, output, context).ok());
      for (const uint64_t value : output.values()) all.push_back(value);
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  REQUIRE(read(1, 1) == read(1, 4));
  REQUIRE(read(1, 1) != read(2, 1));
}

TEST_CASE("datagen names all problems at once", "[datagen]") {
  const datagen::Source<int> source{.rate = -1, .splits_per_subtask = 0};
  REQUIRE_OK(testing::CheckSourceRefused(source, {".generate", ".rate", ".splits_per_subtask"}));
}

}  // namespace
}  // namespace penstock
