// Visits to a site: clicks of a user that come at most half an hour apart, with what happened in them.
//
//   sessions [--clicks N] [--users N] [--gap-minutes N] [--out DIRECTORY]
//
// The clicks are made up, the same ones in every run. A click that comes after its visit was told goes aside.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <algorithm>
#include <string>

using namespace penstock;

namespace {

struct Click {
  int64_t user = 0;
  std::string page;
  int64_t time_ms = 0;
};

struct Visit {
  int64_t clicks = 0;
  int64_t first_ms = 0;
  int64_t last_ms = 0;
  bool bought = false;
};

struct Visits {
  using Accumulator = Visit;
  void add(Visit& visit, const Click& click) const {
    merge(visit, {.clicks = 1, .first_ms = click.time_ms, .last_ms = click.time_ms, .bought = click.page == "thanks"});
  }
  void merge(Visit& into, const Visit& from) const {
    if (into.clicks == 0) {
      into = from;
      return;
    }
    into.clicks += from.clicks;
    into.first_ms = std::min(into.first_ms, from.first_ms);
    into.last_ms = std::max(into.last_ms, from.last_ms);
    into.bought |= from.bought;
  }
  Visit result(const Visit& visit) const { return visit; }
};

// Users come back now and then, at their own pace; every tenth click comes up to a minute late.
Click make_click(uint64_t index, datagen::Random& random, int64_t users) {
  constexpr const char* kPages[] = {"home", "search", "product", "basket", "thanks"};
  Click click;
  click.user = static_cast<int64_t>(random.Below(static_cast<uint64_t>(users)));
  click.page = kPages[random.Below(5)];
  click.time_ms = static_cast<int64_t>(index) * 2'000;
  if (random.Below(10) == 0) click.time_ms -= static_cast<int64_t>(random.Below(60'000));
  return click;
}

std::string to_csv(const WindowResult<int64_t, Visit>& result) {
  const Visit& visit = result.value;
  return fmt::format("{},{},{},{},{}", result.key, visit.first_ms, visit.last_ms, visit.clicks,
                     visit.bought ? "bought" : "left");
}

}  // namespace

PENSTOCK_JOB("sessions", (Environment & env, const Args& args)) {
  const int64_t users = args.get_int("users", 500);
  auto visits =
      env.source("clicks", datagen::Source<Click>{.generate =
                                                      [users](uint64_t index, datagen::Random& random) {
                                                        return make_click(index, random, users);
                                                      },
                                                  .count = static_cast<uint64_t>(args.get_int("clicks", 100'000))})
          .watermarks(bounded_disorder<Click>(1min, &Click::time_ms))
          .key_by(&Click::user)
          .window(session(std::chrono::minutes(args.get_int("gap-minutes", 30))))
          .aggregate("visits", Visits{});
  visits.side_output<Click>("late")
      .map([](const Click& click) { return fmt::format("late: {} at {}", click.user, click.time_ms); })
      .name("late clicks")
      .sink("late", print::Sink{});
  auto lines = visits.map(to_csv).name("to csv");
  if (args.has("out")) {
    lines.sink("out", file::Sink{.path = args["out"]});
  } else {
    lines.sink("out", print::Sink{});
  }
}
