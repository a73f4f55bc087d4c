// A job that shows every record that is lost, doubled or reordered: for each key it counts and chains what it has seen,
// and writes "key,count,chain" for each record "key,sequence". The right lines can be worked out from the input alone.
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
};

std::optional<Numbered> parse(const Bytes& value) {
  const std::string text = value.str();
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return std::nullopt;
  return Numbered{text.substr(0, comma), std::stoull(text.substr(comma + 1))};
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

}  // namespace

PENSTOCK_JOB("system-oracle", (Environment & env, const Args& args)) {
  kafka::Properties properties;
  if (args.has("transaction-timeout-ms")) properties["transaction.timeout.ms"] = args["transaction-timeout-ms"];
  env.source("records", kafka::Source{.brokers = args["brokers"],
                                      .topics = {args["input"]},
                                      .bounded = args.has("bounded"),
                                      .discovery_interval = std::chrono::milliseconds(500)})
      .flat_map(parse)
      .key_by(&Numbered::key)
      .process<kafka::ProducerRecord>("chain", Chain{})
      .sink("out", kafka::Sink{.brokers = args["brokers"],
                               .topic = args["output"],
                               .delivery = Delivery::exactly_once,
                               .properties = std::move(properties)});
}
