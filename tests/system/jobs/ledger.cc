// A bounded job with keyed state and a known output: of each number n from 0 to --count - 1 a line "n sum", where sum
// is that of all numbers up to n of n's account (n modulo 7).
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <cstdint>
#include <string>

using namespace penstock;

namespace {

struct Book {
  ValueState<int64_t> sum{"sum"};

  void operator()(const int64_t& number, KeyedContext<int64_t>&, Collector<std::string>& out) {
    const int64_t total = sum.value_or(0) + number;
    sum.set(total);
    out.emit(fmt::format("{} {}", number, total));
  }
};

}  // namespace

PENSTOCK_JOB("system-ledger", (Environment & env, const Args& args)) {
  env.source("numbers", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                                 .count = static_cast<uint64_t>(args.get_int("count", 10'000)),
                                                 .rate = static_cast<double>(args.get_int("rate", 2000))})
      .key_by([](const int64_t& number) { return number % 7; })
      .process<std::string>("book", Book{})
      .sink("lines", file::Sink{.path = args["out"]});
}
