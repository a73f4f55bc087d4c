#include "penstock/formats/json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <unordered_map>
#include <variant>

namespace penstock::json {
namespace {

enum class Side { buy, sell };

struct Line {
  std::string sku;
  int32_t count = 0;
  bool operator==(const Line&) const = default;
};

struct Order {
  std::string id;
  int64_t cents = 0;
  bool paid = false;
  double weight = 0;
  Side side = Side::buy;
  std::optional<std::string> note;
  std::vector<Line> lines;
  std::map<std::string, std::vector<double>> prices;
  bool operator==(const Order&) const = default;
};

template <class T>
absl::StatusOr<T> Parse(std::string_view text, Options options = {}) {
  return json::parse<T>(options)(text);
}
template <class T>
std::string ErrorOf(std::string_view text, Options options = {}) {
  const auto parsed = Parse<T>(text, options);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

const Order kOrder = {.id = "a\"1",
                      .cents = -5,
                      .paid = true,
                      .weight = 0.1,
                      .side = Side::sell,
                      .note = "né\n",
                      .lines = {{"x", 1}, {"y", 2}},
                      .prices = {{"eur", {1.5, 2}}, {"", {}}}};
constexpr char kText[] = R"({"id":"a\"1","cents":-5,"paid":true,"weight":0.1,"side":"sell","note":"né\n",)"
                         R"("lines":[{"sku":"x","count":1},{"sku":"y","count":2}],"prices":{"":[],"eur":[1.5,2]}})";

TEST_CASE("structs are written and read by their members' names", "[json]") {
  CHECK(to_json(kOrder) == kText);
  CHECK(write<Order>()(kOrder) == kText);
  const auto read = Parse<Order>(kText);
  INFO(read.status().ToString());
  REQUIRE(read.ok());
  CHECK(*read == kOrder);
}

struct Small {
  int64_t a = 7;
  std::optional<int64_t> b;
};

TEST_CASE("fields in any order, escaped names, null and missing optionals", "[json]") {
  CHECK(Parse<Small>(R"( { "b" : 2 , "a" : 1 } )")->b == 2);
  CHECK(Parse<Small>(R"({"\u0061":3})")->a == 3);
  CHECK(Parse<Small>(R"({"a":1,"b":null})")->b == std::nullopt);
  CHECK(Parse<Small>(R"({"a":1})")->b == std::nullopt);
  CHECK(Parse<std::vector<int64_t>>("[1,2,3]")->size() == 3);
  CHECK(Parse<std::map<std::string, bool>>(R"({"x":true})")->at("x"));
}

TEST_CASE("what no member has the name of is ignored, or refused by option", "[json]") {
  constexpr char kMore[] = R"({"z":{"deep":[1,{"a":9}]},"a":1,"y":"}"})";
  CHECK(Parse<Small>(kMore)->a == 1);
  CHECK(ErrorOf<Small>(kMore, {.refuse_unknown_fields = true}) == "JSON: Small has no field 'z' (byte 5)");
  CHECK(ErrorOf<Small>(R"({"a":1,"aa":2})", {.refuse_unknown_fields = true}) ==
        "JSON: Small has no field 'aa' (byte 12)");
}

TEST_CASE("a missing field is refused, or keeps its default by option", "[json]") {
  CHECK(ErrorOf<Small>(R"({"b":2})") == "JSON: the field 'a' is missing (byte 0)");
  CHECK(Parse<Small>(R"({"b":2})", {.default_missing_fields = true})->a == 7);
  CHECK(ErrorOf<Order>(R"({"lines":[{"sku":"x","count":1},{"sku":"y"}]})") ==
        "JSON: lines[1]: the field 'count' is missing (byte 32)");
}

TEST_CASE("errors name the field and the byte", "[json]") {
  CHECK(ErrorOf<Small>(R"({"a":"one"})") == "JSON: a: \"one\" is no int64 (byte 5)");
  CHECK(ErrorOf<Small>(R"({"a":1.5})") == "JSON: a: 1.5 is no int64 (byte 5)");
  CHECK(ErrorOf<Small>(R"({"a":null})") == "JSON: a: null is no int64 (byte 5)");
  CHECK(ErrorOf<Small>(R"({"a":1,"a":2})") == "JSON: the field 'a' occurs twice (byte 11)");
  CHECK(ErrorOf<Order>(R"({"prices":{"e":[1,"x"]}})") == "JSON: prices[\"e\"][1]: \"x\" is no number (byte 18)");
  CHECK(ErrorOf<Order>(R"({"side":"hold"})") == "JSON: side: \"hold\" is no value of Side (byte 8)");
  CHECK(ErrorOf<Order>(R"({"lines":{}})") == "JSON: lines: { is no array (byte 9)");
  CHECK(ErrorOf<Order>(R"({"lines":[{"count":3000000000}]})") ==
        "JSON: lines[0].count: 3000000000 is no int32 (byte 19)");
  CHECK_THAT(ErrorOf<Small>("{\"a\":1} x"), Catch::Contains("(byte 8)"));
  CHECK_THAT(ErrorOf<Small>("{\"a\":1"), Catch::Contains("(byte "));
  CHECK_THAT(ErrorOf<Small>("{\"a\":1,\"c\":\"\xff\"}"), Catch::Contains("(byte 12)"));
  CHECK_THAT(ErrorOf<Small>("17"), Catch::Contains("neither an object nor an array (byte 0)"));
  CHECK_THAT(ErrorOf<Small>(""), Catch::Contains("(byte 0)"));
  CHECK_THAT(ErrorOf<Small>("not json"), Catch::Contains("byte"));
  CHECK_THAT(ErrorOf<Small>(R"({"a" 1})"), Catch::Contains("byte"));
}

TEST_CASE("a parser goes on after an error, and a copy is independent", "[json]") {
  Parser<Small> parser = parse<Small>();
  CHECK_FALSE(parser(std::string("{")).ok());
  CHECK(parser(std::string(R"({"a":1})"))->a == 1);
  Parser<Small> copy(parser);
  CHECK(copy(Bytes(R"({"a":2})"))->a == 2);
  CHECK(parser(std::string_view(R"({"a":3})"))->a == 3);
}

struct Limits {
  int8_t i8 = 0;
  uint8_t u8 = 0;
  int16_t i16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  float f = 0;
};

// In a fetched batch records lie behind each other: what follows a cut-off one must not become a part of it.
TEST_CASE("a cut-off text is refused whatever lies behind it", "[json]") {
  Parser<Order> parser = parse<Order>();
  std::string text = to_json(kOrder);
  const std::vector<std::string> followers = {"\"", "}", "]}", ",\"", "1", "{", "\"sku\":1}", "e1", {"\0", 1}};
  for (const std::string& behind : followers) {
    std::string memory = behind;
    while (memory.size() < 200) memory += behind;
    for (size_t size = 1; size < text.size(); ++size) {
      const std::string whole = text.substr(0, size) + memory;
      CHECK_FALSE(parser(std::string_view(whole).substr(0, size)).ok());
    }
    const std::string whole = text + memory;
    CHECK(*parser(std::string_view(whole).substr(0, text.size())) == kOrder);
  }
}

TEST_CASE("integers have the range of their type", "[json]") {
  CHECK(Parse<Limits>(R"({"i8":-128,"u8":255,"i16":32767,"u32":4294967295,"u64":18446744073709551615,"f":1e3})")->u64 ==
        std::numeric_limits<uint64_t>::max());
  for (const char* text : {R"({"i8":128})", R"({"u8":-1})", R"({"i16":-32769})", R"({"u32":4294967296})",
                           R"({"u64":18446744073709551616})", R"({"u64":-1})"}) {
    INFO(text);
    CHECK_FALSE(Parse<Limits>(text, {.default_missing_fields = true}).ok());
  }
}

struct Odd {
  double number = 0;
  std::string text;
};

TEST_CASE("what JSON has no way to say", "[json]") {
  CHECK(to_json(Odd{std::nan(""),
                    "a\xff"
                    "b\xc3\xa9\x01"}) ==
        "{\"number\":null,\"text\":\"a\xEF\xBF\xBD"
        "b\xc3\xa9\\u0001\"}");
  struct Any {
    std::variant<int64_t, std::string> value;
  };
  CHECK_THAT(std::string(parse<Any>().Validate().message()), Catch::Contains("Any") && Catch::Contains("value"));
  CHECK(parse<Order>().Validate().ok());
  CHECK_FALSE(parse<int64_t>().Validate().ok());
}

struct WithValue {
  std::optional<Bytes> value;
};
TEST_CASE("records with a value are read by it", "[json]") {
  Parser<Small> parser = parse<Small>();
  CHECK(parser(WithValue{Bytes(R"({"a":5})")})->a == 5);
  CHECK_THAT(std::string(parser(WithValue{}).status().message()), Catch::Contains("tombstone"));
}

// ---- against another JSON library ----

std::string RandomText(std::mt19937_64& random) {
  static const std::vector<std::string> kPieces = {"a", "\"", "\\", "/", "\n", "\x01", "é",
                                                   "€", "𝄞",  " ",  "{", "]",  ","};
  std::string text;
  for (size_t count = random() % 8; count > 0; --count) text += kPieces[random() % kPieces.size()];
  return text;
}

Order RandomOrder(std::mt19937_64& random) {
  Order order{.id = RandomText(random), .cents = static_cast<int64_t>(random()), .paid = random() % 2 == 0};
  order.weight =
      std::ldexp(static_cast<double>(static_cast<int64_t>(random())), static_cast<int>(random() % 200) - 100);
  order.side = random() % 2 == 0 ? Side::buy : Side::sell;
  if (random() % 2 == 0) order.note = RandomText(random);
  for (size_t count = random() % 4; count > 0; --count) {
    order.lines.push_back({RandomText(random), static_cast<int32_t>(random())});
  }
  for (size_t count = random() % 4; count > 0; --count) {
    auto& prices = order.prices[RandomText(random)];
    for (size_t each = random() % 3; each > 0; --each) prices.push_back(static_cast<double>(random() % 1000) / 8);
  }
  return order;
}

nlohmann::json Other(const Order& order) {
  nlohmann::json lines = nlohmann::json::array();
  for (const Line& line : order.lines) lines.push_back({{"sku", line.sku}, {"count", line.count}});
  nlohmann::json json = {{"id", order.id},        {"cents", order.cents},
                         {"paid", order.paid},    {"weight", order.weight},
                         {"lines", lines},        {"side", order.side == Side::buy ? "buy" : "sell"},
                         {"prices", order.prices}};
  json["note"] = order.note ? nlohmann::json(*order.note) : nlohmann::json();
  return json;
}

TEST_CASE("random structs agree with another library's reader and writer", "[json]") {
  const char* const given = std::getenv("PENSTOCK_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("PENSTOCK_SEED=" << seed);
  std::mt19937_64 random(seed);
  Parser<Order> parser = parse<Order>();
  for (int i = 0; i < 2000; ++i) {
    const Order order = RandomOrder(random);
    nlohmann::json other = Other(order);
    const std::string ours = to_json(order);
    INFO(ours);
    REQUIRE(nlohmann::json::parse(ours) == other);
    if (random() % 2 == 0) other["unknown " + RandomText(random)] = Other(RandomOrder(random));
    const std::string text = other.dump(random() % 2 == 0 ? -1 : 2, ' ', random() % 2 == 0);
    const auto read = parser(text);
    INFO(text << "\n" << read.status().ToString());
    REQUIRE(read.ok());
    REQUIRE(*read == order);
    // Cut anywhere, it is refused and nothing breaks.
    REQUIRE_FALSE(parser(text.substr(0, random() % text.size())).ok());
  }
}

}  // namespace
}  // namespace penstock::json
