// What formats read: JSON, CSV, Avro's schemas and data, framing, and what a schema registry puts before a record.
#include <penstock/formats/avro.h>
#include <penstock/formats/csv.h>
#include <penstock/formats/framing.h>
#include <penstock/formats/json.h>

#include "connectors/schema_registry/wire_format.h"
#include "tests/fuzz/target.h"

namespace penstock::fuzz {
namespace {

enum class Side { buy, sell };

struct Line {
  std::string sku;
  uint16_t count = 0;
};

struct Order {
  std::string id;
  int64_t cents = 0;
  float weight = 0;
  Side side = Side::buy;
  std::optional<std::string> note;
  std::vector<Line> lines;
  std::map<std::string, double> prices;
};

struct Row {
  std::string id;
  int32_t cents = 0;
  std::optional<double> weight;
  Side side = Side::buy;
};

Order SampleOrder() { return {"a", -1, 1.5f, Side::sell, "n\n", {{"x", 1}, {"y", 2}}, {{"eur", 0.5}}}; }

// What is read is written, and then reads the same.
template <class Parser, class Writer>
void RunBothWays(Parser& parser, const Writer& writer, std::string_view bytes) {
  const auto value = parser(bytes);
  if (!value.ok()) return;
  const std::string written = writer(*value);
  const auto again = parser(written);
  if (!again.ok() || writer(*again) != written) __builtin_trap();
}

void RunJson(std::string_view bytes) {
  static auto parser = json::parse<Order>();
  static auto strict = json::parse<Order>({.refuse_unknown_fields = true, .default_missing_fields = true});
  (void)strict(bytes);
  RunBothWays(parser, json::to_json<Order>, bytes);
}

void RunCsv(std::string_view bytes) {
  static auto parser = csv::parse<Row>();
  static const auto writer = csv::write<Row>();
  RunBothWays(
      parser, [](const std::optional<Row>& row) { return writer(*row); }, bytes);
}

void RunAvro(std::string_view bytes) {
  static const auto parser = avro::parse<Order>();
  static const auto generic = avro::parse_generic({.writer_schema = avro::schema_of<Order>()});
  const auto value = generic(bytes);
  // The struct is narrower than its schema, never wider.
  if (parser(bytes).ok() && !value.ok()) __builtin_trap();
  if (value.ok()) (void)avro::to_json(*value);
}

// The first line is a writer's schema, the second a reader's, the rest data.
void RunAvroSchemas(std::string_view bytes) {
  const size_t first = bytes.find('\n'), second = bytes.find('\n', first + 1);
  if (second == std::string_view::npos) return;
  const auto writer = avro::Schema::Parse(bytes.substr(0, first));
  const auto reader = avro::Schema::Parse(bytes.substr(first + 1, second - first - 1));
  if (!writer.ok() || !reader.ok()) return;
  (void)avro::Incompatibilities(*writer, *reader);
  const auto decoder = avro::Decoder::Make(*writer, *reader, nullptr);
  avro::Value value;
  if (!decoder.ok() || !(*decoder)->Read(bytes.substr(second + 1), &value).ok()) return;
  // What can be written by the reader's schema can be read again. (Records of one name in two namespaces are not told
  // apart in a union.)
  std::string written;
  if (!(*avro::Encoder::Make(*reader, nullptr))->Write(&value, written).ok()) return;
  avro::Value again;
  if (!(*avro::Decoder::Make(*reader, *reader, nullptr))->Read(written, &again).ok()) __builtin_trap();
}

void RunAvroValue(std::string_view bytes) {
  ByteReader in(bytes);
  avro::Value value;
  if (!Serde<avro::Value>::Read(in, value)) return;
  ByteWriter out;
  Serde<avro::Value>::Write(value, out);
  ByteReader again_in(out.view());
  avro::Value again;
  if (!Serde<avro::Value>::Read(again_in, again)) __builtin_trap();
}

void RunSchemaHeader(std::string_view bytes) {
  auto header = schema_registry::ReadHeader(bytes);
  if (!header.ok() || !schema_registry::ReadMessageIndexes(&*header).ok()) return;
  if (header->payload_at + header->payload.size() != bytes.size()) __builtin_trap();
}

void RunFraming(std::string_view bytes) {
  using framing::Framing;
  for (const Framing framing : {Framing::kLines, Framing::kCsv, Framing::kLengthPrefixed}) {
    size_t at = 0;
    while (true) {
      const auto frame = framing::FirstFrame(framing, bytes.substr(at), true, {.frame_bytes_max = 1000});
      if (!frame.ok() || !frame->has_value()) break;
      if ((*frame)->size_bytes == 0 || (*frame)->size_bytes > bytes.size() - at) __builtin_trap();
      at += (*frame)->size_bytes;
    }
  }
}

std::vector<std::string> JsonSeeds() { return {json::to_json(SampleOrder())}; }
std::vector<std::string> CsvSeeds() { return {"a,1,,buy", "\"a,\"\"b\",-2,1.5e3,sell\r\n"}; }
std::vector<std::string> AvroSeeds() { return {*avro::write<Order>()(SampleOrder())}; }
std::vector<std::string> AvroSchemasSeeds() {
  return {avro::schema_of<Order>() + "\n" + avro::schema_of<Order>({.default_fields = true}) + "\n" +
              *avro::write<Order>()(SampleOrder()),
          "[\"int\",\"null\"]\n[\"null\",\"long\",\"double\"]\n" + std::string("\0\2", 2),
          R"({"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]})"
          "\n"
          R"({"type":"record","name":"N","aliases":["O"],"fields":[{"name":"n","type":["null","N"]},{"name":"d",)"
          R"("type":{"type":"enum","name":"E","symbols":["A"],"default":"A"},"default":"A"}]})"
          "\n" +
              std::string("\2\2\0", 3)};
}
std::vector<std::string> AvroValueSeeds() {
  const auto value = avro::parse_generic({.writer_schema = avro::schema_of<Order>()})(AvroSeeds()[0]);
  ByteWriter out;
  Serde<avro::Value>::Write(*value, out);
  return {std::string(out.view())};
}
std::vector<std::string> SchemaHeaderSeeds() {
  std::string bytes;
  schema_registry::AppendHeader(7, bytes);
  schema_registry::AppendMessageIndexes({1, 0, 200}, bytes);
  return {bytes + "payload"};
}
std::vector<std::string> FramingSeeds() { return {"a\r\n\"b\n\"\"\"\nc", std::string("\0\0\0\2ab\0\0\0\0", 10)}; }

}  // namespace

const Target kFormatTargets[] = {{"json", RunJson, JsonSeeds},
                                 {"csv", RunCsv, CsvSeeds},
                                 {"avro", RunAvro, AvroSeeds},
                                 {"avro_schemas", RunAvroSchemas, AvroSchemasSeeds},
                                 {"avro_value", RunAvroValue, AvroValueSeeds},
                                 {"schema_header", RunSchemaHeader, SchemaHeaderSeeds},
                                 {"framing", RunFraming, FramingSeeds}};
const size_t kFormatTargetCount = std::size(kFormatTargets);

}  // namespace penstock::fuzz
