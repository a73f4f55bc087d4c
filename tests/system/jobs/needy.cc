// A job that needs a shared library of its own.
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/job.h>

#include <cstdint>

using namespace penstock;

int64_t Discounted(int64_t cents);  // in needy_library.cc

PENSTOCK_JOB("system-needy", (Environment & env, const Args&)) {
  env.source("prices", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                                .count = 1000})
      .map([](const int64_t& cents) { return Discounted(cents); })
      .sink("out", discard::Sink{});
}
