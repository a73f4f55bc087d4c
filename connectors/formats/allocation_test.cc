// Reading a record takes no memory but for its strings, lists and maps.
#include <penstock/formats/avro.h>
#include <penstock/formats/csv.h>
#include <penstock/formats/json.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace penstock {
namespace {

enum class Side { buy, sell };

struct Flat {
  std::string id;  // short ones lie in the string itself
  int64_t cents = 0;
  double weight = 0;
  bool open = false;
  Side side = Side::buy;
  std::optional<int32_t> count;
};
struct Nested {
  Flat first;
  std::string id;
  Flat second;
};

template <class Parser>
int64_t AllocationsOf(Parser parser, const std::string& record) {
  for (int i = 0; i < 3; ++i) REQUIRE(parser(record).ok());  // it may keep memory from record to record
  const int64_t before = allocations.load();
  bool good = true;
  for (int i = 0; i < 100; ++i) good = parser(record).ok() && good;
  const int64_t taken = allocations.load() - before;
  REQUIRE(good);
  return taken;
}

TEST_CASE("a record of numbers and short strings is read without allocating", "[formats]") {
  const Flat flat{"short", -5, 0.5, true, Side::sell, 7};
  const Nested nested{flat, "n", flat};
  CHECK(AllocationsOf(json::parse<Flat>(), json::to_json(flat)) == 0);
  CHECK(AllocationsOf(json::parse<Nested>(), json::to_json(nested)) == 0);
  CHECK(AllocationsOf(json::parse<Flat>(), R"({"unknown":{"a":[1,2]},)" + json::to_json(flat).substr(1)) == 0);
  CHECK(AllocationsOf(csv::parse<Flat>(), csv::write<Flat>()(flat)) == 0);
  CHECK(AllocationsOf(csv::parse<Flat>(), "\"a\"\"b\",1,2,true,buy,") == 0);
  CHECK(AllocationsOf(avro::parse<Flat>(), *avro::write<Flat>()(flat)) == 0);
  CHECK(AllocationsOf(avro::parse<Flat>({.writer_schema = avro::schema_of<Nested>(), .default_missing_fields = true}),
                      *avro::write<Nested>()(nested)) == 0);
}

TEST_CASE("and one allocation for each long string", "[formats]") {
  const std::string text(100, 'x');
  CHECK(AllocationsOf(json::parse<Flat>({.default_missing_fields = true}), R"({"id":")" + text + "\"}") == 100);
  CHECK(AllocationsOf(avro::parse<Flat>(), *avro::write<Flat>()({.id = text})) == 100);
}

}  // namespace
}  // namespace penstock
