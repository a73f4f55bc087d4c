// Keyed state that must survive: of the numbers 0 to --count - 1, each a record of key number % --keys, the lines
// "number count" under --out, where count is how many of its key have come. The count of a number is known: number /
// keys + 1, as long as the numbers of a key come in order (keys is a multiple of the parallelism). --pad makes state
// larger, by so many bytes a key.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <cstdint>
#include <string>

using namespace penstock;

struct CountByKey {
  ValueState<int64_t> count{"count"};
  ValueState<std::string> padding{"padding"};
  int64_t pad = 0;

  void operator()(const int64_t& number, KeyedContext<int64_t>&, Collector<std::string>& out) {
    const int64_t so_far = ++count.mutable_value();
    // Not the same bytes for each key and count: compression should not make it small again.
    if (pad > 0) {
      std::string bytes;
      uint64_t state = static_cast<uint64_t>(number) * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(so_far);
      while (static_cast<int64_t>(bytes.size()) < pad) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        bytes += fmt::format("{:016x}", state);
      }
      padding.set(bytes);
    }
    out.emit(fmt::format("{} {}", number, so_far));
  }
};

PENSTOCK_JOB("system-counted", (Environment & env, const Args& args)) {
  const int64_t keys = args.get_int("keys", 1000);
  env.source("numbers", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                                 .count = static_cast<uint64_t>(args.get_int("count", 10'000)),
                                                 .rate = static_cast<double>(args.get_int("rate", 2000))})
      .key_by([keys](const int64_t& number) { return number % keys; })
      .process<std::string>("counts", CountByKey{.pad = args.get_int("pad", 0)})
      .sink("lines", file::Sink{.path = args["out"]});
}
