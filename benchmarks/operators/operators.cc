// One operator between a generator and a sink that drops everything, to see what the operator costs.
//
//   operators_bench -p 1 --operator none|sliding|cep [--slides 10] [--events 5000000] [--keys 10000]
#include <penstock/cep.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/job.h>
#include <penstock/windows.h>

#include <chrono>
#include <stdexcept>
#include <string>

using namespace penstock;
using namespace std::chrono_literals;

namespace {

constexpr int64_t kEventsPerSecond = 100'000;  // of event time
constexpr auto kSlide = 1s;

struct Tick {
  int64_t key = 0;
  int64_t time_ms = 0;
  int64_t value = 0;  // 0 to 999
};

struct Sum {
  using Accumulator = int64_t;
  void add(Accumulator& sum, const Tick& tick) const { sum += tick.value; }
  void merge(Accumulator& into, const Accumulator& from) const { into += from; }
  int64_t result(const Accumulator& sum) const { return sum; }
};

}  // namespace

PENSTOCK_JOB("operators-bench", (Environment & env, const Args& args)) {
  const auto keys = static_cast<uint64_t>(args.get_int("keys", 10'000));
  const std::string which = args.get("operator", "none");
  auto ticks =
      env.source("ticks", datagen::Source<Tick>{.generate =
                                                    [keys](uint64_t index, datagen::Random& random) {
                                                      const auto i = static_cast<int64_t>(index);
                                                      return Tick{static_cast<int64_t>(random.Below(keys)),
                                                                  i * 1000 / kEventsPerSecond,
                                                                  static_cast<int64_t>(random.Below(1000))};
                                                    },
                                                .count = static_cast<uint64_t>(args.get_int("events", 5'000'000))})
          .watermarks(bounded_disorder<Tick>(1s, &Tick::time_ms));
  if (which == "none") {
    ticks.key_by(&Tick::key)
        .process<Tick>("pass", [](const Tick& tick, KeyedContext<int64_t>&, Collector<Tick>& out) { out.emit(tick); })
        .sink("rows", discard::Sink{});
  } else if (which == "sliding") {
    ticks.key_by(&Tick::key)
        .window(sliding(args.get_int("slides", 10) * kSlide, kSlide))
        .aggregate("sums", Sum{})
        .sink("rows", discard::Sink{});
  } else if (which == "cep") {
    const auto rise = Pattern<Tick>::begin("low", [](const Tick& tick) {
                        return tick.value < 100;
                      }).followed_by("high", [](const Tick& tick) {
                          return tick.value >= 900;
                        }).within(10s);
    ticks.key_by(&Tick::key)
        .match(rise)
        .select<Tick>("rises", [](const Match<Tick>& match) { return match.first("high"); })
        .sink("rows", discard::Sink{});
  } else {
    throw std::invalid_argument("--operator " + which + " is none of none, sliding, cep");
  }
}
