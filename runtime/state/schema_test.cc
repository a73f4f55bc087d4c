#include "runtime/state/schema.h"

#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/state/schema_resolver.h"

namespace penstock {
namespace v1 {
struct Line {
  int32_t count = 0;
  std::string gone;
};
struct Order {
  std::string id;
  float price = 0;
  int16_t amount = 0;
  std::vector<Line> lines;
  uint32_t plain = 0;
  std::optional<int64_t> maybe;
  std::map<std::string, Line> by_name;
};
}  // namespace v1
namespace v2 {
struct Line {
  std::string added = "new";
  int64_t count = 0;
};
struct Order {
  std::vector<Line> lines;
  double price = 0;
  std::string id;
  int64_t amount_cents = 0;
  int32_t version = 2;
  std::optional<int64_t> plain;
  int64_t maybe = 7;
  std::map<std::string, Line> by_name;
};
PENSTOCK_RENAMED(Order, {"amount", "amount_cents"})
}  // namespace v2

class Closed {
 public:
  int secret() const { return secret_; }
  void set_secret(int value) { secret_ = value; }

 private:
  int secret_ = 0;
};
template <>
struct Serde<Closed> {
  static void Write(const Closed& value, ByteWriter& out) { out.PutVarint(static_cast<uint64_t>(value.secret())); }
  static bool Read(ByteReader& in, Closed& value) {
    uint64_t secret = 0;
    if (!in.GetVarint(secret)) return false;
    value.set_secret(static_cast<int>(secret));
    return true;
  }
  static std::string TypeName() { return "Closed"; }
};

namespace {

struct HoldsClosed {
  Closed closed;
  int32_t n = 0;
};
struct HoldsClosedMoved {
  int64_t n = 0;
  Closed closed;
};
struct HadClosed {
  int32_t n = 0;
};
struct Text {
  std::string n;
};

template <class T>
std::string Encoded(const T& value) {
  ByteWriter out;
  Serde<T>::Write(value, out);
  return std::string(out.view());
}

template <class To, class From>
To Read(const From& from) {
  const auto resolver = SchemaResolver::Make(SchemaOf<From>(), SchemaOf<To>(), 0);
  REQUIRE(resolver.ok());
  ByteWriter converted;
  REQUIRE((*resolver)->Convert(Encoded(from), converted));
  ByteReader in(converted.view());
  To to{};
  REQUIRE(Serde<To>::Read(in, to));
  REQUIRE(in.remaining() == 0);
  return to;
}

TEST_CASE("a schema says what Serde writes, and survives its own bytes", "[state]") {
  const Schema schema = SchemaOf<v1::Order>();
  CHECK(schema.ToText() ==
        "{id:string,price:float32,amount:int16,lines:vector<{count:int32,gone:string}>,plain:uint32,"
        "maybe:optional<int64>,by_name:map<string,{count:int32,gone:string}>}");
  const auto again = Schema::Decode(schema.Encode());
  REQUIRE(again.ok());
  CHECK(again->Hash() == schema.Hash());
  CHECK(again->ToText() == schema.ToText());
  const std::string bytes = schema.Encode();
  for (size_t i = 0; i < bytes.size(); ++i) CHECK(!Schema::Decode(std::string_view(bytes).substr(0, i)).ok());
}

TEST_CASE("a value is read by the names of its fields", "[state]") {
  const v1::Order old{"a", 1.5f, -3, {{4, "x"}, {5, "yy"}}, 9, std::nullopt, {{"k", {6, "z"}}}};
  const auto order = Read<v2::Order>(old);
  CHECK(order.id == "a");
  CHECK(order.price == 1.5);
  CHECK(order.amount_cents == -3);
  CHECK(order.version == 2);
  REQUIRE(order.lines.size() == 2);
  CHECK(order.lines[1].count == 5);
  CHECK(order.lines[1].added == "new");
  CHECK(order.plain == 9);
  CHECK(order.maybe == 0);  // an optional without a value gives the type's
  CHECK(order.by_name.at("k").count == 6);
  CHECK(CompareSchemas(SchemaOf<v1::Order>(), SchemaOf<v2::Order>()).match == SchemaMatch::kCompatible);
  CHECK(CompareSchemas(SchemaOf<v1::Order>(), SchemaOf<v1::Order>()).match == SchemaMatch::kMatched);
}

TEST_CASE("what cannot be read is refused with the reason", "[state]") {
  const SchemaComparison changed = CompareSchemas(SchemaOf<HadClosed>(), SchemaOf<Text>());
  CHECK(changed.match == SchemaMatch::kIncompatible);
  CHECK(changed.reason == "'n' was int32 and is string");
  CHECK(CompareSchemas(SchemaOf<int64_t>(), SchemaOf<int32_t>()).match == SchemaMatch::kIncompatible);
  CHECK(CompareSchemas(SchemaOf<uint32_t>(), SchemaOf<int32_t>()).match == SchemaMatch::kIncompatible);
  CHECK(CompareSchemas(SchemaOf<uint32_t>(), SchemaOf<int64_t>()).match == SchemaMatch::kCompatible);
  CHECK(CompareSchemas(SchemaOf<HoldsClosed>(), SchemaOf<HadClosed>()).match == SchemaMatch::kIncompatible);
}

TEST_CASE("a type without names matches its like, and its neighbours may change", "[state]") {
  HoldsClosed old;
  old.closed.set_secret(300);
  old.n = 5;
  const auto moved = Read<HoldsClosedMoved>(old);
  CHECK(moved.closed.secret() == 300);
  CHECK(moved.n == 5);
}

TEST_CASE("damaged values are refused, not read", "[state]") {
  const auto resolver = SchemaResolver::Make(SchemaOf<v1::Order>(), SchemaOf<v2::Order>(), 0);
  const std::string bytes = Encoded(v1::Order{"a", 1, 2, {{1, "q"}}, 3, 4, {}});
  for (size_t i = 0; i < bytes.size(); ++i) {
    ByteWriter out;
    CHECK(!(*resolver)->Convert(std::string_view(bytes).substr(0, i), out));
  }
}

}  // namespace
}  // namespace penstock
