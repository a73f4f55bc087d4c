// The word count's test, with <penstock/testing.h> of an installed penstock.
#include "words.h"

#include <penstock/testing.h>

#include <algorithm>
#include <cstdio>

using namespace penstock;

static int failed = 0;

static void Expect(const char* what, std::vector<std::string> got, const std::vector<std::string>& want) {
  std::sort(got.begin(), got.end());
  if (got == want) return;
  ++failed;
  std::fprintf(stderr, "%s:\n", what);
  for (const std::string& line : got) std::fprintf(stderr, "  %s\n", line.c_str());
}

int main() {
  testing::Harness<Line> harness;
  auto counts = harness.output(CountWords(harness.input()));
  harness.push({"to be or not to be", 1'000});
  Expect("before the window's end", counts.values(), {});
  harness.push({"late", 61'000});
  Expect("after the window's end", counts.values(), {"0 be 2", "0 not 1", "0 or 1", "0 to 2"});

  collect::Results<std::string> results;
  const absl::Status end = testing::RunJob(
      [&](Environment& env, const Args&) {
        const collection::Source<Line> lines{.records = {{"to be", 1'000}, {"be", 2'000}}};
        CountWords(env.source("lines", lines)).sink("out", collect::Sink<std::string>{results});
      },
      {.parallelism = 2});
  if (!end.ok()) std::fprintf(stderr, "%s\n", end.ToString().c_str());
  Expect("the whole job", results.values(), {"0 be 2", "0 to 1"});
  return failed == 0 && end.ok() ? 0 : 1;
}
