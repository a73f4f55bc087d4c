// A job that shows every record that is lost, doubled or reordered: for each key it counts and chains what it has seen,
// and writes "key,count,chain" for each record "key,sequence,event". The right lines can be worked out from the input
// alone. With --alerts each key's events also drive an automaton: one that its state does not know makes a line there.
#include <fmt/format.h>
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

using namespace penstock;

namespace {

struct Numbered {
  std::string key;
  uint64_t sequence = 0;
  std::string event;  // a letter, or empty
};

std::optional<Numbered> parse(const Bytes& value) {
  const std::string text = value.str();
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return std::nullopt;
  const size_t second = text.find(',', comma + 1);
  return Numbered{text.substr(0, comma), std::stoull(text.substr(comma + 1)),
                  second == std::string::npos ? "" : text.substr(second + 1)};
}

// The chain depends on every number and on their order; modulo a prime, so that any language can follow it.
struct Chain {
  ValueState<uint64_t> count{"count"};
  ValueState<uint64_t> chain{"chain"};

  void operator()(const Numbered& record, KeyedContext<std::string>& context, Collector<kafka::ProducerRecord>& out) {
    ++count.mutable_value();
    chain.mutable_value() = (chain.mutable_value() * 31 + record.sequence + 1) % 1'000'000'007;
    out.emit({.key = context.key(),
              .value = fmt::format("{},{},{}", context.key(), count.mutable_value(), chain.mutable_value())});
  }
};

// Each state knows two events, which no other state knows, and neither leads back to it: so a single event that is
// lost, doubled or out of order is seen at the next one.
struct Automaton {
  ValueState<uint64_t> state{"state"};

  void operator()(const Numbered& record, KeyedContext<std::string>& context, Collector<kafka::ProducerRecord>& out) {
    static constexpr uint64_t kNext[] = {1, 2, 0, 3, 3, 0, 1, 2};  // of the events a to h; state i knows 2i and 2i + 1
    if (record.event.empty()) return;
    const auto event = static_cast<uint64_t>(record.event[0] - 'a');
    if (event / 2 != state.value_or(0)) {
      out.emit({.key = context.key(),
                .value = fmt::format("{} in state {}: event {} of number {}", context.key(), state.value_or(0),
                                     record.event, record.sequence)});
    }
    state.set(kNext[event % 8]);
  }
};

}  // namespace

PENSTOCK_JOB("system-oracle", (Environment & env, const Args& args)) {
  kafka::Properties properties;
  if (args.has("transaction-timeout-ms")) properties["transaction.timeout.ms"] = args["transaction-timeout-ms"];
  const auto sink_to = [&](const std::string& topic) {
    return kafka::Sink{
        .brokers = args["brokers"], .topic = topic, .delivery = Delivery::exactly_once, .properties = properties};
  };
  auto numbers = env.source("records", kafka::Source{.brokers = args["brokers"],
                                                     .topics = {args["input"]},
                                                     .start = args.has("group") ? kafka::StartFrom::group()
                                                                                : kafka::StartFrom::earliest(),
                                                     .bounded = args.has("bounded"),
                                                     .group_id = args.get("group", ""),
                                                     .discovery_interval = std::chrono::milliseconds(500)})
                     .flat_map(parse);
  numbers.key_by(&Numbered::key).process<kafka::ProducerRecord>("chain", Chain{}).sink("out", sink_to(args["output"]));
  if (!args.has("alerts")) return;
  numbers.key_by(&Numbered::key)
      .process<kafka::ProducerRecord>("automaton", Automaton{})
      .sink("alerts", sink_to(args["alerts"]));
}
