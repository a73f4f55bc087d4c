// A source as fast as it goes in front of an operator that needs --micros for each record of a thousand bytes: user
// code that is slow, so that all that can be under way is.
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

using namespace penstock;

PENSTOCK_JOB("system-slow", (Environment & env, const Args& args)) {
  const std::chrono::microseconds pace(args.get_int("micros", 10'000));
  env.source("parcels", datagen::Source<std::string>{.generate = [](uint64_t) { return std::string(1000, 'p'); }})
      .rebalance()
      .map([pace](const std::string& parcel) {
        std::this_thread::sleep_for(pace);
        return std::string(parcel, 0, 1);
      })
      .name("customs")
      .sink("cleared", file::Sink{.path = args["out"]});
}
