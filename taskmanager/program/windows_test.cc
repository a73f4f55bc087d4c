#include <penstock/testing.h>

#include <algorithm>
#include <map>

#include "catch2/catch.hpp"

namespace penstock::testing {
namespace {

using std::chrono::milliseconds;

struct Hit {
  int key = 0;
  int64_t value = 0;
};
struct Sum {
  using Accumulator = int64_t;
  void add(int64_t& sum, const Hit& hit) const { sum += hit.value; }
  void merge(int64_t& into, const int64_t& from) const { into += from; }
  int64_t result(const int64_t& sum) const { return sum; }
};

template <class Result>
std::vector<int64_t> ValuesOf(const std::vector<Result>& results) {
  std::vector<int64_t> values;
  for (const Result& result : results) values.push_back(result.value);
  return values;
}

TEST_CASE("A count window fires at every so many records of a key, and begins anew", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(harness.input().key_by(&Hit::key).count_window(3).aggregate("c", Sum{}));
  for (int i = 1; i <= 7; ++i) harness.push({1, i}, 10 * i);
  harness.push({2, 100});
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1 + 2 + 3, 4 + 5 + 6});
  CHECK(sums.values()[0].end == kMaxWatermark);
  CHECK(sums.records()[0].timestamp == 30);
  harness.finish();
  CHECK(sums.values().size() == 2);
}

TEST_CASE("A sliding count window has the last so many records", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(harness.input().key_by(&Hit::key).count_window(3, 2).aggregate("c", Sum{}));
  for (int i = 1; i <= 7; ++i) harness.push({1, i});
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1 + 2, 2 + 3 + 4, 4 + 5 + 6});
}

TEST_CASE("A global window fires by its trigger alone; purging empties it", "[windows]") {
  Harness<Hit> harness;
  auto kept = harness.output(
      harness.input().key_by(&Hit::key).window(global()).trigger(every_records(2)).aggregate("kept", Sum{}));
  auto purged = harness.output(
      harness.input().key_by(&Hit::key).window(global()).trigger(purging(every_records(2))).aggregate("p", Sum{}));
  auto never = harness.output(harness.input().key_by(&Hit::key).window(global()).aggregate("never", Sum{}));
  for (int i = 1; i <= 4; ++i) harness.push({1, i}, i);
  harness.finish();
  CHECK(ValuesOf(kept.values()) == std::vector<int64_t>{3, 10});
  CHECK(ValuesOf(purged.values()) == std::vector<int64_t>{3, 7});
  CHECK(never.values().empty());
}

TEST_CASE("A continuous trigger fires early, and the window fires at its end", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(harness.input()
                                 .key_by(&Hit::key)
                                 .window(tumbling(milliseconds(100)))
                                 .trigger(every_event_time(milliseconds(30)))
                                 .aggregate("s", Sum{}));
  harness.push({1, 1}, 10);
  harness.watermark(29);
  CHECK(sums.values().empty());
  harness.watermark(30);
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1});
  harness.push({1, 2}, 50);
  harness.watermark(99);
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1, 3, 3, 3});
  harness.watermark(1'000);
  CHECK(sums.values().size() == 4);
}

TEST_CASE("A continuous trigger of processing time fires early in a window of event time", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(harness.input()
                                 .key_by(&Hit::key)
                                 .window(tumbling(milliseconds(100)))
                                 .trigger(every_processing_time(milliseconds(1'000)))
                                 .aggregate("s", Sum{}));
  harness.push({1, 1}, 10);
  harness.advance(milliseconds(1'000));
  harness.push({1, 2}, 20);
  harness.advance(milliseconds(1'000));
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1, 3});
  harness.push({1, 3}, 30);
  harness.finish();
  CHECK(ValuesOf(sums.values()) == std::vector<int64_t>{1, 3, 6});
}

TEST_CASE("A delta trigger fires when a record is far from the one that fired last", "[windows]") {
  Harness<Hit> harness;
  const auto delta = [](const Hit& old, const Hit& now) { return static_cast<double>(now.value - old.value); };
  auto counts = harness.output(harness.input()
                                   .key_by(&Hit::key)
                                   .window(global())
                                   .trigger(purging(when_delta_above<Hit>(10, delta)))
                                   .aggregate("d", Count{}));
  for (const int64_t value : {1, 5, 11, 12, 20, 23, 100}) harness.push({1, value});
  CHECK(ValuesOf(counts.values()) == std::vector<int64_t>{4, 2, 1});  // at 12, at 23, at 100
}

struct EveryBigOne {
  struct State {
    int64_t seen = 0;
    bool operator==(const State&) const = default;
  };
  TriggerAction on_element(const Hit& hit, const TimeWindow&, State& state, TriggerContext& context) {
    ++state.seen;
    if (hit.value >= 100) context.register_event_time_timer(context.timestamp() + 5);
    return TriggerAction::kContinue;
  }
  TriggerAction on_event_time(TimestampMs, const TimeWindow&, State& state, TriggerContext&) {
    return state.seen >= 2 ? TriggerAction::kFireAndPurge : TriggerAction::kContinue;
  }
  void on_merge(State& into, const State& from) { into.seen += from.seen; }
};

TEST_CASE("A trigger of one's own has state and timers, and merges with its session", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(
      harness.input().key_by(&Hit::key).window(session(milliseconds(20))).trigger(EveryBigOne{}).aggregate("s", Sum{}));
  harness.push({1, 1}, 100);
  harness.push({1, 200}, 130);
  harness.watermark(112);
  CHECK(sums.values().empty());
  harness.push({1, 2}, 115);  // makes one session of the two
  harness.watermark(134);
  CHECK(sums.values().empty());
  harness.watermark(135);
  REQUIRE(ValuesOf(sums.values()) == std::vector<int64_t>{203});
  CHECK(sums.values()[0].start == 100);
  CHECK(sums.values()[0].end == 150);
  harness.finish();
  CHECK(sums.values().size() == 1);  // it does not fire at its end, and was emptied
}

TEST_CASE("Evictors say which records stay out of a window", "[windows]") {
  Harness<Hit> harness;
  auto keyed = harness.input().key_by(&Hit::key).window(tumbling(milliseconds(100)));
  auto last = harness.output(keyed.evictor(keep_last(2)).aggregate("last", Sum{}));
  auto newest = harness.output(keyed.evictor(keep_newest(milliseconds(20))).aggregate("newest", Sum{}));
  const auto delta = [](const Hit& hit, const Hit& last_hit) {
    return static_cast<double>(last_hit.value - hit.value);
  };
  auto within = harness.output(keyed.evictor(keep_within(3, delta)).aggregate("within", Sum{}));
  harness.push({1, 1}, 10);
  harness.push({1, 2}, 50);
  harness.push({1, 3}, 60);
  harness.push({1, 4}, 70);
  harness.watermark(99);
  CHECK(ValuesOf(last.values()) == std::vector<int64_t>{7});
  CHECK(ValuesOf(newest.values()) == std::vector<int64_t>{9});
  CHECK(ValuesOf(within.values()) == std::vector<int64_t>{9});
}

struct Report {
  ValueState<int64_t> windows{"seen"};  // per key
  WindowState<int64_t> fires{"fires"};  // per key and window
  SideOutput<std::string> notes{"notes"};

  void operator()(const int64_t& sum, WindowContext<int>& context, Collector<std::string>& out) {
    if (!fires.has_value()) windows.set(windows.value_or(0) + 1);
    fires.set(fires.value_or(0) + 1);
    out.emit(std::to_string(context.key()) + "@" + std::to_string(context.window().end) + ": " + std::to_string(sum) +
             ", fire " + std::to_string(*fires.get()) + " of window " + std::to_string(windows.value()));
    if (*fires.get() > 1) notes.emit("again");
  }
};

TEST_CASE("A window function has state per key and per window, and side outputs", "[windows]") {
  Harness<Hit> harness;
  auto windowed = harness.input()
                      .key_by(&Hit::key)
                      .window(tumbling(milliseconds(100)))
                      .allowed_lateness(milliseconds(50))
                      .aggregate<std::string>("r", Sum{}, Report{});
  auto reports = harness.output(windowed);
  auto notes = harness.output(windowed.side_output<std::string>("notes"));
  auto late = harness.output(windowed.side_output<Hit>("late"));
  harness.push({1, 1}, 10);
  harness.watermark(120);
  harness.push({1, 2}, 20);  // late, and allowed
  harness.push({1, 4}, 130);
  harness.watermark(149);
  harness.push({1, 8}, 30);  // too late
  harness.watermark(200);
  REQUIRE(harness.failure().message() == "");
  CHECK(reports.values() == std::vector<std::string>{"1@100: 1, fire 1 of window 1", "1@100: 3, fire 2 of window 1",
                                                     "1@200: 4, fire 1 of window 2"});
  CHECK(notes.records()[0].timestamp == 99);
  CHECK(late.values().size() == 1);
  CHECK(late.records()[0].timestamp == 30);
}

struct Median {
  void operator()(const WindowElements<Hit>& hits, WindowContext<int>& context,
                  Collector<std::pair<int, int64_t>>& out) {
    std::vector<int64_t> values;
    for (const Hit& hit : hits) values.push_back(hit.value);
    std::sort(values.begin(), values.end());
    out.emit({context.key(), values[values.size() / 2]});
  }
};

TEST_CASE("process has the records of a window, sliding ones too", "[windows]") {
  Harness<Hit> harness;
  auto medians = harness.output(harness.input()
                                    .key_by(&Hit::key)
                                    .window(sliding(milliseconds(100), milliseconds(50)))
                                    .process<std::pair<int, int64_t>>("m", Median{}));
  for (const auto& [value, time] : std::map<int64_t, int64_t>{{5, 10}, {7, 60}, {9, 70}})
    harness.push({3, value}, time);
  harness.watermark(149);
  CHECK(medians.values() == std::vector<std::pair<int, int64_t>>{{3, 5}, {3, 7}, {3, 9}});
}

TEST_CASE("Windows of processing time go by the clock, and fire when the input ends", "[windows]") {
  Harness<Hit> harness({.now_ms = 1'000});
  auto keyed = harness.input().key_by(&Hit::key);
  auto tumble = harness.output(keyed.window(tumbling(milliseconds(100)).processing_time()).aggregate("t", Sum{}));
  auto slide = harness.output(
      keyed.window(sliding(milliseconds(100), milliseconds(50)).processing_time()).aggregate("s", Sum{}));
  auto visit = harness.output(keyed.window(session(milliseconds(60)).processing_time()).aggregate("v", Sum{}));
  harness.push({1, 1});
  harness.advance(milliseconds(50));
  harness.push({1, 2});
  CHECK(ValuesOf(slide.values()) == std::vector<int64_t>{1});
  harness.advance(milliseconds(50));
  CHECK(ValuesOf(tumble.values()) == std::vector<int64_t>{3});
  CHECK(tumble.values()[0].start == 1'000);
  CHECK(ValuesOf(slide.values()) == std::vector<int64_t>{1, 3});
  CHECK(visit.values().empty());
  harness.advance(milliseconds(10));
  CHECK(ValuesOf(visit.values()) == std::vector<int64_t>{3});
  CHECK(visit.values()[0].end == 1'110);
  harness.push({1, 4});
  harness.finish();
  CHECK(ValuesOf(tumble.values()) == std::vector<int64_t>{3, 4});
  CHECK(ValuesOf(slide.values()) == std::vector<int64_t>{1, 3, 6, 4});
  CHECK(ValuesOf(visit.values()) == std::vector<int64_t>{3, 4});
  CHECK(tumble.watermark() == kMaxWatermark);
}

TEST_CASE("Windows over the whole stream have no key in their result", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.output(harness.input().window_all(tumbling(milliseconds(100))).aggregate("all", Sum{}));
  auto largest =
      harness.output(harness.input().window_all(session(milliseconds(30))).reduce("max", [](auto& a, auto& b) {
        return a.value > b.value ? a : b;
      }));
  auto thirds = harness.output(harness.input().count_window_all(3).aggregate("thirds", Count{}));
  harness.push({1, 1}, 10);
  harness.push({2, 5}, 20);
  harness.push({3, 2}, 90);
  harness.watermark(119);
  REQUIRE(sums.values().size() == 1);
  CHECK(sums.values()[0].value == 8);
  CHECK(sums.values()[0].end == 100);
  REQUIRE(largest.values().size() == 2);
  CHECK(largest.values()[0].value.key == 2);
  CHECK(thirds.values().size() == 1);
}

TEST_CASE("A session's state is gone when it has fired", "[windows]") {
  Harness<Hit> harness;
  auto visits =
      harness.output(harness.input().key_by(&Hit::key).window(session(milliseconds(30))).aggregate("visits", Sum{}));
  for (int i = 0; i < 50; ++i) harness.push({i % 5, 1}, 100 + i);
  harness.watermark(1'000);
  CHECK(visits.values().size() == 5);
  harness.push({1, 7}, 1'100);
  harness.finish();
  REQUIRE(visits.values().size() == 6);
  CHECK(visits.values()[5].value == 7);
}

TEST_CASE("What is wrong with windows is refused when the graph is built, all at once", "[windows]") {
  Harness<Hit> harness;
  auto keyed = harness.input().key_by(&Hit::key);
  keyed.window(tumbling(milliseconds(0))).aggregate("zero", Sum{});
  keyed.window(sliding(milliseconds(10), milliseconds(20))).aggregate("gaps", Sum{});
  keyed.window(sliding(milliseconds(10), milliseconds(-1))).aggregate("backwards", Sum{});
  keyed.window(session(milliseconds(-5))).aggregate("gap", Sum{});
  keyed.window(tumbling(milliseconds(5)).processing_time()).allowed_lateness(milliseconds(1)).aggregate("now", Sum{});
  keyed.window(tumbling(milliseconds(5))).allowed_lateness(milliseconds(-1)).aggregate("early", Sum{});
  keyed.count_window(0).aggregate("none", Sum{});
  keyed.count_window(5, 0).aggregate("still", Sum{});
  keyed.window(global()).trigger(every_records(0)).evictor(keep_last(-1)).aggregate("both", Sum{});
  keyed.window(tumbling(milliseconds(5))).aggregate("", Sum{});
  const std::string error = std::string(harness.open().message());
  for (const char* const part :
       {"window 'zero': a window's size must be above 0 ms, it is 0 ms",
        "window 'gaps': a window's slide must not be above its size", "window 'backwards': a window's size and slide",
        "window 'gap': a session's gap must be above 0 ms, it is -5 ms",
        "window 'now': lateness is allowed in windows of event time only",
        "window 'early': the allowed lateness must be 0 ms or more, it is -1 ms",
        "window 'none': a count window's size", "window 'still': a count window's slide must be above 0",
        "window 'both': a count trigger needs a count above 0, it has 0; a count evictor needs a count above 0",
        "uid"}) {
    INFO(error);
    CHECK_THAT(error, Catch::Contains(part));
  }
}

TEST_CASE("suppress holds a window's results back until it is closed, and lets the last one out", "[windows]") {
  Harness<Hit> harness;
  auto updates = harness.input()
                     .key_by(&Hit::key)
                     .window(tumbling(milliseconds(100)))
                     .trigger(every_records(1))
                     .allowed_lateness(milliseconds(50))
                     .aggregate("sums", Sum{});
  auto last = harness.output(updates.suppress("last", until_window_closes(milliseconds(50))));
  auto all = harness.output(updates);
  harness.push({1, 1}, 10);
  harness.push({2, 2}, 20);
  harness.push({1, 4}, 130);
  harness.watermark(100);
  harness.push({1, 8}, 30);
  CHECK(all.values().size() == 4);
  CHECK(last.values().empty());
  harness.watermark(148);
  CHECK(last.values().empty());
  harness.watermark(149);
  CHECK(ValuesOf(last.values()) == std::vector<int64_t>{2, 9});  // one time, in order of key groups
  CHECK(last.records()[0].timestamp == 99);
  harness.finish();
  CHECK(ValuesOf(last.values()) == std::vector<int64_t>{2, 9, 4});
}

TEST_CASE("suppress that is full fails the job, or tells early", "[windows]") {
  for (const bool early : {false, true}) {
    Harness<Hit> harness;
    auto results = harness.input().key_by(&Hit::key).window(tumbling(milliseconds(10))).trigger(every_records(1));
    const auto policy = until_window_closes().max_records(2).on_overflow(early ? emit_early : fail_when_full);
    auto last = harness.output(results.aggregate("sums", Sum{}).suppress("last", policy));
    harness.push({1, 1}, 25);
    harness.push({2, 2}, 15);
    harness.push({1, 3}, 26);  // of a window it holds
    CHECK(harness.failure().ok());
    harness.push({3, 4}, 35);
    if (early) {
      CHECK(ValuesOf(last.values()) == std::vector<int64_t>{2});
      harness.watermark(100);
      CHECK(ValuesOf(last.values()) == std::vector<int64_t>{2, 4, 4});
    } else {
      CHECK_THAT(std::string(harness.failure().message()), Catch::Contains("suppress holds 3 results"));
    }
  }
}

TEST_CASE("suppress of windows over the whole stream, bounded by bytes", "[windows]") {
  Harness<Hit> harness;
  auto sums = harness.input().window_all(tumbling(milliseconds(10))).trigger(every_records(1)).aggregate("s", Sum{});
  auto last = harness.output(sums.suppress("last", until_window_closes().max_bytes(60).on_overflow(emit_early)));
  for (int i = 0; i < 4; ++i) harness.push({1, i}, 10 * i);
  CHECK(ValuesOf(last.values()) == std::vector<int64_t>{0, 1});
}

TEST_CASE("Aggregates that merge are aggregated before the shuffle", "[windows][once]") {
  Harness<Hit> harness;
  auto keyed = harness.input().key_by(&Hit::key);
  auto sums = harness.output(keyed.window(tumbling(milliseconds(100))).aggregate("sums", Sum{}));
  auto rolling = harness.output(keyed.window(sliding(milliseconds(100), milliseconds(10))).aggregate("rolling", Sum{}));
  auto plain = harness.output(keyed.window(tumbling(milliseconds(100))).without_combining().aggregate("plain", Sum{}));
  int64_t sum = 0;
  for (int i = 0; i < 1'000; ++i) {
    harness.push({i % 4 == 0 ? i % 7 : 1, i}, i % 100);
    sum += i;
  }
  CHECK(harness.metric("combine for sums.combined_parts") == 0);
  harness.watermark(99);
  CHECK(harness.metric("combine for sums.combined_records") == 1'000);
  CHECK(harness.metric("combine for sums.combined_parts") == 7);
  CHECK(harness.metric("combine for rolling.combined_parts") <= 70);
  CHECK(harness.metric("combine for plain.combined_records") == 0);
  int64_t found = 0;
  for (const int64_t value : ValuesOf(sums.values())) found += value;
  CHECK(found == sum);
  CHECK(ValuesOf(sums.values()) == ValuesOf(plain.values()));
}

TEST_CASE("Nothing is combined where the late records are read, nor by reduce", "[windows][once]") {
  Harness<Hit> harness;
  auto keyed = harness.input().key_by(&Hit::key);
  auto sums = keyed.window(tumbling(milliseconds(100))).aggregate("sums", Sum{});
  auto late = harness.output(sums.side_output<Hit>("late"));
  auto out = harness.output(sums);
  auto largest = harness.output(keyed.window(tumbling(milliseconds(100))).reduce("max", [](const Hit& a, const Hit& b) {
    return a.value > b.value ? a : b;
  }));
  harness.push({1, 1}, 10);
  harness.push({1, 2}, 20);
  harness.watermark(99);
  harness.push({1, 4}, 30);
  CHECK(harness.metric("combine for sums.combined_records") == 0);
  CHECK(ValuesOf(out.values()) == std::vector<int64_t>{3});
  CHECK(late.values().size() == 1);
  CHECK(largest.values().size() == 1);
}

TEST_CASE("Combining rests where keys hardly repeat, and is tried again", "[windows]") {
  CombineTrial trial;
  const auto run = [&](int64_t records, int64_t parts_of_hundred) {
    int64_t combined = 0;
    for (int64_t i = 0; i < records; ++i) {
      if (!trial.Take()) continue;
      ++combined;
      if (combined % 100 == 0) trial.Judge(100, parts_of_hundred);
    }
    return combined;
  };
  CHECK(run(100'000, 10) == 100'000);
  const int64_t tried = run(1'000'000, 100);
  CHECK(tried > 2 * kCombineTrialRecords);
  CHECK(tried < 8 * kCombineTrialRecords);  // each rest is twice as long
  run(2 * kCombineRestRecordsMax, 10);      // the rest is over, and it pays again
  CHECK(run(100'000, 10) == 100'000);
}

TEST_CASE("A record without a timestamp fails an event-time window", "[windows]") {
  Harness<Hit> harness;
  harness.output(harness.input().key_by(&Hit::key).window(session(milliseconds(5))).aggregate("s", Sum{}));
  harness.push({1, 1});
  CHECK_THAT(std::string(harness.failure().message()), Catch::Contains("put .watermarks(...) before .key_by"));
}

}  // namespace
}  // namespace penstock::testing
