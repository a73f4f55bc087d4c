// A job with state of every kind, whose output at the end depends on all of it and on nothing else: what a savepoint of
// an old format must bring back. Numbers 0 to --count - 1 at --rate a second, number n at n milliseconds of event time;
// lines under --out come only when the input ends, and from the windows.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace penstock;
using namespace std::chrono_literals;

namespace {

constexpr int64_t kKeys = 20;
constexpr TimestampMs kEndMs = 1'000'000'000;  // later than any number

struct Sum {
  struct Accumulator {
    int64_t sum = 0;
    int64_t count = 0;
  };
  void add(Accumulator& so_far, const int64_t& number) const {
    so_far.sum += number;
    ++so_far.count;
  }
  std::string result(const Accumulator& so_far) const { return fmt::format("{}/{}", so_far.sum, so_far.count); }
};

// Holds back every third number until two more have come, in a list that belongs to no key.
struct InThrees {
  SplitListState<int64_t> waiting{"waiting"};
  UnionListState<int64_t> passed{"passed"};

  void open(Context& context) {
    int64_t sum = 0;
    for (const int64_t part : passed.values()) sum += part;
    passed.set({context.subtask() == 0 ? sum : 0});
  }
  void operator()(const int64_t& number, Collector<int64_t>& out) {
    ++passed.mutable_values().front();
    waiting.add(number);
    if (waiting.values().size() < 3) return;
    for (const int64_t each : waiting.values()) out.emit(each);
    waiting.clear();
  }
};

struct Everything {
  ValueState<int64_t> count{"count"};
  ValueState<std::string> text{"text", Ttl{.duration = 24h * 10'000}};
  ListState<int64_t> newest{"newest"};
  MapState<std::string, int64_t> by_digit{"by-digit"};
  ReducingState<int64_t> largest{"largest", [](int64_t a, int64_t b) { return std::max(a, b); }};
  AggregatingState<Sum> sum{"sum"};
  BroadcastState<int64_t, std::string> rules{"rules"};

  void process(const int64_t& number, KeyedContext<int64_t>& context, Collector<std::string>&) {
    ++count.mutable_value();
    text.set(fmt::format("key {} has {}", context.key(), count.value_or(0)));
    newest.add(number);
    if (newest.values().size() > 3) newest.set({number});
    const std::string digit = fmt::format("d{}", number / kKeys % 10);
    by_digit.put(digit, by_digit.get(digit).value_or(0) + 1);
    largest.add(number);
    sum.add(number);
    context.register_event_time_timer(kEndMs);
  }
  void process_broadcast(const int64_t& rule, KeyedBroadcastContext<int64_t>& context, Collector<std::string>&) {
    rules.put(context, rule, fmt::format("rule-{}", rule * rule));
  }
  void on_timer(TimestampMs, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    std::vector<int64_t> digits;
    for (int i = 0; i < 10; ++i) digits.push_back(by_digit.get(fmt::format("d{}", i)).value_or(0));
    const std::string* const rule = rules.find(context.key() % 5);
    out.emit(fmt::format("{}: count {}, text '{}', newest {}, digits {}, largest {}, sum {}, {}", context.key(),
                         count.value_or(0), text.value_or(""), newest.values().size(), fmt::join(digits, " "),
                         largest.get().value_or(-1), sum.get().value_or(""), rule == nullptr ? "no rule" : *rule));
  }
};

int64_t Number(uint64_t index) { return static_cast<int64_t>(index); }

}  // namespace

PENSTOCK_JOB("system-golden", (Environment & env, const Args& args)) {
  auto rules = env.source("rules", datagen::Source<int64_t>{.generate = Number, .count = 5});
  auto numbers =
      env.source("numbers", datagen::Source<int64_t>{.generate = Number,
                                                     .count = static_cast<uint64_t>(args.get_int("count", 6000)),
                                                     .rate = static_cast<double>(args.get_int("rate", 2000))})
          .watermarks(bounded_disorder<int64_t>(5s, [](const int64_t& number) { return number; }));
  const file::Sink lines{.path = args["out"], .delivery = Delivery::exactly_once};
  numbers.key_by([](const int64_t& number) { return number % kKeys; })
      .window(tumbling(1min))
      .aggregate("windows", Sum{})
      .map([](const auto& window) { return fmt::format("window {} {} {}", window.key, window.start, window.value); })
      .sink("window lines", lines)
      .uid("window-lines");
  numbers.flat_map<int64_t>(InThrees{})
      .uid("threes")
      .parallelism(1)
      .key_by([](const int64_t& number) { return number % kKeys; })
      .connect(rules.without_time().broadcast())
      .process<std::string>("everything", Everything{})
      .sink("lines", lines)
      .uid("lines");
}
