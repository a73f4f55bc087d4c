#include <penstock/testing.h>

#include <stdexcept>

#include "catch2/catch.hpp"

namespace penstock::testing {
namespace {

struct Split {
  SideOutput<std::string> odd{"odd"};
  SideOutput<int64_t> large{"large"};

  void Route(int value) {
    if (value % 2 != 0) odd.emit(std::to_string(value));
    if (value >= 100) large.emit(value, 1'000 + value);
  }
};
struct SplitMap : Split {
  int operator()(const int& value) {
    Route(value);
    return -value;
  }
};
struct SplitFilter : Split {
  bool operator()(const int& value) {
    Route(value);
    return value % 2 == 0;
  }
};
struct SplitParse : Split {
  absl::StatusOr<int> operator()(const int& value) {
    Route(value);
    if (value == 13) return absl::InvalidArgumentError("unlucky");
    return -value;
  }
};
struct SplitProcess : Split {
  void operator()(const int& value, ProcessContext&, Collector<int>& out) {
    Route(value);
    out.emit(-value);
  }
};

template <class Stream>
void CheckSplit(Harness<int>& harness, Stream stream, const std::vector<int>& main_values) {
  auto main = harness.output(stream);
  auto odd = harness.output(stream.template side_output<std::string>("odd"));
  auto large = harness.output(stream.template side_output<int64_t>("large"));
  harness.push(3, 10);
  harness.push(104, 20);
  harness.push(105, 30);
  harness.watermark(25);
  CHECK(main.values() == main_values);
  CHECK(odd.values() == std::vector<std::string>{"3", "105"});
  CHECK(odd.records()[1].timestamp == 30);
  CHECK(large.values() == std::vector<int64_t>{104, 105});
  CHECK(large.records()[0].timestamp == 1'104);
  CHECK(odd.watermark() == 25);
  CHECK(large.watermark() == 25);
  harness.idle();
  CHECK(odd.idle());
  harness.finish();
  CHECK(large.watermark() == kMaxWatermark);
  CHECK(harness.failure().ok());
}

TEST_CASE("map, filter, flat_map and process have side outputs", "[harness][side]") {
  SECTION("map") {
    Harness<int> harness;
    CheckSplit(harness, harness.input().map(SplitMap{}), {-3, -104, -105});
  }
  SECTION("filter") {
    Harness<int> harness;
    CheckSplit(harness, harness.input().filter(SplitFilter{}), {104});
  }
  SECTION("flat_map") {
    Harness<int> harness;
    CheckSplit(harness, harness.input().flat_map(SplitParse{}), {-3, -104, -105});
  }
  SECTION("process") {
    Harness<int> harness;
    CheckSplit(harness, harness.input().process<int>(SplitProcess{}), {-3, -104, -105});
  }
}

TEST_CASE("What flat_map finds malformed stands beside its function's own side outputs", "[harness][side]") {
  Harness<int> harness;
  auto parsed = harness.input().flat_map(SplitParse{}).on_error(side_output);
  auto malformed = harness.output(parsed.malformed());
  auto odd = harness.output(parsed.side_output<std::string>("odd"));
  harness.push(13);
  harness.push(15);
  CHECK(odd.values() == std::vector<std::string>{"13", "15"});
  REQUIRE(malformed.values().size() == 1);
  CHECK(malformed.values()[0].reason == "unlucky");
}

TEST_CASE("A side output that nobody reads drops what comes", "[harness][side]") {
  Harness<int> harness;
  auto main = harness.output(harness.input().map(SplitMap{}));
  harness.push(105, 1);
  CHECK(main.values() == std::vector<int>{-105});
  CHECK(harness.failure().ok());
}

struct Reminder {
  SideOutput<std::string> late{"late"};
  ValueState<int> last{"last"};
  void operator()(const int& value, KeyedContext<int>& context, Collector<int>& out) {
    last.set(value);
    context.register_event_time_timer(context.timestamp() + 100);
    out.emit(value);
  }
  void on_timer(TimestampMs, KeyedContext<int>& context, Collector<int>&) {
    late.emit("key " + std::to_string(context.key()) + " has " + std::to_string(last.value()));
  }
};

TEST_CASE("A keyed function's timers emit into side outputs, at the timer's time", "[harness][side]") {
  Harness<int> harness;
  auto stream = harness.input().key_by([](const int& v) { return v % 10; }).process<int>("remind", Reminder{});
  auto late = harness.output(stream.side_output<std::string>("late"));
  harness.push(21, 1'000);
  harness.push(32, 1'050);
  harness.watermark(1'120);
  REQUIRE(late.records().size() == 1);
  CHECK(late.values()[0] == "key 1 has 21");
  CHECK(late.records()[0].timestamp == 1'100);
  harness.finish();
  CHECK(late.values().size() == 2);
}

struct Both {
  SideOutput<int> from_second{"second"};
  void process1(const int& value, ProcessContext&, Collector<int>& out) { out.emit(value); }
  void process2(const std::string& value, ProcessContext&, Collector<int>&) {
    from_second.emit(static_cast<int>(value.size()));
  }
};

TEST_CASE("A function of two inputs has side outputs", "[harness][side]") {
  Harness<int> harness;
  auto second = harness.add_input<std::string>();
  auto stream = harness.input().connect(second.stream()).process<int>(Both{});
  auto main = harness.output(stream);
  auto side = harness.output(stream.side_output<int>("second"));
  harness.push(1, 1);
  second.push("four", 7);
  CHECK(main.values() == std::vector<int>{1});
  REQUIRE(side.records().size() == 1);
  CHECK(side.records()[0] == HarnessRecord<int>{4, 7});
  harness.watermark(5);
  CHECK(side.watermark() == kNoTimestamp);
  second.watermark(4);
  CHECK(side.watermark() == 4);
}

struct Twice {
  SideOutput<int> a{"same"};
  SideOutput<int> b{"same"};
  int operator()(const int& value) { return value; }
};

TEST_CASE("Wrong names and types of side outputs are refused when the graph is built", "[harness][side]") {
  Harness<int> harness;
  auto stream = harness.input().map(SplitMap{}).name("route");
  stream.side_output<std::string>("even");
  stream.side_output<int>("odd");
  harness.input().map([](const int& v) { return v; }).side_output<int>("x");
  harness.input().map(Twice{});
  const std::string error = std::string(harness.open().message());
  CHECK_THAT(error, Catch::Contains("operator 'route' has no side output 'even': it has odd, large"));
  CHECK_THAT(error, Catch::Contains("side output 'odd' of operator 'route' is of string, not of"));
  CHECK_THAT(error, Catch::Contains("has no side output 'x': it has none"));
  CHECK_THAT(error, Catch::Contains("two side outputs 'same' in one function"));
}

TEST_CASE("A side output outside of a stream's function throws", "[harness][side]") {
  SideOutput<int> lonely{"lonely"};
  CHECK_THROWS_WITH(lonely.emit(1), Catch::Contains("'lonely' is in no function of a stream"));
}

TEST_CASE("Side outputs reach other tasks", "[cluster][side]") {
  std::vector<int> values;
  for (int i = 0; i < 500; ++i) values.push_back(i);
  collect::Results<std::string> odd;
  collect::Results<int> main;
  const absl::Status status = RunJob(
      [&](Environment& env, const Args&) {
        auto stream = env.source("in", collection::Source<int>(values)).rebalance().map(SplitMap{}).parallelism(2);
        stream.side_output<std::string>("odd")
            .rebalance()
            .map([](const std::string& s) { return s + "!"; })
            .parallelism(3)
            .sink("odd", collect::Sink(odd));
        stream.sink("main", collect::Sink(main));
      },
      {.parallelism = 2, .taskmanagers = 2});
  REQUIRE(status.ok());
  CHECK(main.values().size() == 500);
  CHECK(odd.values().size() == 250);
}

}  // namespace
}  // namespace penstock::testing
