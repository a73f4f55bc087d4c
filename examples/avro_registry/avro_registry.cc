// Turnover per customer in one-minute windows: Avro in, Avro out, schemas in a registry.
//
//   avro_registry --brokers localhost:9092 --registry http://localhost:8081 [--input orders] [--output turnover]
//                 [--dead-letters orders-dead] [--bounded]
//
// Reads whatever version of the input's schema a record was written by. Registers its own schema for the output, and is
// refused where it is submitted when the registry does not take that, or holds an input that cannot be read as an
// Order.
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>
#include <penstock/schema_registry.h>

#include <optional>
#include <string>

using namespace penstock;

namespace {

// Of the writers' record these fields matter, by their names; `currency` came with version 2.
struct Order {
  std::string customer;
  int64_t cents = 0;
  int64_t time_ms = 0;
  std::optional<std::string> currency;
};

struct Turnover {
  std::string customer;
  int64_t minute_ms = 0;
  int64_t cents = 0;
  int64_t orders = 0;
};

struct Sum {
  struct Accumulator {
    int64_t cents = 0;
    int64_t orders = 0;
  };
  void add(Accumulator& so_far, const Order& order) const {
    so_far.cents += order.cents;
    ++so_far.orders;
  }
  Accumulator result(const Accumulator& so_far) const { return so_far; }
};

Turnover RowOf(const WindowResult<std::string, Sum::Accumulator>& result) {
  return {result.key, result.start, result.value.cents, result.value.orders};
}

}  // namespace

PENSTOCK_JOB("avro-registry", (Environment & env, const Args& args)) {
  const std::string input = args.get("input", "orders"), output = args.get("output", "turnover");
  const schema_registry::Registry registry = {.url = args["registry"]};
  auto orders =
      env.source("orders", kafka::Source{.brokers = args["brokers"], .topics = {input}, .bounded = args.has("bounded")})
          .flat_map(schema_registry::parse_avro<Order>({.registry = registry, .subject = input + "-value"}))
          .on_error(side_output)
          .name("parse");
  orders.malformed()
      .map(kafka::dead_letter<Malformed>)
      .sink("dead letters", kafka::Sink{.brokers = args["brokers"], .topic = args.get("dead-letters", "orders-dead")});
  // Defaults for all fields: members may come and go, and both sides still read each other.
  const schema_registry::WriteOptions written = {
      .registry = registry, .subject = output + "-value", .derived = {.name_space = "shop", .default_fields = true}};
  orders.filter([](const Order& order) { return order.currency.value_or("EUR") == "EUR"; })
      .watermarks(bounded_disorder<Order>(5s, &Order::time_ms).idle_after(30s))
      .key_by(&Order::customer)
      .window(tumbling(1min))
      .aggregate("turnover", Sum{})
      .map(RowOf)
      .flat_map(schema_registry::write_avro<Turnover>(written))
      .on_error(fail)
      .sink("out", kafka::Sink{.brokers = args["brokers"], .topic = output});
}
