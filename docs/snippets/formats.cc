// The code of docs/formats.md, compiled. docs/snippets/check.py compares the two.
#include <penstock/connectors/file.h>
#include <penstock/connectors/kafka.h>
#include <penstock/connectors/print.h>
#include <penstock/formats/avro.h>
#include <penstock/formats/csv.h>
#include <penstock/formats/framing.h>
#include <penstock/formats/json.h>
#include <penstock/formats/protobuf.h>
#include <penstock/formats/raw.h>
#include <penstock/job.h>
#include <penstock/schema_registry.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace penstock;

enum class Side { buy, sell };

struct Item {
  std::string sku;
  int32_t count = 0;
};

struct Order {
  std::string id;
  int64_t cents = 0;
  Side side = Side::buy;
  std::optional<std::string> note;
  std::vector<Item> items;
  std::map<std::string, double> prices;
};

struct Trade {
  std::string id;
  double price = 0;
  std::optional<std::string> note;
};

void Json(DataStream<Bytes> events, const Args& args) {
  auto orders = events.flat_map(json::parse<Order>());
  orders.map(json::write<Order>()).sink("copy", kafka::Sink{.brokers = args["brokers"], .topic = "copy"});
}

void DeadLetters(Environment& env, const Args& args) {
  auto orders = env.source("orders", kafka::Source{.brokers = args["brokers"], .topics = {"orders"}})
                    .flat_map(json::parse<Order>())
                    .on_error(side_output);
  orders.malformed()
      .map(kafka::dead_letter<Malformed>)
      .sink("dead letters", kafka::Sink{.brokers = args["brokers"], .topic = "orders-dead"});
  orders.sink("out", kafka::SinkOf<Order>{.sink = {.brokers = args["brokers"], .topic = "good"},
                                          .key = [](const Order& order) { return order.id; },
                                          .value = json::to_json<Order>});
}

void Csv(Environment& env) {
  env.source("trades", file::Source{.path = "/data/trades", .framing = framing::Framing::kCsv})
      .flat_map(csv::parse<Trade>({.delimiter = ';', .columns = {"price", "id", "venue"}, .skip_header = true}))
      .map(csv::write<Trade>())
      .sink("copy", file::Sink{.path = "/data/copy", .framing = framing::Framing::kCsv});
}

void Avro(DataStream<Bytes>& events) {
  constexpr char kWriter[] = R"({"type": "record", "name": "Sale", "fields": [
      {"name": "id", "type": "string"}, {"name": "price", "type": "float"}]})";
  events.flat_map(avro::parse<Trade>({.writer_schema = kWriter})).sink("trades", print::Sink{});
  events.flat_map(avro::parse_generic({.writer_schema = kWriter}))
      .map([](const avro::Value& sale) { return *sale.field("id")->get_if<std::string>(); })
      .sink("ids", print::Sink{});
}

void Registered(Environment& env, const Args& args) {
  const schema_registry::Registry registry = {
      .url = args["registry"], .user = args.get("user", ""), .password = args.get("password", "")};
  env.source("orders", kafka::Source{.brokers = args["brokers"], .topics = {"orders"}})
      .flat_map(schema_registry::parse_avro<Order>({.registry = registry, .subject = "orders-value"}))
      .filter([](const Order& order) { return order.cents > 100'000; })
      .flat_map(schema_registry::write_avro<Order>({.registry = registry, .subject = "large-orders-value"}))
      .sink("large orders", kafka::Sink{.brokers = args["brokers"], .topic = "large-orders"});
}

std::ostream& operator<<(std::ostream& out, const Trade& trade) { return out << trade.id; }

// What a source of one's own does with a buffer of a file.
size_t Frames(std::string_view buffer, bool at_end, const std::function<void(std::string_view)>& handle) {
  size_t done = 0;
  while (true) {
    const auto frame = framing::FirstFrame(framing::Framing::kLengthPrefixed, buffer.substr(done), at_end);
    if (!frame.ok() || !frame->has_value()) return done;
    handle((*frame)->payload);
    done += (*frame)->size_bytes;
  }
}
