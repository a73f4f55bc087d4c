// The code of docs/writing_a_job.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/kafka.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <optional>
#include <string>
#include <vector>

using namespace penstock;

struct Order {
  std::string customer;
  int64_t cents = 0;
  int64_t time_ms = 0;
  std::vector<std::string> items;
};

struct Money {
  explicit Money(int64_t cents = 0) : cents(cents) {}
  int64_t cents;
};
PENSTOCK_SERDE(Money, value.cents)

absl::StatusOr<Order> ParseOrder(const Bytes& line) {
  const std::string text = line.str();
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return absl::InvalidArgumentError("no comma");
  return Order{.customer = text.substr(0, comma), .time_ms = std::atoll(text.c_str() + comma + 1)};
}

struct AtMarkers {
  void on_event(const Order& order, TimestampMs time, WatermarkOutput& out) {
    if (order.customer == "end of hour") out.emit(time);
  }
};

struct Sort {
  SideOutput<Order> large{"large"};

  std::optional<Order> operator()(const Order& order) {
    if (order.cents <= 100'000) return order;
    large.emit(order);
    return std::nullopt;
  }
};

PENSTOCK_JOB("orders-per-customer", (Environment & env, const Args& args)) {
  env.source("orders", kafka::Source{.brokers = args["brokers"], .topics = {args.get("topic", "orders")}})
      .flat_map(ParseOrder)
      .watermarks(bounded_disorder<Order>(5s, &Order::time_ms))
      .key_by(&Order::customer)
      .window(tumbling(1h))
      .aggregate("per-customer", Count{})
      .map([](const WindowResult<std::string, int64_t>& result) {
        return fmt::format("{},{},{}", result.key, result.start, result.value);
      })
      .sink("out", kafka::Sink{.brokers = args["brokers"], .topic = "orders-per-customer"});
}

struct AboveLimit {
  int64_t limit_cents = 0;
  Counter* seen = nullptr;
  Histogram* amounts = nullptr;

  void open(Context& context) {
    seen = &context.counter("seen");
    amounts = &context.histogram("amounts");
    context.gauge("limit", [limit = limit_cents] { return static_cast<double>(limit); });
    context.log_info(fmt::format("subtask {} of {}", context.subtask(), context.parallelism()));
  }
  bool operator()(const Order& order) {
    seen->Add();
    amounts->Record(order.cents);
    return order.cents > limit_cents;
  }
  void close() {}
};

void RecordByRecord(DataStream<Order> orders) {
  orders.map([](const Order& order) { return order.cents; }).sink("cents", print::Sink{});

  orders.filter(AboveLimit{.limit_cents = 10'000}).name("above limit").sink("large", discard::Sink{});

  orders.flat_map([](const Order& order) { return order.items; }).sink("items", print::Sink{});

  orders
      .flat_map<std::string>([](const Order& order, Collector<std::string>& out) {
        for (const std::string& item : order.items) {
          if (!item.empty()) out.emit(item);
        }
      })
      .sink("named items", print::Sink{});

  orders
      .process<std::string>([](const Order& order, ProcessContext& context, Collector<std::string>& out) {
        out.emit(fmt::format("{} at {}, watermark {}", order.customer, context.timestamp(), context.watermark()));
      })
      .sink("times", print::Sink{});
}

void MalformedRecords(DataStream<Bytes> lines) {
  auto orders = lines.flat_map(ParseOrder).on_error(side_output);
  orders.malformed()
      .map([](const Malformed& malformed) { return malformed.reason + ": " + malformed.record; })
      .sink("malformed", print::Sink{});

  orders.watermarks(generated_by<Order>(AtMarkers{}, &Order::time_ms)).sink("marked", discard::Sink{});

  auto usual = orders.flat_map(Sort{});
  usual.side_output<Order>("large").sink("large ones", discard::Sink{});
  orders.sink("good", discard::Sink{});
}

struct MeanCents {
  struct Accumulator {
    int64_t sum = 0;
    int64_t count = 0;
  };
  void add(Accumulator& so_far, const Order& order) const {
    so_far.sum += order.cents;
    ++so_far.count;
  }
  int64_t result(const Accumulator& so_far) const { return so_far.sum / so_far.count; }
};

void Windows(DataStream<Order> orders) {
  auto per_customer =
      orders.watermarks(bounded_disorder<Order>(5s, &Order::time_ms).idle_after(30s)).key_by(&Order::customer);
  per_customer.window(tumbling(1h)).aggregate("mean", MeanCents{}).sink("means", discard::Sink{});
  per_customer.window(tumbling(24h, 1h))
      .reduce("largest", [](const Order& a, const Order& b) { return a.cents > b.cents ? a : b; })
      .sink("largest orders", discard::Sink{});
}

struct FirstOfCustomer {
  ValueState<int64_t> orders{"orders"};

  void operator()(const Order& order, KeyedContext<std::string>& context, Collector<std::string>& out) {
    if (++orders.mutable_value() == 1) out.emit(context.key() + " is new since " + std::to_string(order.time_ms));
  }
};

struct Pairs {
  SplitListState<std::string> waiting{"waiting"};

  void operator()(const Order& order, ProcessContext&, Collector<std::string>& out) {
    if (waiting.empty()) return waiting.add(order.customer);
    out.emit(waiting.values().front() + " and " + order.customer);
    waiting.clear();
  }
};

struct Reminder {
  MapState<std::string, int64_t> items{"items", Ttl{.duration = 24h}};

  void operator()(const Order& order, KeyedContext<std::string>& context, Collector<std::string>&) {
    for (const std::string& item : order.items) items.put(item, order.time_ms);
    context.register_event_time_timer(order.time_ms + 3'600'000);
  }
  void on_timer(TimestampMs time, KeyedContext<std::string>& context, Collector<std::string>& out) {
    out.emit(fmt::format("{} has {} items an hour before {}", context.key(), items.size(), time));
  }
};

void KeyedState(DataStream<Order> orders) {
  orders.key_by(&Order::customer)
      .process<std::string>("first-of-customer", FirstOfCustomer{})
      .sink("new customers", print::Sink{});
  orders.process<std::string>(Pairs{}).uid("pairs").sink("pairs", print::Sink{});
  orders.key_by(&Order::customer).process<std::string>("reminders", Reminder{}).sink("reminders", print::Sink{});
}

struct Offer {
  std::string item;
  int64_t percent = 0;
};
struct Payment {
  std::string customer;
  int64_t cents = 0;
};

struct Offers {
  BroadcastState<std::string, int64_t> percents{"percents"};  // by item
  MapState<std::string, int64_t> bought{"bought"};

  void process(const Order& order, KeyedContext<std::string>& context, Collector<std::string>& out) {
    for (const std::string& item : order.items) {
      bought.put(item, order.time_ms);
      const int64_t* const percent = percents.find(item);
      if (percent != nullptr) out.emit(fmt::format("{} saves {}% on {}", context.key(), *percent, item));
    }
  }
  void process_broadcast(const Offer& offer, KeyedBroadcastContext<std::string>& context, Collector<std::string>& out) {
    percents.put(context, offer.item, offer.percent);
    context.for_each_key([&](const std::string& customer) {
      if (bought.contains(offer.item)) out.emit(fmt::format("tell {} of {}", customer, offer.item));
    });
  }
};

struct Balance {
  ValueState<int64_t> cents{"cents"};

  void process1(const Order& order, KeyedContext<std::string>&, Collector<std::string>&) {
    cents.mutable_value() += order.cents;
  }
  void process2(const Payment& payment, KeyedContext<std::string>& context, Collector<std::string>& out) {
    cents.mutable_value() -= payment.cents;
    if (cents.value() == 0) out.emit(context.key() + " owes nothing");
  }
};

void TwoStreams(DataStream<Order> orders, DataStream<Offer> offers, DataStream<Payment> payments) {
  orders.key_by(&Order::customer)
      .connect(offers.without_time().broadcast())
      .process<std::string>("offers", Offers{})
      .sink("tips", print::Sink{});
  orders.key_by(&Order::customer)
      .connect(payments.key_by(&Payment::customer))
      .process<std::string>("balance", Balance{})
      .sink("paid", print::Sink{});
}

void Distribution(DataStream<Order> shop, DataStream<Order> web) {
  auto all = shop.union_with(web);
  all.rebalance().map([](const Order& order) { return order.cents; }).parallelism(4).sink("a", discard::Sink{});
  all.broadcast().filter([](const Order& order) { return order.cents < 0; }).sink("b", discard::Sink{});
  all.partition_by([](const Order& order, int consumers) { return order.cents % consumers; })
      .sink("c", discard::Sink{})
      .parallelism(2);
}
