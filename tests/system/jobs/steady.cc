// A bounded job with a known output: the numbers 0 to --count - 1, each once, as lines under --out, at --rate a second.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <cstdint>
#include <string>

using namespace penstock;

PENSTOCK_JOB("system-steady", (Environment & env, const Args& args)) {
  env.source("numbers", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                                 .count = static_cast<uint64_t>(args.get_int("count", 10'000)),
                                                 .rate = static_cast<double>(args.get_int("rate", 2000))})
      .rebalance()
      .map([](const int64_t& number) { return fmt::format("{}", number); })
      .name("to text")
      .sink("lines", file::Sink{.path = args["out"]});
}
