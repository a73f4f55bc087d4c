// The code of docs/connectors.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collect.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/kafka.h>
#include <penstock/connectors/kafka_upsert.h>
#include <penstock/connectors/postgres.h>
#include <penstock/connectors/print.h>
#include <penstock/connectors/redis.h>
#include <penstock/connectors/tcp.h>
#include <penstock/connectors/webhook.h>
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

struct Total {
  std::string customer;
  int64_t cents = 0;
  int64_t time_ms = 0;
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

void KafkaUpserts(Environment& env, DataStream<Total>& totals, const Args& args) {
  totals.sink("totals", kafka::UpsertSink<Total>{.sink = {.brokers = args["brokers"], .topic = "totals"},
                                                 .key = [](const Total& total) { return total.customer; },
                                                 .value = [](const Total& total) -> std::optional<std::string> {
                                                   if (total.cents == 0)
                                                     return std::nullopt;  // the customer's row is to go
                                                   return std::to_string(total.cents);
                                                 }});
  env.source("table", kafka::UpsertSource{.source = {.brokers = args["brokers"], .topics = {"totals"}}})
      .map([](const kafka::Upsert& change) {
        return change.key.str() + (change.value ? "=" + change.value->str() : " gone");
      })
      .sink("changes", print::Sink{});
}

void Webhook(DataStream<Order>& orders) {
  orders.sink("hook", webhook::SinkOf<Order>{.sink = {.url = "https://orders.example/in",
                                                      .headers = {{"X-Tenant", "shop"}},
                                                      .bearer_token = "${file:/run/secrets/orders-token}",
                                                      .batching = {.records_max = 200}},
                                             .body = [](const Order& order) {
                                               return fmt::format(R"({{"id": "{}", "cents": {}}})", order.id,
                                                                  order.cents);
                                             }});
}

void Postgres(DataStream<Total>& totals) {
  totals.sink("rows",
              postgres::Sink<Total>{
                  .connection = "host=db dbname=shop user=job password=${env:DB_PASSWORD}",
                  .table = "totals",
                  .columns = {{"customer", &Total::customer},
                              {"cents", &Total::cents},
                              {"seen", [](const Total& total) { return postgres::TimestampText(total.time_ms); }}},
                  .key = {"customer"},
                  .deletes = [](const Total& total) { return total.cents == 0; }});
}

void Redis(DataStream<Total>& totals) {
  totals.sink("cache", redis::Sink<Total>{
                           .host = "cache", .password = "${env:REDIS_PASSWORD}", .command = [](const Total& total) {
                             return redis::Set("total:" + total.customer, total.cents, 24h);
                           }});
}

void Tcp(Environment& env) {
  env.source("feed", tcp::Source{.addresses = {"sensor-1:7000", "sensor-2:7000"}})
      .map([](const Bytes& line) { return line.str(); })
      .sink("out", print::Sink{});
}

void WatchedFiles(Environment& env) {
  env.source("drops", file::Source{.path = "/data/drop",
                                   .framing = framing::Framing::kCsv,
                                   .header_records = 1,
                                   .name_pattern = "*.csv",
                                   .watch_interval = 5s})
      .map([](const Bytes& record) { return record.str(); })
      .sink("rows", file::Sink{.path = "/data/rows", .framing = framing::Framing::kCsv});
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
