// A job with state and a known output: the numbers 0 to --count - 1 at --rate a second, counted by key; one line
// "<key> <its count so far>" each under --out. So every line comes once, whatever happens: a count that was lost or
// taken twice makes a wrong set of lines. --delivery exactly-once writes files that appear whole. --state text keeps
// the counts as text, --uid gives the operator another name: what a changed program does to old state.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <cstdint>
#include <string>

using namespace penstock;

namespace {

std::string LineOf(int64_t key, int64_t count) { return fmt::format("{} {}", key, count); }

struct CountAsNumber {
  ValueState<int64_t> count{"count"};

  void operator()(const int64_t&, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    out.emit(LineOf(context.key(), ++count.mutable_value()));
  }
};

struct CountAsText {
  ValueState<std::string> count{"count"};

  void operator()(const int64_t&, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    const std::string before = count.value_or("0");
    count.set(std::to_string(std::stoll(before) + 1));
    out.emit(LineOf(context.key(), std::stoll(before) + 1));
  }
};

}  // namespace

PENSTOCK_JOB("system-counting", (Environment & env, const Args& args)) {
  const int64_t keys = args.get_int("keys", 100);
  auto numbers =
      env.source("numbers",
                 datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                          .count = static_cast<uint64_t>(args.get_int("count", 10'000)),
                                          .rate = static_cast<double>(args.get_int("rate", 2000))})
          .key_by([keys](const int64_t& number) { return number % keys; });
  const std::string uid = args.get("uid", "counts");
  auto lines = args.get("state", "number") == "text" ? numbers.process<std::string>(uid, CountAsText{})
                                                     : numbers.process<std::string>(uid, CountAsNumber{});
  const bool exactly_once = args.get("delivery", "at-least-once") == "exactly-once";
  lines.sink("lines", file::Sink{.path = args["out"],
                                 .delivery = exactly_once ? Delivery::exactly_once : Delivery::at_least_once});
}
