#include "penstock/formats/avro.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <random>
#include <variant>

namespace penstock::avro {
namespace {

enum class Side { buy, sell };

struct Line {
  std::string sku;
  int32_t count = 1;
  bool operator==(const Line&) const = default;
};

struct Order {
  std::string id;
  int64_t cents = 0;
  double weight = 0;
  Side side = Side::buy;
  std::optional<std::string> note;
  std::vector<Line> lines;
  std::map<std::string, float> prices;
  std::variant<std::monostate, int64_t, Line> extra;
  std::chrono::milliseconds wait{0};
  bool operator==(const Order&) const = default;
};

const Order kOrder{
    "a", -7, 1.5, Side::sell, "n", {{"x", 1}, {"y", -2}}, {{"eur", 2.5f}}, Line{"z", 3}, std::chrono::milliseconds(9)};

template <class T>
absl::StatusOr<T> Reread(const T& value, const std::string& schema = {}) {
  const auto bytes = write<T>(schema)(value);
  if (!bytes.ok()) return bytes.status();
  return parse<T>({.writer_schema = schema})(*bytes);
}
std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

SchemaPtr Parsed(const std::string& text) {
  const auto schema = Schema::Parse(text);
  INFO(schema.status().ToString());
  REQUIRE(schema.ok());
  return *schema;
}

TEST_CASE("a struct has a schema of its own", "[avro]") {
  CHECK(schema_of<Line>() ==
        R"({"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"count","type":"int"}]})");
  CHECK(schema_of<Line>({.name_space = "shop", .default_fields = true}) ==
        R"({"type":"record","name":"Line","namespace":"shop","fields":[)"
        R"({"name":"sku","type":"string","default":""},{"name":"count","type":"int","default":1}]})");
  const SchemaPtr order = Parsed(schema_of<Order>());
  CHECK(order->root().fields[7].name == "extra");
  CHECK(order->node(order->root().fields[7].node).children.size() == 3);
  CHECK(Parsed(schema_of<Order>({.name_space = "a.b", .default_fields = true}))->Title() == "a.b.Order");
}

TEST_CASE("structs are written and read", "[avro]") {
  CHECK(*Reread(kOrder) == kOrder);
  CHECK(*Reread(Order{}) == Order{});
  CHECK(*write<Line>()({"ab", -1}) ==
        "\x04"
        "ab\x01");
}

TEST_CASE("a reader's struct takes what other writers wrote", "[avro]") {
  constexpr char kOld[] = R"({"type":"record","name":"Sale","fields":[
    {"name":"dropped","type":{"type":"map","values":{"type":"array","items":"long"}}},
    {"name":"count","type":["int","null"]},{"name":"sku","type":"bytes"}]})";
  struct Old {
    std::map<std::string, std::vector<int64_t>> dropped;
    std::optional<int32_t> count;
    std::string sku;
  };
  struct New {
    std::string sku;
    std::optional<int64_t> count;
    std::optional<std::string> added;
  };
  const auto bytes = write<Old>(kOld)({{{"k", {1, 2}}}, 5, "s"});
  REQUIRE(bytes.ok());
  const auto parser = parse<New>({.writer_schema = kOld});
  REQUIRE(parser.Validate().ok());
  CHECK(parser(*bytes)->sku == "s");
  CHECK(parser(*bytes)->count == 5);
  CHECK(parser(Bytes(*bytes))->added == std::nullopt);

  const auto strict = parse<Line>({.writer_schema = kOld});
  REQUIRE(strict.Validate().ok());  // only null counts cannot be read
  CHECK(strict(*bytes)->count == 5);
  const auto with_null = write<Old>(kOld)({{}, std::nullopt, "s"});
  CHECK(MessageOf(strict(*with_null).status()) == "Avro: count: a null cannot be read as an int (byte 2)");
}

TEST_CASE("members without a writer's field: refused, or kept by option or the reader's schema", "[avro]") {
  constexpr char kOld[] = R"({"type":"record","name":"Line","fields":[{"name":"sku","type":"string"}]})";
  constexpr char kReader[] = R"({"type":"record","name":"Line","fields":[
    {"name":"count","type":"int","default":42},{"name":"sku","type":"string"}]})";
  const std::string bytes =
      "\x02"
      "a";
  CHECK(MessageOf(parse<Line>({.writer_schema = kOld}).Validate()) ==
        "Avro: data of Line cannot be read as Line: the writer has no field 'count' of Line, and the reader no default "
        "for it");
  CHECK(parse<Line>({.writer_schema = kOld, .default_missing_fields = true})(bytes)->count == 1);
  CHECK(parse<Line>({.writer_schema = kOld, .reader_schema = kReader})(bytes)->count == 42);
}

TEST_CASE("enums by symbol, with the reader's default", "[avro]") {
  constexpr char kWriter[] = R"({"type":"enum","name":"Side","symbols":["sell","hold","buy"]})";
  constexpr char kReader[] = R"({"type":"enum","name":"Side","symbols":["buy","sell"],"default":"buy"})";
  struct Holder {
    Side side = Side::sell;
  };
  const auto in_record = [](const char* type) {
    return R"({"type":"record","name":"Holder","fields":[{"name":"side","type":)" + std::string(type) + "}]}";
  };
  const auto parser = parse<Holder>({.writer_schema = in_record(kWriter)});
  CHECK(parser(std::string("\0", 1))->side == Side::sell);
  CHECK(parser(std::string("\4"))->side == Side::buy);
  CHECK(MessageOf(parser(std::string("\2")).status()) ==
        "Avro: side: the symbol hold is none of the reader's (byte 1)");
  CHECK(MessageOf(parser(std::string("\6")).status()) == "Avro: side: symbol 3 of an enum of 3 (byte 1)");
  const auto lenient = parse<Holder>({.writer_schema = in_record(kWriter), .reader_schema = in_record(kReader)});
  CHECK(lenient(std::string("\2"))->side == Side::buy);
}

// As Java's implementation has it: with [float, int] an int stays an int.
TEST_CASE("of a union's branches the same type goes before one it is promoted to", "[avro]") {
  const auto decoder = Decoder::Make(Parsed("\"int\""), Parsed(R"(["float","long","int"])"), nullptr);
  REQUIRE(decoder.ok());
  Value value;
  REQUIRE((*decoder)->Read("\x06", &value).ok());
  CHECK(value == Value(int32_t{3}));
}

TEST_CASE("types that contain themselves", "[avro]") {
  const SchemaPtr schema = Parsed(R"({"type":"record","name":"Node","namespace":"n","fields":[
    {"name":"value","type":"int"},{"name":"next","type":["null","Node"]}]})");
  const auto decoder = Decoder::Make(schema, schema, nullptr);
  REQUIRE(decoder.ok());
  Value value;
  REQUIRE((*decoder)->Read(std::string("\2\2\4\0", 4), &value).ok());
  CHECK(to_json(value) == R"({"value":1,"next":{"value":2,"next":null}})");
  CHECK(value.field("next")->field("value")->get_if<int32_t>() != nullptr);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "\2\2";
  CHECK_THAT(MessageOf((*decoder)->Read(deep, &value)), Catch::Contains("nested more than"));
}

TEST_CASE("broken data is refused with field and byte, and costs nothing", "[avro]") {
  const auto parser = parse<Order>();
  const std::string good = *write<Order>()(kOrder);
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(parser(good.substr(0, size)).ok());
  CHECK_THAT(MessageOf(parser(good + "x").status()), Catch::Contains("1 bytes are left behind the value"));
  CHECK(MessageOf(parse<Line>()(std::string("\x02"
                                            "a\xff\xff\xff\xff\xff\x01"))
                      .status()) == "Avro: count: no int (byte 2)");
  // An array that announces more than there is; one of elements without bytes; a map's block beyond the end.
  struct Nulls {
    std::vector<std::monostate> nulls;
  };
  std::string many("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", 9);
  CHECK_THAT(MessageOf(parse<Nulls>()(many).status()), Catch::Contains("empty elements"));
  struct Longs {
    std::vector<int64_t> longs;
  };
  CHECK_FALSE(parse<Longs>()(many).ok());
  CHECK_FALSE(parse<Longs>()(std::string("\1\x7e\2")).ok());
  CHECK(parse<Longs>()(std::string("\1\2\x0a\0", 4))->longs == std::vector<int64_t>{5});  // a block with its size
}

TEST_CASE("integers are checked where the struct or the schema is narrower", "[avro]") {
  struct Narrow {
    uint8_t small = 0;
    uint64_t large = 0;
  };
  CHECK(Reread(Narrow{255, 7})->large == 7);
  CHECK_THAT(MessageOf(Reread(Narrow{1, ~uint64_t{0}}).status()),
             Catch::Contains("Narrow.large: 18446744073709551615 is no long"));
  CHECK(MessageOf(parse<Narrow>()(std::string("\1\0", 2)).status()) == "Avro: small: -1 is no uint8 (byte 1)");
}

TEST_CASE("a struct and a schema that do not fit are refused with the member", "[avro]") {
  const auto problem = [](const char* type) {
    const std::string schema = R"({"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},)"
                               R"({"name":"count","type":)" +
                               std::string(type) + "}]}";
    return MessageOf(parse<Line>({.writer_schema = schema, .reader_schema = schema}).Validate());
  };
  CHECK(problem("\"int\"").empty());
  CHECK_THAT(problem("\"double\""), Catch::Contains("count: the schema's double does not fit a int32"));
  CHECK_THAT(problem(R"(["null","int"])"), Catch::Contains("std::optional"));
  CHECK_THAT(
      MessageOf(write<Line>(R"({"type":"record","name":"L","fields":[{"name":"sku","type":"string"}]})").Validate()),
      Catch::Contains("count"));
  CHECK_THAT(MessageOf(write<Line>(R"({"type":"record","name":"L","fields":[{"name":"sku","type":"string"},
                       {"name":"count","type":"int"},{"name":"more","type":"int"}]})")
                           .Validate()),
             Catch::Contains("more"));
  CHECK(*write<Line>(R"({"type":"record","name":"L","fields":[{"name":"sku","type":"string"},
        {"name":"count","type":["null","int"]},{"name":"more","type":"int","default":-1}]})")({"", 1}) ==
        std::string("\0\2\2\1", 4));
}

TEST_CASE("schemas that are none are refused with a reason", "[avro]") {
  const auto problem = [](const std::string& text) { return MessageOf(Schema::Parse(text).status()); };
  CHECK_THAT(problem("{"), Catch::Contains("no JSON"));
  CHECK_THAT(problem(R"("Missing")"), Catch::Contains("no type 'Missing'"));
  CHECK_THAT(problem(R"({"type":"record","name":"1x","fields":[]})"), Catch::Contains("'1x'"));
  CHECK_THAT(problem(R"({"type":"record","name":"x"})"), Catch::Contains("fields"));
  CHECK_THAT(problem(R"({"type":"enum","name":"x","symbols":["a","a"]})"), Catch::Contains("twice"));
  CHECK_THAT(problem(R"({"type":"enum","name":"x","symbols":["a"],"default":"b"})"), Catch::Contains("default"));
  CHECK_THAT(problem(R"(["int","int"])"), Catch::Contains("two branches"));
  CHECK_THAT(problem(R"({"type":"record","name":"x","fields":[{"name":"a","type":"int","default":"s"}]})"),
             Catch::Contains("x.a") && Catch::Contains("\"s\" is no int"));
  CHECK_THAT(problem(R"({"type":"fixed","name":"x","size":-1})"), Catch::Contains("size"));
  CHECK_THAT(problem(R"({"type":7})"), Catch::Contains("no type"));
  std::string deep = "\"int\"";
  for (int i = 0; i < 200; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  CHECK_THAT(problem(deep), Catch::Contains("deep"));
  // A record whose default needs itself.
  CHECK_FALSE(Schema::Parse(R"({"type":"record","name":"x","fields":[{"name":"a","type":"x","default":{}}]})").ok());
}

TEST_CASE("names: namespaces, references, aliases, unquoted primitives", "[avro]") {
  const auto schema = Schema::Parse(R"({"type":"record","name":"a.B","fields":[{"name":"c","type":"x.C"},
    {"name":"d","type":{"type":"fixed","name":"D","size":1,"aliases":["E","q.F"]}},{"name":"e","type":"D"}]})",
                                    {R"({"type":"enum","name":"C","namespace":"x","symbols":["s"]})"});
  REQUIRE(schema.ok());
  const Node& fixed = (*schema)->node((*schema)->root().fields[1].node);
  CHECK(fixed.name == "a.D");
  CHECK(fixed.aliases == std::vector<std::string>{"a.E", "q.F"});
  CHECK(Parsed("string")->root().type == Type::kString);
  CHECK(Incompatibilities(Parsed(R"({"type":"fixed","name":"F","size":1})"),
                          Parsed(R"({"type":"fixed","name":"D","size":1,"aliases":["q.F"]})"))
            .empty());
  CHECK(Incompatibilities(Parsed(R"({"type":"fixed","name":"G","size":1})"),
                          Parsed(R"({"type":"fixed","name":"D","size":1})"))
            .at(0) == "the fixed G cannot be read as the fixed D: another name");
}

TEST_CASE("all that stands in the way is listed", "[avro]") {
  const auto problems = Incompatibilities(Parsed(R"({"type":"record","name":"R","fields":[{"name":"a","type":"string"},
        {"name":"b","type":{"type":"array","items":["int","string"]}},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["x","y"]}}]})"),
                                          Parsed(R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},
        {"name":"b","type":{"type":"array","items":"int"}},{"name":"c","type":"int"},
        {"name":"e","type":{"type":"enum","name":"E","symbols":["x"]}}]})"));
  CHECK(problems == std::vector<std::string>{"a: a string cannot be read as an int",
                                             "the writer has no field 'c' of R, and the reader no default for it",
                                             "b[]: a string cannot be read as an int",
                                             "e: the symbol y of E is none of the reader's"});
}

TEST_CASE("random bytes are refused or read, never worse", "[avro]") {
  const char* const given = std::getenv("PENSTOCK_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("PENSTOCK_SEED=" << seed);
  std::mt19937_64 random(seed);
  const auto parser = parse<Order>();
  const auto generic = parse_generic({.writer_schema = schema_of<Order>()});
  const std::string good = *write<Order>()(kOrder);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (size_t flips = 1 + random() % 3; flips > 0; --flips)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto typed = parser(bytes);
    const auto value = generic(bytes);
    if (!typed.ok()) continue;  // an enum's symbol, a name twice: the struct is narrower
    REQUIRE(value.ok());
    // As bytes: a NaN is equal to none.
    const std::string by_value = *write_generic(schema_of<Order>())(*value);
    REQUIRE(*write<Order>()(*parser(by_value)) == *write<Order>()(*typed));
  }
}

}  // namespace
}  // namespace penstock::avro
