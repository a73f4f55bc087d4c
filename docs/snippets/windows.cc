// The code of docs/windows.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace penstock;

struct Click {
  std::string user;
  std::string page;
  int64_t time_ms = 0;
  int64_t dwell_ms = 0;
  double price = 0;
};

struct MeanDwell {
  struct Accumulator {
    int64_t sum = 0;
    int64_t count = 0;
  };
  void add(Accumulator& so_far, const Click& click) const {
    so_far.sum += click.dwell_ms;
    ++so_far.count;
  }
  void merge(Accumulator& into, const Accumulator& from) const {
    into.sum += from.sum;
    into.count += from.count;
  }
  int64_t result(const Accumulator& so_far) const { return so_far.sum / so_far.count; }
};

struct MedianDwell {
  void operator()(const WindowElements<Click>& clicks, WindowContext<std::string>& context,
                  Collector<std::string>& out) {
    std::vector<int64_t> dwell;
    for (const Click& click : clicks) dwell.push_back(click.dwell_ms);
    std::sort(dwell.begin(), dwell.end());
    out.emit(fmt::format("{} until {}: {} ms", context.key(), context.window().end, dwell[dwell.size() / 2]));
  }
};

struct Compare {
  ValueState<int64_t> before{"before"};  // per key: outlives the windows
  WindowState<int64_t> fires{"fires"};   // per key and window

  void operator()(const int64_t& mean, WindowContext<std::string>& context, Collector<std::string>& out) {
    fires.set(fires.value_or(0) + 1);
    out.emit(fmt::format("{}: {} ms after {} ms, told {} times", context.key(), mean, before.value_or(0),
                         fires.value_or(1)));
    before.set(mean);
  }
};

struct OnCheckout {
  TriggerAction on_element(const Click& click, const TimeWindow&, NoTriggerState&, TriggerContext&) {
    return click.page == "checkout" ? TriggerAction::kFireAndPurge : TriggerAction::kContinue;
  }
};

PENSTOCK_JOB("windows-of-clicks", (Environment & env, const Args&)) {
  auto clicks = env.source("clicks", collection::Source<Click>({}))
                    .watermarks(bounded_disorder<Click>(5s, &Click::time_ms));
  auto by_user = clicks.key_by(&Click::user);

  by_user.window(tumbling(1h)).aggregate("mean", MeanDwell{}).sink("means", discard::Sink{});

  by_user.window(sliding(1h, 1min)).aggregate("rolling", MeanDwell{}).sink("rolling means", discard::Sink{});
  by_user.window(session(30min)).aggregate("visits", Count{}).sink("visit sizes", discard::Sink{});
  by_user.window(session([](const Click& click) { return std::chrono::milliseconds(2 * click.dwell_ms); }))
      .aggregate("own-gaps", Count{})
      .sink("visits by dwell", discard::Sink{});
  by_user.window(tumbling(10s).processing_time()).aggregate("now", Count{}).sink("clicks now", discard::Sink{});
  by_user.count_window(100).aggregate("hundreds", MeanDwell{}).sink("each hundred", discard::Sink{});
  by_user.count_window(100, 10).aggregate("last-hundred", MeanDwell{}).sink("at each tenth", discard::Sink{});
  clicks.window_all(tumbling(1min)).aggregate("total", Count{}).sink("clicks per minute", discard::Sink{});

  by_user.window(tumbling(24h))
      .reduce("longest", [](const Click& a, const Click& b) { return a.dwell_ms > b.dwell_ms ? a : b; })
      .sink("longest of the day", discard::Sink{});
  by_user.window(tumbling(1h)).process<std::string>("median", MedianDwell{}).sink("medians", print::Sink{});
  by_user.window(tumbling(1h)).aggregate<std::string>("compare", MeanDwell{}, Compare{}).sink("trend", print::Sink{});

  auto hourly = by_user.window(tumbling(1h)).allowed_lateness(10min).aggregate("hourly", Count{});
  hourly.side_output<Click>("late").sink("too late", discard::Sink{});
  hourly.sink("hours", discard::Sink{});

  by_user.window(tumbling(24h))
      .trigger(every_processing_time(1min))
      .aggregate("so-far", Count{})
      .sink("today so far", discard::Sink{});
  by_user.window(global()).trigger(OnCheckout{}).aggregate("until-checkout", Count{}).sink("carts", discard::Sink{});
  by_user.window(global())
      .trigger(every_records(1))
      .evictor(keep_newest(10min))
      .aggregate("last-ten-minutes", MeanDwell{})
      .sink("after each click", discard::Sink{});

  by_user.window(tumbling(1h))
      .trigger(every_event_time(1min))
      .allowed_lateness(10min)
      .aggregate("each-minute", Count{})
      .suppress("last", until_window_closes(10min).max_records(100'000).on_overflow(emit_early))
      .sink("once an hour", discard::Sink{});
}
