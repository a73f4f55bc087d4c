// The states of a keyed function, their TTL, and its timers, driven step by step.
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace penstock::testing {
namespace {

using namespace std::chrono_literals;

struct Event {
  std::string key;
  std::string command;
  int64_t number = 0;
};

// Does to its states what the event says, and tells what is in them.
struct Everything {
  ValueState<int64_t> value{"value", Ttl{1s}};
  ListState<int64_t> list{"list"};
  MapState<std::string, int64_t> map{"map", Ttl{1s, on_read_and_write}};
  ReducingState<int64_t> largest{"largest", [](const int64_t& a, const int64_t& b) { return std::max(a, b); }};
  AggregatingState<Count> count{"count"};

  void operator()(const Event& event, KeyedContext<std::string>& context, Collector<std::string>& out) {
    if (event.command == "set") {
      value.set(event.number);
      list.add(event.number);
      map.put("n" + std::to_string(event.number), event.number);
      largest.add(event.number);
      count.add(event.number);
    } else if (event.command == "clear") {
      value.clear();
      list.clear();
      map.clear();
      largest.clear();
      count.clear();
    } else if (event.command == "read map") {
      out.emit(std::to_string(map.get("n1").value_or(-1)));
    } else if (event.command == "timer") {
      context.register_event_time_timer(event.number);
      context.register_event_time_timer(event.number);
    } else if (event.command == "no timer") {
      context.delete_event_time_timer(event.number);
    } else if (event.command == "later") {
      context.register_processing_time_timer(context.processing_time() + event.number);
    } else {
      std::string text = std::to_string(value.value_or(-1)) + " |";
      for (const int64_t number : list.values()) text += " " + std::to_string(number);
      text += " |";
      map.for_each(
          [&](const std::string& key, const int64_t& number) { text += " " + key + "=" + std::to_string(number); });
      text += " | " + std::to_string(largest.get().value_or(-1)) + " | " + std::to_string(count.get().value_or(-1));
      out.emit(text);
    }
  }
  void on_timer(TimestampMs time, KeyedContext<std::string>& context, Collector<std::string>& out) {
    out.emit(context.key() + " at " + std::to_string(time) + " with " + std::to_string(value.value_or(-1)));
    if (time == 100) context.register_event_time_timer(150);
  }
};

struct KeyedHarness {
  Harness<Event> harness;
  Output<std::string> out =
      harness.output(harness.input().key_by(&Event::key).process<std::string>("all", Everything{}));
  std::string Last() { return out.values().empty() ? "" : out.values().back(); }
};

TEST_CASE("every kind of state keeps to its key", "[keyed]") {
  KeyedHarness test;
  test.harness.push({"a", "set", 3});
  test.harness.push({"a", "set", 1});
  test.harness.push({"b", "set", 7});
  test.harness.push({"a", "show"});
  CHECK(test.Last() == "1 | 3 1 | n1=1 n3=3 | 3 | 2");
  test.harness.push({"b", "show"});
  CHECK(test.Last() == "7 | 7 | n7=7 | 7 | 1");
  test.harness.push({"a", "clear"});
  test.harness.push({"a", "show"});
  CHECK(test.Last() == "-1 | | | -1 | -1");
  CHECK(test.harness.failure().ok());
}

TEST_CASE("an expired value is never seen, and reading renews where that was asked for", "[keyed]") {
  KeyedHarness test;
  test.harness.push({"a", "set", 1});
  test.harness.advance(600ms);
  test.harness.push({"a", "read map"});
  CHECK(test.Last() == "1");
  test.harness.advance(600ms);
  test.harness.push({"a", "show"});
  CHECK(test.Last() == "-1 | 1 | n1=1 | 1 | 1");
  test.harness.advance(1000ms);
  test.harness.push({"a", "show"});
  CHECK(test.Last() == "-1 | 1 | | 1 | 1");
}

TEST_CASE("timers fire once per key and time, in order, before the watermark goes on", "[keyed]") {
  KeyedHarness test;
  test.harness.push({"a", "set", 5});
  test.harness.push({"a", "timer", 200});
  test.harness.push({"b", "timer", 100});
  test.harness.push({"a", "timer", 120});
  test.harness.push({"a", "no timer", 120});
  test.harness.watermark(99);
  CHECK(test.out.values().empty());
  test.harness.watermark(199);
  CHECK(test.out.values() == std::vector<std::string>{"b at 100 with -1", "b at 150 with -1"});
  CHECK(test.out.watermark() == 199);
  test.harness.watermark(200);
  CHECK(test.Last() == "a at 200 with 5");
  test.out.clear();
  for (int i = 0; i < 1000; ++i) test.harness.push({"k" + std::to_string(i), "timer", 300});
  test.harness.watermark(300);
  CHECK(test.out.values().size() == 1000);
  CHECK(test.out.watermark() == 300);
}

TEST_CASE("processing-time timers go by the clock", "[keyed]") {
  KeyedHarness test;
  test.harness.push({"a", "later", 500});
  test.harness.advance(400ms);
  CHECK(test.out.values().empty());
  test.harness.advance(100ms);
  REQUIRE(test.out.values().size() == 1);
  CHECK(test.Last().rfind("a at ", 0) == 0);
}

}  // namespace
}  // namespace penstock::testing
