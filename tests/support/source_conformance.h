// What every source must do, run through by each connector's test.
#ifndef PENSTOCK_TESTS_SUPPORT_SOURCE_CONFORMANCE_H_
#define PENSTOCK_TESTS_SUPPORT_SOURCE_CONFORMANCE_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/fake_context.h"

namespace penstock::testing {

inline constexpr size_t kRecordsPerPollMax = 1000;

// A bounded source and what it holds.
template <class T, class Kept>
struct SourceCase {
  std::function<std::unique_ptr<SourceReader<T>>()> make;
  std::function<Kept(const T&)> keep;
  std::vector<Kept> expected;  // distinct values; those of one split stand in its order
};

// Reads one subtask to its end and checks what holds for each. yield_every: a checkpoint comes so often; 0: never.
template <class T, class Kept>
void ReadSubtask(const SourceCase<T, Kept>& source, int subtask, int parallelism, size_t yield_every,
                 std::vector<Kept>* all) {
  std::map<Kept, size_t> place;
  for (size_t i = 0; i < source.expected.size(); ++i) place[source.expected[i]] = i;
  FakeContext context(subtask, parallelism);
  FakeOutput<T, Kept> output(source.keep);
  output.yield_every = yield_every;
  const auto reader = source.make();
  REQUIRE(reader->Open(context, output).ok());
  size_t before = 0;
  while (true) {
    const absl::StatusOr<PollResult> result = reader->Poll(output);
    REQUIRE(result.ok());
    REQUIRE(output.records.size() - before <= (yield_every > 0 ? yield_every : kRecordsPerPollMax));
    before = output.records.size();
    if (*result == PollResult::kFinished) break;
    if (*result == PollResult::kDry) context.fake_waker().WaitFor(std::chrono::milliseconds(50));
  }
  reader->Close();
  reader->Close();  // harmless

  std::map<SplitIndex, size_t> last_place;
  for (const auto& record : output.records) {
    REQUIRE(record.split >= 0);
    REQUIRE(record.split < static_cast<SplitIndex>(output.splits.size()));
    REQUIRE(place.contains(record.value));
    const size_t at = place[record.value];
    if (last_place.contains(record.split)) REQUIRE(last_place[record.split] < at);
    last_place[record.split] = at;
    all->push_back(record.value);
  }
  std::vector<SplitIndex> finished = output.finished;
  std::sort(finished.begin(), finished.end());
  REQUIRE(std::unique(finished.begin(), finished.end()) == finished.end());
  REQUIRE(finished.size() == output.splits.size());
}

template <class T, class Kept>
void RequireSourceConforms(const SourceCase<T, Kept>& source) {
  std::vector<Kept> expected = source.expected;
  std::sort(expected.begin(), expected.end());
  for (const auto& [parallelism, yield_every] :
       {std::pair{1, size_t{0}}, {3, size_t{0}}, {1, size_t{1}}, {2, size_t{3}}}) {
    INFO("parallelism " << parallelism << ", yields every " << yield_every);
    std::vector<Kept> all;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      ReadSubtask(source, subtask, parallelism, yield_every, &all);
    }
    std::sort(all.begin(), all.end());
    REQUIRE(all == expected);  // every record once, whatever the parallelism
  }
  // Closed before the end, before the first poll, and without having been opened.
  FakeContext context;
  FakeOutput<T, Kept> output(source.keep);
  const auto stopped = source.make();
  REQUIRE(stopped->Open(context, output).ok());
  REQUIRE(stopped->Poll(output).ok());
  stopped->Close();
  const auto unread = source.make();
  REQUIRE(unread->Open(context, output).ok());
  unread->Close();
  source.make()->Close();
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_SOURCE_CONFORMANCE_H_
