#include "runtime/record/serde.h"

#include <catch2/catch.hpp>

namespace penstock {
namespace {

enum class Colour : uint8_t { kRed = 1, kBlue = 7 };

struct Line {
  std::string sku;
  int32_t quantity;
  bool operator==(const Line&) const = default;
};
struct Order {
  std::string id;
  int64_t time;
  std::vector<Line> lines;
  std::optional<double> discount;
  std::map<std::string, int> tags;
  std::tuple<int, std::string> extra;
  std::pair<bool, Colour> flags;
  bool operator==(const Order&) const = default;
};
struct Empty {
  bool operator==(const Empty&) const = default;
};

class Opaque {
 public:
  Opaque() = default;
  explicit Opaque(int v) : secret(v) {}
  int secret = 0;
  std::string name;
};
PENSTOCK_SERDE(Opaque, value.secret, value.name)

template <class T>
T RoundTrip(const T& value) {
  ByteWriter out;
  Serde<T>::Write(value, out);
  ByteReader in(out.view());
  T back{};
  REQUIRE(Serde<T>::Read(in, back));
  REQUIRE(in.remaining() == 0);
  return back;
}

const Order kOrder{"o-1", 42, {{"a", 2}, {"b", 3}}, 0.5, {{"x", 1}}, {7, "seven"}, {true, Colour::kBlue}};

TEST_CASE("Serde brings every supported kind of value back", "[record]") {
  CHECK(RoundTrip(kOrder) == kOrder);
  CHECK(RoundTrip(Empty{}) == Empty{});
  CHECK(RoundTrip(std::string(300, 'x')) == std::string(300, 'x'));
  CHECK(RoundTrip(std::chrono::seconds(5)) == std::chrono::seconds(5));
  Opaque opaque(9);
  opaque.name = "n";
  CHECK(RoundTrip(opaque).secret == 9);
  CHECK(RoundTrip(opaque).name == "n");
}

TEST_CASE("Serde refuses bytes that end too early, at every length", "[record]") {
  ByteWriter out;
  Serde<Order>::Write(kOrder, out);
  for (size_t size = 0; size < out.size(); ++size) {
    ByteReader in(out.data(), size);
    Order order;
    CHECK_FALSE(Serde<Order>::Read(in, order));
  }
}

TEST_CASE("Serde does not trust a count beyond the bytes there are", "[record]") {
  ByteWriter out;
  out.PutVarint(uint64_t{1} << 60);
  ByteReader in(out.view());
  std::vector<std::string> values;
  CHECK_FALSE(Serde<std::vector<std::string>>::Read(in, values));
}

TEST_CASE("Serde names types by their members", "[record]") {
  CHECK(Serde<Line>::TypeName() == "Line{sku:string,quantity:int32}");
  CHECK(Serde<Opaque>::TypeName() == "Opaque{int32,string}");
  CHECK(Serde<std::map<std::string, std::vector<double>>>::TypeName() == "map<string,vector<float64>>");
}

TEST_CASE("Bytes read back point into what was read", "[record]") {
  ByteWriter out;
  Serde<Bytes>::Write(Bytes("hello"), out);
  ByteReader in(out.view());
  Bytes view;
  REQUIRE(Serde<Bytes>::Read(in, view));
  CHECK(view.view() == "hello");
  CHECK(view.data() >= out.data());
  CHECK(view.data() < out.data() + out.size());
}

}  // namespace
}  // namespace penstock
