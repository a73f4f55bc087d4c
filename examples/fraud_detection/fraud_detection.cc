// Fraud detection with rules that change while the job runs: payments by card, and rules that every subtask has.
//
//   fraud_detection [--payments N] [--out DIRECTORY]
//
// A rule says how many payments above a limit a card may make within some time. Rules are a broadcast stream: a new
// one, or a new version, holds for all cards from then on. Both streams are made up, the same in every run.
#include <fmt/format.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <string>
#include <vector>

using namespace penstock;

namespace {

struct Payment {
  int64_t card = 0;
  int64_t cents = 0;
  int64_t time_ms = 0;
};

struct Rule {
  std::string name;
  int64_t above_cents = 0;
  int64_t payments = 0;  // so many of them are too many; 0: the rule is withdrawn
  int64_t within_ms = 0;
};

struct Alert {
  int64_t card = 0;
  std::string rule;
  int64_t payments = 0;
  int64_t time_ms = 0;
};

struct Detect {
  BroadcastState<std::string, Rule> rules{"rules"};
  MapState<TimestampMs, int64_t> recent{"recent"};  // cents by time: what the longest rule looks back on

  void process_broadcast(const Rule& rule, KeyedBroadcastContext<int64_t>& context, Collector<Alert>&) {
    if (rule.payments == 0) {
      rules.remove(context, rule.name);
    } else {
      rules.put(context, rule.name, rule);
    }
  }
  void process(const Payment& payment, KeyedContext<int64_t>& context, Collector<Alert>& out) {
    // Two payments of a card in one millisecond count as one that is as large as both.
    recent.mutable_value(payment.time_ms) += payment.cents;
    int64_t longest_ms = 0;
    for (const auto& [name, rule] : rules.values()) {
      longest_ms = std::max(longest_ms, rule.within_ms);
      if (payment.cents <= rule.above_cents) continue;
      int64_t found = 0;
      recent.for_each_between(payment.time_ms - rule.within_ms, payment.time_ms,
                              [&](TimestampMs, int64_t cents) { found += cents > rule.above_cents ? 1 : 0; });
      if (found >= rule.payments) out.emit({context.key(), name, found, payment.time_ms});
    }
    context.register_event_time_timer(payment.time_ms + longest_ms);
  }
  void on_timer(TimestampMs, KeyedContext<int64_t>& context, Collector<Alert>&) {
    int64_t longest_ms = 0;
    for (const auto& [name, rule] : rules.values()) longest_ms = std::max(longest_ms, rule.within_ms);
    recent.remove_up_to(context.watermark() - longest_ms - 1);
  }
};

Payment make_payment(uint64_t index, datagen::Random& random) {
  Payment payment;
  payment.card = static_cast<int64_t>(random.Below(1'000));
  payment.cents = static_cast<int64_t>(random.Below(20'000));
  payment.time_ms = static_cast<int64_t>(index) * 100;
  // Card 7 is in the wrong hands.
  if (index % 50 < 5) payment = {.card = 7, .cents = 90'000, .time_ms = payment.time_ms};
  return payment;
}

std::string to_csv(const Alert& alert) {
  return fmt::format("{},{},{},{}", alert.card, alert.rule, alert.payments, alert.time_ms);
}

}  // namespace

PENSTOCK_JOB("fraud-detection", (Environment & env, const Args& args)) {
  auto rules =
      env.source(
             "rules",
             collection::Source<Rule>{
                 .records = {{.name = "three large ones", .above_cents = 50'000, .payments = 3, .within_ms = 60'000}}})
          .without_time()
          .broadcast();
  auto alerts =
      env.source("payments", datagen::Source<Payment>{.generate = make_payment,
                                                      .count = static_cast<uint64_t>(args.get_int("payments", 100'000)),
                                                      .rate = static_cast<double>(args.get_int("rate", 0))})
          .watermarks(monotonous<Payment>(&Payment::time_ms))
          .key_by(&Payment::card)
          .connect(rules)
          .process<Alert>("detect", Detect{})
          .map(to_csv)
          .name("to csv");
  if (args.has("out")) {
    alerts.sink("out", file::Sink{.path = args["out"]});
  } else {
    alerts.sink("out", print::Sink{});
  }
}
