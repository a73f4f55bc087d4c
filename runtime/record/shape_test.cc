#include "runtime/record/shape.h"

#include <catch2/catch.hpp>

namespace penstock {
namespace {

enum class Colour : uint8_t { kRed, kGreen = 5, kBlue = 127 };

struct Item {
  std::string sku;
  uint16_t count = 0;
};

struct Everything {
  bool flag = false;
  int8_t small = 0;
  uint64_t large = 0;
  float share = 0;
  double sum = 0;
  std::string text;
  Colour colour = Colour::kRed;
  std::optional<int32_t> perhaps;
  std::vector<Item> items;
  std::map<std::string, double> prices;
  std::chrono::milliseconds wait{0};
  std::variant<std::monostate, int64_t, std::string> any;
};

class Money {
 public:
  int64_t& cents() { return cents_; }
  int64_t cents_ = 0;
  std::string currency;
  explicit Money(int64_t cents = 0) : cents_(cents) {}
};
PENSTOCK_SERDE(Money, value.cents_, value.currency)

TEST_CASE("a shape names the members of a struct, in order and at their place", "[record]") {
  const Shape& shape = ShapeOf<Everything>();
  REQUIRE(shape.kind == ShapeKind::kStruct);
  CHECK(shape.name == "Everything");
  std::vector<std::string> names;
  for (const ShapeMember& member : shape.members) names.push_back(member.name);
  CHECK(names == std::vector<std::string>{"flag", "small", "large", "share", "sum", "text", "colour", "perhaps",
                                          "items", "prices", "wait", "any"});
  CHECK(shape.members[10].shape->kind == ShapeKind::kInt64);
  CHECK(&ShapeOf<Everything>() == &shape);
  CHECK(ShapeOf<Money>().members[1].name == "currency");
}

TEST_CASE("objects are filled and read through their shape", "[record]") {
  const Shape& shape = ShapeOf<Everything>();
  Everything value;
  const auto at = [&](size_t member) -> void* {
    return reinterpret_cast<char*>(&value) + shape.members[member].offset;
  };
  CHECK(StoreInteger(shape.members[1].shape->kind, int64_t{-128}, at(1)));
  CHECK_FALSE(StoreInteger(shape.members[1].shape->kind, int64_t{128}, at(1)));
  CHECK_FALSE(StoreInteger(shape.members[2].shape->kind, int64_t{-1}, at(2)));
  CHECK(StoreInteger(shape.members[2].shape->kind, ~uint64_t{0}, at(2)));
  CHECK(value.small == -128);
  CHECK(LoadUnsigned(ShapeKind::kUint64, at(2)) == ~uint64_t{0});

  *static_cast<int32_t*>(shape.members[7].shape->emplace(at(7))) = 3;
  CHECK(value.perhaps == 3);
  auto* item = static_cast<Item*>(shape.members[8].shape->emplace(at(8)));
  item->sku = "a";
  CHECK(shape.members[8].shape->count(at(8)) == 1);
  CHECK(static_cast<const Item*>(shape.members[8].shape->at(at(8), 0))->sku == "a");
  *static_cast<double*>(shape.members[9].shape->emplace_key(at(9), "x")) = 1.5;
  CHECK(shape.members[9].shape->emplace_key(at(9), "x") == nullptr);
  CHECK(value.prices.at("x") == 1.5);
  *static_cast<std::string*>(shape.members[11].shape->emplace_alternative(at(11), 2)) = "s";
  CHECK(std::get<2>(value.any) == "s");
  CHECK(shape.members[11].shape->count(at(11)) == 2);
}

TEST_CASE("enumerations are known by name", "[record]") {
  const Shape& shape = ShapeOf<Colour>();
  REQUIRE(shape.enum_names.size() == 3);
  CHECK(shape.EnumByName("kGreen")->value == 5);
  CHECK(shape.EnumByValue(127)->name == "kBlue");
  CHECK(shape.EnumByName("kPink") == nullptr);
  CHECK(shape.EnumByValue(6) == nullptr);
  const Colour colour = Colour::kBlue;
  CHECK(LoadEnum(shape, &colour) == 127);
}

}  // namespace
}  // namespace penstock
