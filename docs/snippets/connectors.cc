// The code of docs/connectors.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collect.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/kafka.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <chrono>
#include <optional>
#include <string>

using namespace penstock;
using namespace std::chrono_literals;

struct Order {
  std::string id;
  int64_t cents = 0;
};

void KafkaSource(Environment& env, const Args& args) {
  env.source("events", kafka::Source{.brokers = args["brokers"],
                                     .topics = {"events-raw"},
                                     .start = kafka::StartFrom::timestamp(1'700'000'000'000),
                                     .discovery_interval = 10s,
                                     .properties = {{"fetch.wait.max.ms", "20"}, {"check.crcs", "true"}}})
      .filter([](const Bytes& value) { return !value.empty(); })
      .sink("nowhere", discard::Sink{});
}

void KafkaRecords(Environment& env, const Args& args) {
  env.source("records", kafka::RecordSource{.brokers = args["brokers"], .topic_pattern = "orders-.*", .bounded = true})
      .flat_map([](const kafka::Record& record) -> std::optional<std::string> {
        if (!record.value) return std::nullopt;  // a tombstone
        const std::string origin = record.headers.last("origin").value_or(Bytes("?", 1)).str();
        return fmt::format("{}-{}@{} from {}", record.topic, record.partition, record.offset, origin);
      })
      .sink("out", print::Sink{});
}

void KafkaSink(DataStream<std::string>& lines, DataStream<Order>& orders, const Args& args) {
  lines.sink("lines", kafka::Sink{.brokers = args["brokers"],
                                  .topic = "results",
                                  .properties = {{"compression.type", "lz4"}, {"linger.ms", "20"}}});
  orders.sink("orders", kafka::SinkOf<Order>{.sink = {.brokers = args["brokers"], .topic = "orders"},
                                             .key = [](const Order& order) { return order.id; },
                                             .value = [](const Order& order) { return std::to_string(order.cents); }});
}

void Generated(Environment& env) {
  env.source(
         "orders",
         datagen::Source<Order>{.generate =
                                    [](uint64_t index, datagen::Random& random) {
                                      return Order{std::to_string(index), static_cast<int64_t>(random.Below(10'000))};
                                    },
                                .count = 1'000'000,
                                .rate = 5'000,
                                .seed = 7})
      .sink("nowhere", discard::Sink{});
}

void Files(Environment& env) {
  env.source("lines", file::Source{.path = "/data/in"})
      .map([](const Bytes& line) { return line.str(); })
      .sink("copy", file::Sink{.path = "/data/out"});
}

void InTests(Environment& env, const collect::Results<int>& results) {
  env.source("numbers", collection::Source<int>{.records = {1, 2, 3}})
      .map([](const int& number) { return number * 2; })
      .sink("out", collect::Sink<int>{results});
}
