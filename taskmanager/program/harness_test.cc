// <penstock/testing.h>: the harness drives the engine's operators step by step.
#include <penstock/testing.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <stdexcept>

namespace penstock::testing {
namespace {

struct Click {
  std::string user;
  int64_t time = 0;
  int32_t amount = 1;
};

struct Mean {
  struct Accumulator {
    int64_t sum = 0;
    int64_t count = 0;
  };
  void add(Accumulator& a, const Click& click) const {
    a.sum += click.amount;
    ++a.count;
  }
  double result(const Accumulator& a) const { return static_cast<double>(a.sum) / static_cast<double>(a.count); }
};

// Emits the running total of a user, and counts clicks.
struct Total {
  ValueState<int64_t> total{"total"};
  ValueState<std::string> last{"last"};
  Counter* clicks = nullptr;

  void open(Context& context) { clicks = &context.counter("clicks"); }
  void operator()(const Click& click, KeyedContext<std::string>& context, Collector<int64_t>& out) {
    clicks->Add();
    if (click.amount < 0) {
      total.clear();
      return;
    }
    last.set(context.key() + "@" + std::to_string(context.timestamp()) + "/" + std::to_string(context.watermark()));
    out.emit(total.mutable_value() += click.amount);
  }
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("A harness runs map, filter and flat_map, and passes time through", "[harness]") {
  Harness<int> harness;
  auto texts = harness.output(harness.input()
                                  .filter([](const int& i) { return i % 2 == 1; })
                                  .flat_map([](const int& i) { return std::vector<int>(i, i); })
                                  .map([](const int& i) { return std::to_string(i); }));
  CHECK(harness.open().ok());
  harness.push(1, 10);
  harness.push(2, 20);
  harness.push(3, 30);
  CHECK(texts.values() == std::vector<std::string>{"1", "3", "3", "3"});
  CHECK(texts.records()[1] == HarnessRecord<std::string>{"3", 30});
  CHECK(texts.watermark() == kNoTimestamp);
  harness.watermark(25);
  CHECK(texts.watermark() == 25);
  harness.idle();
  CHECK(texts.idle());
  harness.idle(false);
  CHECK_FALSE(texts.idle());
  texts.clear();
  harness.push(5);
  CHECK(texts.records().size() == 5);
  CHECK(texts.records()[0].timestamp == kNoTimestamp);
  harness.finish();
  CHECK(texts.watermark() == kMaxWatermark);
  harness.push(7);  // after the end
  CHECK(texts.records().size() == 5);
}

TEST_CASE("A harness has several outputs, side outputs among them", "[harness]") {
  Harness<Bytes> harness;
  auto parsed = harness.input()
                    .flat_map([](const Bytes& bytes) -> absl::StatusOr<int> {
                      if (bytes.empty()) return absl::InvalidArgumentError("nothing in it");
                      return static_cast<int>(bytes.size());
                    })
                    .on_error(side_output);
  auto malformed = harness.output(parsed.malformed());
  auto sizes = harness.output(parsed);
  auto raw = harness.output(harness.input());
  harness.push(Bytes("abc"));
  harness.push(Bytes(""), 7);
  CHECK(sizes.values() == std::vector<int>{3});
  REQUIRE(malformed.records().size() == 1);
  CHECK(malformed.values()[0].reason == "nothing in it");
  CHECK(malformed.records()[0].timestamp == 7);
  CHECK(raw.values() == std::vector<std::string>{"abc", ""});
  CHECK(harness.malformed_records() == 1);
  CHECK(harness.failure().ok());
}

TEST_CASE("Windows fire by the watermarks that the test gives, late records are counted", "[harness]") {
  Harness<Click> harness;
  auto means = harness.output(
      harness.input().key_by(&Click::user).window(tumbling(std::chrono::seconds(1))).aggregate("m", Mean{}));
  harness.push({"ann", 0, 2}, 100);
  harness.push({"bob", 0, 5}, 200);
  harness.push({"ann", 0, 4}, 999);
  harness.push({"ann", 0, 7}, 1'000);
  CHECK(means.values().empty());
  harness.watermark(998);
  CHECK(means.values().empty());
  harness.watermark(999);
  REQUIRE(means.records().size() == 2);
  for (const auto& record : means.records()) {
    CHECK(record.timestamp == 999);
    CHECK(record.value.start == 0);
    CHECK(record.value.end == 1'000);
    CHECK(record.value.value == (record.value.key == "ann" ? 3.0 : 5.0));
  }
  CHECK(means.watermark() == 999);
  harness.push({"ann", 0, 1}, 500);
  CHECK(harness.late_records() == 1);
  harness.finish();
  REQUIRE(means.records().size() == 3);
  CHECK(means.values()[2].value == 7.0);
}

TEST_CASE("A fire of more keys than one slice is run to its end", "[harness]") {
  Harness<Click> harness;
  auto counts = harness.output(
      harness.input().key_by(&Click::user).window(tumbling(std::chrono::seconds(1))).aggregate("n", Count{}));
  for (int i = 0; i < 3 * kFireSliceRows + 1; ++i) harness.push({std::to_string(i)}, 0);
  harness.watermark(999);
  CHECK(counts.values().size() == 3 * kFireSliceRows + 1);
}

TEST_CASE("Watermark strategies run by records and by processing time", "[harness][once]") {
  Harness<Click> harness({.now_ms = 1'000'000});
  auto out = harness.output(harness.input().watermarks(
      bounded_disorder<Click>(std::chrono::milliseconds(50), &Click::time).idle_after(std::chrono::seconds(10))));
  harness.push({"ann", 1'000});
  CHECK(out.watermark() == 949);
  CHECK(out.records()[0].timestamp == 1'000);
  harness.push({"ann", 900});
  CHECK(out.watermark() == 949);
  harness.advance(std::chrono::minutes(1));
  CHECK_FALSE(out.idle());  // a source that is behind is not idle
  harness.caught_up();
  harness.advance(std::chrono::milliseconds(9'999));
  CHECK_FALSE(out.idle());
  harness.advance(std::chrono::milliseconds(60'001));
  CHECK(out.idle());
  harness.push({"ann", 2'000});
  CHECK_FALSE(out.idle());
  CHECK(out.watermark() == 1'949);
  CHECK(harness.now_ms() == 1'130'000);
}

TEST_CASE("A keyed function's state and metrics can be read", "[harness][once]") {
  Harness<Click> harness;
  auto totals = harness.output(harness.input().key_by(&Click::user).process<int64_t>("totals", Total{}));
  harness.push({"ann", 0, 2}, 10);
  harness.watermark(11);
  harness.push({"ann", 0, 3}, 12);
  harness.push({"bob", 0, 1}, 13);
  CHECK(totals.values() == std::vector<int64_t>{2, 5, 1});
  CHECK(*harness.state<int64_t>("totals", "ann", "total") == 5);
  CHECK(*harness.state<std::string>("totals", std::string("bob"), "last") == "bob@13/11");
  CHECK(absl::IsNotFound(harness.state<int64_t>("totals", "eve", "total").status()));
  harness.push({"ann", 0, -1}, 14);
  CHECK(absl::IsNotFound(harness.state<int64_t>("totals", "ann", "total").status()));
  CHECK(harness.metric("totals.clicks") == 4);
  CHECK(harness.metric("totals.nothing") == 0);

  const auto message = [](const auto& state) { return std::string(state.status().message()); };
  CHECK(message(harness.state<int32_t>("totals", "ann", "total")) == "state 'total' is of type int64, not int32");
  CHECK(message(harness.state<int64_t>("totals", "ann", "sum")) == "no state 'sum' is declared");
  CHECK(message(harness.state<int64_t>("other", "ann", "total")) ==
        "no keyed function 'other' with keys of type string");
  CHECK(message(harness.state<int64_t>("totals", int64_t{1}, "total")) ==
        "no keyed function 'totals' with keys of type int64");
}

// Says how often a user clicked once they have been silent for a second of event time, or ten seconds altogether.
struct Silence {
  ListState<int64_t> times{"times"};

  void operator()(const Click& click, KeyedContext<std::string>& context, Collector<std::string>&) {
    if (!times.empty()) context.delete_event_time_timer(times.values().back() + 1'000);
    times.add(click.time);
    context.register_event_time_timer(click.time + 1'000);
    context.register_processing_time_timer(context.processing_time() + 10'000);
  }
  void on_timer(TimestampMs time, KeyedContext<std::string>& context, Collector<std::string>& out) {
    out.emit(context.key() + " " + std::to_string(times.values().size()) + " at " + std::to_string(time));
    times.clear();
  }
};

TEST_CASE("Timers fire by the watermarks and the processing time that the test gives", "[harness]") {
  Harness<Click> harness({.now_ms = 100'000});
  auto out = harness.output(harness.input().key_by(&Click::user).process<std::string>("silence", Silence{}));
  harness.push({"ann", 10});
  harness.push({"bob", 500});
  harness.push({"ann", 700});
  CHECK(harness.event_time_timers("silence") == 2);
  CHECK(harness.processing_time_timers("silence") == 2);  // ann's are of one time
  CHECK(*harness.state<std::vector<int64_t>>("silence", "ann", "times") == std::vector<int64_t>{10, 700});
  harness.watermark(1'499);
  CHECK(out.values().empty());
  harness.watermark(1'500);
  CHECK(out.values() == std::vector<std::string>{"bob 1 at 1500"});
  CHECK(out.watermark() == 1'500);
  out.clear();
  harness.advance(std::chrono::milliseconds(9'999));
  CHECK(out.values().empty());
  harness.advance(std::chrono::milliseconds(1));
  auto fired = out.values();
  std::sort(fired.begin(), fired.end());  // timers of one time fire in the order of their key groups
  CHECK(fired == std::vector<std::string>{"ann 2 at 110000", "bob 0 at 110000"});
  CHECK(harness.processing_time_timers("silence") == 0);
  CHECK(harness.event_time_timers("silence") == 1);
  CHECK(harness.event_time_timers("nobody") == 0);
}

// Says in what order its calls came, and throws when told.
struct Fussy {
  std::shared_ptr<std::string> log;
  void open(Context& context) {
    *log += "open " + std::to_string(context.subtask()) + "/" + std::to_string(context.parallelism()) + "#" +
            std::to_string(context.attempt());
  }
  int operator()(const int& i) const {
    if (i < 0) throw std::runtime_error("negative");
    return i;
  }
  void close() const { *log += ", close"; }
};

TEST_CASE("Functions are opened and closed, and their exceptions reach the test", "[harness][once]") {
  const auto log = std::make_shared<std::string>();
  {
    Harness<int> harness({.subtask = 1, .parallelism = 3, .attempt = 2});
    auto out = harness.output(harness.input().map(Fussy{log}).name("fussy"));
    harness.push(1);
    CHECK(*log == "open 1/3#2");
    CHECK_THROWS_WITH(harness.push(-1), "negative");
    CHECK(harness.failing_operator() == "fussy");
    CHECK(absl::IsAborted(harness.failure()));
    harness.push(2);
    CHECK(out.values() == std::vector<int>{1});
  }
  CHECK(*log == "open 1/3#2, close");
}

TEST_CASE("What fails a task ends the harness", "[harness]") {
  Harness<int> harness;
  auto out = harness.output(harness.input()
                                .flat_map([](const int& i) -> absl::StatusOr<int> {
                                  if (i < 0) return absl::InvalidArgumentError("negative");
                                  return i;
                                })
                                .on_error(fail));
  harness.push(1);
  harness.push(-1);
  harness.push(2);
  CHECK(out.values() == std::vector<int>{1});
  CHECK(harness.failure().message() == "malformed record: negative");
  CHECK(harness.failing_operator() == "flat_map");

  Harness<Click> window;
  window.output(window.input().key_by(&Click::user).window(tumbling(std::chrono::seconds(1))).aggregate("n", Count{}));
  window.push({"ann"});
  CHECK(Has(std::string(window.failure().message()), "put .watermarks(...) before .key_by"));
}

TEST_CASE("A union's time is the minimum of its inputs", "[harness]") {
  Harness<int> harness;
  auto more = harness.add_input<int>();
  auto out = harness.output(harness.input().union_with(more.stream()));
  harness.push(1, 10);
  more.push(2, 20);
  CHECK(out.values() == std::vector<int>{1, 2});
  harness.watermark(100);
  CHECK(out.watermark() == kNoTimestamp);
  more.watermark(50);
  CHECK(out.watermark() == 50);
  more.idle();
  CHECK(out.watermark() == 100);
  CHECK_FALSE(out.idle());
  harness.idle();
  CHECK(out.idle());
  more.idle(false);
  CHECK_FALSE(out.idle());
  harness.finish();
  CHECK(out.watermark() == kMaxWatermark);
}

TEST_CASE("A graph that a harness cannot stand for is refused with all its errors", "[harness]") {
  Harness<int> empty;
  CHECK(Has(std::string(empty.open().message()), "no sink"));
  empty.push(1);  // does nothing

  Harness<int> harness;
  auto more = harness.input().environment().source("more", collection::Source<int>{.records = {1}});
  harness.output(harness.input().union_with(more));
  CHECK(Has(std::string(harness.open().message()), "source 'more': a harness has inputs of its own, see add_input"));

  Harness<Click> keyed({.parallelism = 2});
  keyed.output(keyed.input().key_by(&Click::user).process<int64_t>("totals", Total{}));
  CHECK(Has(std::string(keyed.open().message()), "set the harness's parallelism to 1"));
}

TEST_CASE("Sinks run in a harness too", "[harness]") {
  Harness<int> harness;
  collect::Results<int> results;
  harness.input().sink("out", collect::Sink<int>{results});
  harness.push(4);
  harness.finish();
  harness.close();
  CHECK(results.values() == std::vector<int>{4});
}

struct Marked {
  int64_t time = 0;
  bool complete = false;  // nothing before its time follows
};
struct ByMarker {
  void on_event(const Marked& event, TimestampMs time, WatermarkOutput& out) {
    if (event.complete) out.emit(time - 1);
  }
};
struct Trailing {
  TimestampMs largest = 0;
  void on_event(const Marked&, TimestampMs time, WatermarkOutput&) { largest = std::max(largest, time); }
  void on_periodic(WatermarkOutput& out) { out.emit(largest - 100); }
};

TEST_CASE("Watermarks come from generators of one's own, at once or between polls", "[harness][once]") {
  SECTION("punctuated") {
    Harness<Marked> harness;
    auto out = harness.output(harness.input().watermarks(generated_by<Marked>(ByMarker{}, &Marked::time)));
    harness.push({50, false});
    CHECK(out.records()[0].timestamp == 50);
    CHECK(out.watermark() == kNoTimestamp);
    harness.push({70, true});
    CHECK(out.watermark() == 69);
    harness.push({60, true});  // it never goes back
    CHECK(out.watermark() == 69);
    harness.finish();
    CHECK(out.watermark() == kMaxWatermark);
  }
  SECTION("periodic") {
    Harness<Marked> harness;
    auto out = harness.output(harness.input().watermarks(
        generated_by<Marked>(Trailing{}, &Marked::time).idle_after(std::chrono::seconds(5))));
    harness.push({500});
    CHECK(out.watermark() == 400);
    harness.push({450});
    CHECK(out.watermark() == 400);
    harness.caught_up();
    harness.advance(std::chrono::seconds(6));
    CHECK(out.idle());
    harness.push({900});
    CHECK_FALSE(out.idle());
    CHECK(out.watermark() == 800);
  }
}

}  // namespace
}  // namespace penstock::testing
