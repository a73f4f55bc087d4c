// The code of docs/testing_jobs.md, compiled and run. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <string>

using namespace penstock;

struct Click {
  std::string user;
  int64_t time_ms = 0;
};

struct CountClicks {
  ValueState<int64_t> clicks{"clicks"};
  Counter* all = nullptr;

  void open(Context& context) { all = &context.counter("all"); }
  void operator()(const Click&, KeyedContext<std::string>& context, Collector<std::string>& out) {
    all->Add();
    out.emit(fmt::format("{} {}", context.key(), ++clicks.mutable_value()));
  }
};

struct Allowed {
  BroadcastState<std::string, bool> blocked{"blocked"};
  void process(const Click& click, ProcessContext&, Collector<std::string>& out) {
    if (!blocked.contains(click.user)) out.emit(click.user);
  }
  void process_broadcast(const std::string& user, BroadcastContext& context, Collector<std::string>&) {
    blocked.put(context, user, true);
  }
};

absl::StatusOr<Click> ParseClick(const std::string& line) {
  if (line.empty()) return absl::InvalidArgumentError("an empty line");
  return Click{.user = line};
}

// What the job and its tests share: a function from stream to stream.
DataStream<WindowResult<std::string, int64_t>> ClicksPerMinute(DataStream<Click> clicks) {
  return clicks.watermarks(bounded_disorder<Click>(5s, &Click::time_ms).idle_after(30s))
      .key_by(&Click::user)
      .window(tumbling(1min))
      .aggregate("per-minute", Count{});
}

TEST_CASE("A keyed function, its state and its metrics") {
  testing::Harness<Click> harness;
  auto out = harness.output(harness.input().key_by(&Click::user).process<std::string>("counts", CountClicks{}));
  harness.push({.user = "ann"});
  harness.push({.user = "bob"});
  harness.push({.user = "ann"}, 1'000);  // with a timestamp

  CHECK(out.values() == std::vector<std::string>{"ann 1", "bob 1", "ann 2"});
  CHECK(out.records()[2].timestamp == 1'000);
  CHECK(*harness.state<int64_t>("counts", "ann", "clicks") == 2);
  CHECK(harness.metric("counts.all") == 3);
}

TEST_CASE("Two inputs") {
  testing::Harness<Click> harness;
  auto blocked = harness.add_input<std::string>();
  auto out = harness.output(harness.input()
                                .connect(blocked.stream().without_time().broadcast())
                                .process<std::string>(Allowed{})
                                .uid("allowed"));
  harness.push({.user = "ann"});
  blocked.push("ann");
  harness.push({.user = "ann"});
  CHECK(out.values() == std::vector<std::string>{"ann"});
}

TEST_CASE("A window, with watermarks given by hand") {
  testing::Harness<Click> harness;
  auto counts =
      harness.output(harness.input().key_by(&Click::user).window(tumbling(1min)).aggregate("per-minute", Count{}));
  harness.push({.user = "ann"}, 1'000);
  harness.push({.user = "ann"}, 59'999);
  CHECK(counts.values().empty());
  harness.watermark(59'999);
  REQUIRE(counts.values().size() == 1);
  CHECK(counts.values()[0].value == 2);

  harness.push({.user = "ann"}, 2'000);
  CHECK(harness.late_records() == 1);
}

TEST_CASE("A piece with its own watermarks, and processing time") {
  testing::Harness<Click> harness;
  auto counts = harness.output(ClicksPerMinute(harness.input()));
  harness.push({.user = "ann", .time_ms = 1'000});
  harness.push({.user = "bob", .time_ms = 64'999});
  CHECK(counts.values().empty());
  harness.push({.user = "bob", .time_ms = 65'000});  // five seconds beyond the minute
  CHECK(counts.values().size() == 1);
  CHECK(counts.watermark() == 59'999);

  harness.caught_up();  // its input is read to the end
  harness.advance(30s);
  CHECK(counts.idle());
  harness.finish();  // the end of the input: what is open fires
  CHECK(counts.values().size() == 2);
}

TEST_CASE("Side outputs and failures") {
  testing::Harness<std::string> harness;
  auto parsed = harness.input().flat_map(ParseClick).on_error(side_output);
  auto good = harness.output(parsed);
  auto malformed = harness.output(parsed.malformed());
  harness.push("ann");
  harness.push("");
  CHECK(good.values().size() == 1);
  CHECK(malformed.values()[0].reason == "an empty line");

  testing::Harness<std::string> strict;
  strict.output(strict.input().flat_map(ParseClick).on_error(fail));
  strict.push("");
  CHECK(strict.failure().message() == "malformed record: an empty line");
}

TEST_CASE("A whole job") {
  collect::Results<WindowResult<std::string, int64_t>> results;
  const absl::Status end = testing::RunJob(
      [&](Environment& env, const Args&) {
        const collection::Source<Click> clicks{.records = {{"ann", 1'000}, {"bob", 2'000}, {"ann", 3'000}}};
        ClicksPerMinute(env.source("clicks", clicks))
            .sink("out", collect::Sink<WindowResult<std::string, int64_t>>{results});
      },
      {.parallelism = 2, .taskmanagers = 2});
  INFO(end);
  REQUIRE(end.ok());
  CHECK(results.size() == 2);
}
