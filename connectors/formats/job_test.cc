// Formats in jobs: what is refused before they run, and where malformed records come from.
#include <penstock/connectors/file.h>
#include <penstock/formats/csv.h>
#include <penstock/formats/json.h>
#include <penstock/formats/raw.h>
#include <penstock/testing.h>

#include <catch2/catch.hpp>

#include "runtime/core/status.h"
#include "tests/support/temp_dir.h"

namespace penstock {
namespace {

struct Trade {
  std::string id;
  int64_t cents = 0;
  bool operator==(const Trade&) const = default;
};

TEST_CASE("malformed lines are put aside with file, line and byte", "[formats]") {
  const testing::TempDir dir;
  const std::string path = dir.Write("trades.csv", "id,cents\na,1\nb,x\n\nc,3\n");
  const collect::Results<Trade> trades;
  const collect::Results<Malformed> malformed;
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    auto parsed = env.source("in", file::Source{.path = path})
                      .flat_map(csv::parse<Trade>({.skip_header = true}))
                      .on_error(side_output)
                      .name("parse");
    parsed.malformed().sink("bad", collect::Sink<Malformed>{malformed});
    parsed.sink("out", collect::Sink<Trade>{trades});
  });
  INFO(status.ToString());
  REQUIRE(status.ok());
  CHECK(trades.values() == std::vector<Trade>{{"a", 1}, {"c", 3}});
  const auto bad = malformed.values();
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].reason == path + ", line 3, from byte 13: CSV: column 2 (cents): 'x' is no int64 (byte 2)");
  CHECK(bad[0].origin == path + ", line 3, from byte 13");
  CHECK(bad[0].record == "b,x");
  CHECK(bad[0].operator_name == "parse");
  CHECK(bad[1].reason == path + ", line 4, from byte 17: CSV: 1 fields, but 2 columns (byte 0)");
}

TEST_CASE("behind an exchange the origin is not known, and the record still is", "[formats]") {
  const collect::Results<Malformed> malformed;
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    auto parsed = env.source("in", collection::Source<std::string>{.records = {"{\"id\":1}"}})
                      .rebalance()
                      .flat_map(json::parse<Trade>())
                      .on_error(side_output);
    parsed.malformed().sink("bad", collect::Sink<Malformed>{malformed});
  });
  REQUIRE(status.ok());
  REQUIRE(malformed.size() == 1);
  CHECK(malformed.values()[0].reason == "JSON: id: 1 is no string (byte 6)");
  CHECK(malformed.values()[0].origin.empty());
  CHECK(malformed.values()[0].record == "{\"id\":1}");
}

TEST_CASE("a job that fails on malformed records names the record", "[formats]") {
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    env.source("in", collection::Source<std::string>{.records = {"{}"}})
        .flat_map(json::parse<Trade>())
        .on_error(fail)
        .sink("out", collect::Sink<Trade>{});
  });
  CHECK_THAT(status.ToString(),
             Catch::Contains("malformed record: record 0: JSON: the field 'id' is missing (byte 0)"));
}

TEST_CASE("a function that lacks what it needs fails the job, and the record is not malformed", "[formats]") {
  testing::Harness<int> harness;
  harness.output(
      harness.input().flat_map([](const int&) -> absl::StatusOr<int> { return Unavailable("no registry"); }));
  harness.push(1);
  CHECK(harness.failure().code() == absl::StatusCode::kUnavailable);
  CHECK(harness.malformed_records() == 0);
}

struct Nested {
  std::vector<Trade> trades;
};

TEST_CASE("what a format cannot do is refused when the graph is built, all at once", "[formats]") {
  const absl::Status status = testing::RunJob([&](Environment& env, const Args&) {
    auto in = env.source("in", collection::Source<std::string>{});
    in.flat_map(csv::parse<Nested>()).sink("a", collect::Sink<Nested>{});
    in.flat_map(json::parse<int64_t>()).sink("b", collect::Sink<int64_t>{});
    in.flat_map(json::parse<Nested>()).map(csv::write<Nested>()).sink("c", collect::Sink<std::string>{});
  });
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(MessageOf(status), Catch::Contains("flat_map: CSV of Nested: trades is a list") &&
                                    Catch::Contains("JSON records are structs") &&
                                    Catch::Contains("map: CSV of Nested"));
}

}  // namespace
}  // namespace penstock
