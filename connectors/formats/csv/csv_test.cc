#include "penstock/formats/csv.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <random>

namespace penstock::csv {
namespace {

enum class Side { buy, sell };

struct Trade {
  std::string id;
  int32_t count = 0;
  double price = 0;
  bool open = false;
  Side side = Side::buy;
  std::optional<std::string> note;
  std::chrono::milliseconds wait{0};
  bool operator==(const Trade&) const = default;
};

absl::StatusOr<std::optional<Trade>> Parse(std::string_view text, Options options = {}) {
  return parse<Trade>(std::move(options))(text);
}
std::string ErrorOf(std::string_view text, Options options = {}) {
  const auto parsed = Parse(text, std::move(options));
  REQUIRE_FALSE(parsed.ok());
  return std::string(parsed.status().message());
}

const Trade kTrade{"a", 2, 1.5, true, Side::sell, "x,\"y\"\nz", std::chrono::milliseconds(7)};
constexpr char kText[] = "a,2,1.5,true,sell,\"x,\"\"y\"\"\nz\",7";

TEST_CASE("a record in the members' order", "[csv]") {
  CHECK(write<Trade>()(kTrade) == kText);
  CHECK(**Parse(kText) == kTrade);
  CHECK(**Parse(std::string(kText) + "\r\n") == kTrade);
  CHECK((**Parse("a,2,1.5,1,buy,,0")).note == std::nullopt);
  CHECK((**Parse("a,2,1.5,1,buy,\"\",0")).note == "");
  CHECK((**Parse("\"a\"\"\",2,1.5,0,buy,,0")).id == "a\"");
}

TEST_CASE("columns by name: other order, unknown ones, missing ones, the header", "[csv]") {
  const Options options{
      .delimiter = ';', .columns = {"price", "what", "id", "open", "count", "side", "wait"}, .skip_header = true};
  const auto trade = Parse("2.5;?;b;false;3;buy;1", options);
  REQUIRE(trade.ok());
  CHECK((**trade).id == "b");
  CHECK((**trade).price == 2.5);
  CHECK_FALSE(Parse("price;what;\"id\";open;count;side;wait", options)->has_value());
  CHECK_FALSE(parse<Trade>({.columns = {"id"}}).Validate().ok());
  CHECK(parse<Trade>({.columns = {"id"}, .default_missing_columns = true}).Validate().ok());
  CHECK(parse<Trade>({.columns = {"id", "zz"}, .default_missing_columns = true}).Validate().ok());
  CHECK_THAT(std::string(parse<Trade>({.columns = {"id", "zz"}, .refuse_unknown_columns = true}).Validate().message()),
             Catch::Contains("'zz'"));
  CHECK(write<Trade>({.columns = {"count", "id"}})(kTrade) == "2,a");
  CHECK(write<Trade>({.columns = {"count", "id"}}).header() == "count,id");
  CHECK_FALSE(write<Trade>({.columns = {"zz"}}).Validate().ok());
}

TEST_CASE("errors name column, member and byte", "[csv]") {
  CHECK(ErrorOf("a,two,1.5,true,sell,,7") == "CSV: column 2 (count): 'two' is no int32 (byte 2)");
  CHECK(ErrorOf("a,2,,true,sell,,7") == "CSV: column 3 (price): '' is no double (byte 4)");
  CHECK(ErrorOf("a,2,1,true,hold,,7") == "CSV: column 5 (side): 'hold' is no value of Side (byte 11)");
  CHECK(ErrorOf("a,2") == "CSV: 2 fields, but 7 columns (byte 3)");
  CHECK(ErrorOf("a,2,1,true,buy,,7,8") == "CSV: 8 fields, but 7 columns (byte 19)");
  CHECK(ErrorOf("a\"b,2") == "CSV: a quote in column 1, which does not begin with one (byte 1)");
  CHECK(ErrorOf("\"ab,2") == "CSV: the quote of column 1 is not closed (byte 0)");
  CHECK(ErrorOf("\"a\"b,2") == "CSV: text behind the closing quote of column 1 (byte 3)");
  CHECK(ErrorOf("a\nb,2") == "CSV: a line break outside of quotes (byte 1)");
}

struct Nested {
  std::vector<int32_t> numbers;
};
TEST_CASE("what is no field is refused with the member's name", "[csv]") {
  CHECK_THAT(std::string(parse<Nested>().Validate().message()), Catch::Contains("numbers is a list"));
  CHECK_FALSE(write<Nested>().Validate().ok());
  CHECK_FALSE(parse<Trade>({.delimiter = '"'}).Validate().ok());
}

struct One {
  std::string text;
};
TEST_CASE("random records come back as they were, whatever is in them", "[csv]") {
  const char* const given = std::getenv("PENSTOCK_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("PENSTOCK_SEED=" << seed);
  std::mt19937_64 random(seed);
  const auto text = [&] {
    std::string made;
    for (size_t count = random() % 6; count > 0; --count) made += ",;\"\n\r ab\xff"[random() % 9];
    return made;
  };
  auto parser = parse<Trade>();
  const auto writer = write<Trade>();
  for (int i = 0; i < 2000; ++i) {
    Trade trade{text(), static_cast<int32_t>(random()), static_cast<double>(random() % 99999) / 7};
    trade.side = random() % 2 == 0 ? Side::buy : Side::sell;
    if (random() % 2 == 0) trade.note = text();
    const std::string written = writer(trade);
    INFO(written);
    const auto read = parser(written + (random() % 2 == 0 ? "\n" : ""));
    INFO(read.status().ToString());
    REQUIRE(read.ok());
    REQUIRE((**read).id == trade.id);
    REQUIRE(**read == trade);
    const One one{text()};
    REQUIRE((**parse<One>()(write<One>()(one))).text == one.text);
  }
}

}  // namespace
}  // namespace penstock::csv
