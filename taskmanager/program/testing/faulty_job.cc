// A real job whose user code goes wrong as it is told: --mode finish | throw | segv | overflow | run, --at N.
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/job.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace penstock;

namespace {

__attribute__((noinline)) int64_t RecurseForever(int64_t depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return RecurseForever(depth + 1) + room[0];
}

__attribute__((noinline, no_sanitize("undefined"))) int64_t GoWrong(const std::string& mode) {
  if (mode == "throw") throw std::out_of_range("no such customer");
  if (mode == "segv") *static_cast<volatile int*>(nullptr) = 1;
  if (mode == "overflow") return RecurseForever(0);
  return 0;
}

}  // namespace

PENSTOCK_JOB("faulty", (Environment & env, const Args& args)) {
  const std::string mode = args.get("mode", "finish");
  const uint64_t at = std::strtoull(args.get("at", "1000").c_str(), nullptr, 10);
  datagen::Source<int64_t> numbers{.generate = [](uint64_t index) { return static_cast<int64_t>(index); }};
  if (mode == "run") {
    numbers.rate = 1000;
  } else {
    numbers.count = 100'000;
  }
  env.source("numbers", numbers)
      .map([mode, at](const int64_t& number) {
        return static_cast<uint64_t>(number) == at ? number + GoWrong(mode) : number;
      })
      .name("look up")
      .rebalance()
      .map([](const int64_t& number) { return number + 1; })
      .sink("out", discard::Sink{});
}
