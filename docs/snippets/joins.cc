// The code of docs/joins.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <string>
#include <vector>

using namespace penstock;

struct Order {
  std::string id;
  std::string customer;
  std::string currency;
  int64_t cents = 0;
  int64_t time_ms = 0;
};
struct Payment {
  std::string order;
  int64_t cents = 0;
  int64_t time_ms = 0;
};
struct Rate {
  std::string currency;
  double euros = 0;
  int64_t time_ms = 0;
};
struct Paid {
  std::string order;
  int64_t open_cents = 0;
};

PENSTOCK_JOB("joins", (Environment & env, const Args&)) {
  auto orders = env.source("orders", collection::Source<Order>({}))
                    .watermarks(bounded_disorder<Order>(5s, &Order::time_ms));
  auto payments = env.source("payments", collection::Source<Payment>({}))
                      .watermarks(bounded_disorder<Payment>(5s, &Payment::time_ms));
  auto rates = env.source("rates", collection::Source<Rate>({}))
                   .watermarks(bounded_disorder<Rate>(5s, &Rate::time_ms));

  auto paid = orders.key_by(&Order::id)
                  .interval_join(payments.key_by(&Payment::order))
                  .between(-5min, 30min)
                  .apply<Paid>("paid", [](const Order& order, const Payment& payment, Collector<Paid>& out) {
                    out.emit({order.id, order.cents - payment.cents});
                  });
  paid.side_output<Payment>("late_second").sink("late payments", discard::Sink{});
  paid.sink("paid orders", discard::Sink{});

  auto hourly = orders.key_by(&Order::id).join(payments.key_by(&Payment::order)).window(tumbling(1h));
  hourly
      .apply<Paid>("pairs", [](const Order& order, const Payment& payment) {
        return Paid{order.id, order.cents - payment.cents};
      })
      .sink("pairs of an hour", discard::Sink{});
  hourly
      .co_group<std::string>("unpaid", [](const std::vector<Order>& found, const std::vector<Payment>& paid_with,
                                          WindowContext<std::string>& context, Collector<std::string>& out) {
        if (!found.empty() && paid_with.empty()) out.emit(context.key() + " is not paid");
      })
      .sink("unpaid", print::Sink{});

  orders.key_by(&Order::currency)
      .temporal_join(rates.key_by(&Rate::currency))
      .apply<std::string>("in-euros", [](const Order& order, const Rate* rate, Collector<std::string>& out) {
        if (rate == nullptr) return out.emit(order.id + ": no rate yet");
        out.emit(fmt::format("{}: {:.2f} EUR", order.id, static_cast<double>(order.cents) / 100 * rate->euros));
      })
      .sink("euros", print::Sink{});

  orders.key_by(&Order::id).dedupe("once", Ttl{.duration = 24h}).sink("without repeats", discard::Sink{});

  orders.key_by(&Order::customer)
      .top("largest", 10, [](const Order& a, const Order& b) { return a.cents > b.cents; })
      .map([](const Ranked<std::string, Order>& place) {
        return fmt::format("{} #{}: {}", place.key, place.rank, place.value.cents);
      })
      .sink("ten largest", print::Sink{});
}
