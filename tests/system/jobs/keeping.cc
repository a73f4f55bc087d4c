// A job with state of every kind that belongs to no key, and a known output: the numbers 0 to --count - 1 at --rate a
// second, each once under --out as "<number> <what its rule says>". Numbers wait in a list for a second one, so that
// pairs go on together; then for the broadcast rule of their last digit.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace penstock;

namespace {

struct InPairs {
  SplitListState<int64_t> waiting{"waiting"};
  UnionListState<int64_t> seen{"seen"};

  void open(Context& context) {
    int64_t sum = 0;
    for (const int64_t part : seen.values()) sum += part;
    seen.set({context.subtask() == 0 ? sum : 0});
    context.gauge("restored", [sum] { return static_cast<double>(sum); });
  }
  void operator()(const int64_t& number, Collector<int64_t>& out) {
    ++seen.mutable_values().front();
    waiting.add(number);
    std::vector<int64_t>& values = waiting.mutable_values();
    for (; values.size() >= 2; values.erase(values.begin(), values.begin() + 2)) {
      out.emit(values[0]);
      out.emit(values[1]);
    }
  }
};

struct Judge {
  BroadcastState<int64_t, std::string> rules{"rules"};
  ListState<int64_t> waiting{"waiting"};

  void process(const int64_t& number, KeyedContext<int64_t>&, Collector<std::string>& out) {
    const std::string* const rule = rules.find(number % 10);
    if (rule == nullptr) return waiting.add(number);
    out.emit(fmt::format("{} {}", number, *rule));
  }
  void process_broadcast(const int64_t& digit, KeyedBroadcastContext<int64_t>& context, Collector<std::string>& out) {
    const std::string rule = fmt::format("digit-{}", digit);
    rules.put(context, digit, rule);
    context.for_each_key([&](const int64_t&) {
      std::vector<int64_t> still;
      for (const int64_t number : waiting.values()) {
        if (number % 10 == digit) {
          out.emit(fmt::format("{} {}", number, rule));
        } else {
          still.push_back(number);
        }
      }
      waiting.set(std::move(still));
    });
  }
};

int64_t Number(uint64_t index) { return static_cast<int64_t>(index); }

}  // namespace

PENSTOCK_JOB("system-keeping", (Environment & env, const Args& args)) {
  auto rules = env.source("rules", datagen::Source<int64_t>{.generate = Number, .count = 10, .rate = 10});
  env.source("numbers", datagen::Source<int64_t>{.generate = Number,
                                                 .count = static_cast<uint64_t>(args.get_int("count", 10'000)),
                                                 .rate = static_cast<double>(args.get_int("rate", 2000))})
      .flat_map<int64_t>(InPairs{})
      .uid("pairs")
      .key_by([](const int64_t& number) { return number % 100; })
      .connect(rules.without_time().broadcast())
      .process<std::string>("judge", Judge{})
      .sink("lines", file::Sink{.path = args["out"]});
}
