// Functions with two inputs: broadcast elements and those they bear on, two streams of a key, two without keys.
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace penstock::testing {
namespace {

using Strings = std::vector<std::string>;

struct Sale {
  std::string item;
  int64_t pieces = 0;
};
struct Price {
  std::string item;  // empty: none is known any more
  int64_t cents = 0;
};

// Sells at the price that was broadcast last; what has none waits for one.
struct Till {
  BroadcastState<std::string, int64_t> prices{"prices"};
  ValueState<int64_t> taken{"taken"};
  MapState<std::string, int64_t> waiting{"waiting"};

  void process(const Sale& sale, KeyedContext<std::string>& context, Collector<std::string>& out) {
    const int64_t* const cents = prices.find(sale.item);
    if (cents == nullptr) return waiting.put("pieces", waiting.get("pieces").value_or(0) + sale.pieces);
    taken.mutable_value() += *cents * sale.pieces;
    out.emit(context.key() + " " + std::to_string(taken.value()));
    context.register_event_time_timer(context.timestamp() + 10);
  }
  void process_broadcast(const Price& price, KeyedBroadcastContext<std::string>& context, Collector<std::string>& out) {
    if (price.item.empty()) return prices.clear(context);
    prices.put(context, price.item, price.cents);
    context.for_each_key([&](const std::string& item) {
      if (item != price.item || waiting.empty()) return;
      taken.mutable_value() += *waiting.get("pieces") * price.cents;
      waiting.clear();
      out.emit(item + " at last " + std::to_string(taken.value()));
    });
  }
  void on_timer(TimestampMs time, KeyedContext<std::string>& context, Collector<std::string>& out) {
    out.emit(context.key() + " closes at " + std::to_string(time) + " of " + std::to_string(prices.size()));
  }
};

struct TillHarness {
  explicit TillHarness(bool restores) : harness({.restore_after_each_step = restores}) {}
  Harness<Sale> harness;
  AddedInput<Price> prices = harness.add_input<Price>();
  Output<std::string> out = harness.output(
      harness.input().key_by(&Sale::item).connect(prices.stream().broadcast()).process<std::string>("till", Till{}));
};

TEST_CASE("a keyed function reads broadcast state, which broadcast elements write", "[connected]") {
  for (const bool restores : {false, true}) {
    TillHarness test(restores);
    test.prices.push({"tea", 3});
    test.harness.push({"tea", 2}, 5);
    test.prices.push({"tea", 4});
    test.harness.push({"tea", 1}, 6);
    CHECK(test.out.values() == Strings{"tea 6", "tea 10"});
    CHECK(*test.harness.state<int64_t>("till", "tea", "taken") == 10);
    CHECK(test.harness.failure().ok());
  }
}

TEST_CASE("a broadcast element reaches the states of all keys, one key at a time", "[connected]") {
  for (const bool restores : {false, true}) {
    TillHarness test(restores);
    for (int i = 0; i < 50; ++i) test.harness.push({"item " + std::to_string(i), 1});
    test.harness.push({"cake", 2});
    test.harness.push({"cake", 3});
    CHECK(test.out.values().empty());
    test.prices.push({"cake", 10});
    CHECK(test.out.values() == Strings{"cake at last 50"});
    test.prices.push({"cake", 20});  // waits no more
    CHECK(test.out.values().size() == 1);
    CHECK(*test.harness.state<int64_t>("till", "cake", "taken") == 50);
    CHECK(test.harness.failure().ok());
  }
}

TEST_CASE("time behind two inputs is the minimum of both, and timers go by it", "[connected]") {
  for (const bool restores : {false, true}) {
    TillHarness test(restores);
    test.prices.push({"tea", 3});
    test.harness.push({"tea", 1}, 5);
    test.out.clear();
    test.harness.watermark(100);
    CHECK(test.out.values().empty());
    CHECK(test.out.watermark() == kNoTimestamp);
    test.prices.watermark(14);
    CHECK(test.out.values().empty());
    CHECK(test.out.watermark() == 14);
    test.prices.watermark(15);
    CHECK(test.out.values() == Strings{"tea closes at 15 of 1"});
    test.prices.idle();
    CHECK(test.out.watermark() == 100);
    CHECK_FALSE(test.out.idle());
  }
}

TEST_CASE("a stream without time holds none back", "[connected]") {
  for (const bool restores : {false, true}) {
    Harness<Sale> harness({.restore_after_each_step = restores});
    auto prices = harness.add_input<Price>();
    auto out = harness.output(harness.input()
                                  .key_by(&Sale::item)
                                  .connect(prices.stream().without_time().broadcast())
                                  .process<std::string>("till", Till{}));
    prices.push({"tea", 3});
    harness.push({"tea", 1}, 5);
    out.clear();
    prices.watermark(3);  // swallowed
    harness.watermark(15);
    CHECK(out.values() == Strings{"tea closes at 15 of 1"});
    CHECK(out.watermark() == 15);
    prices.push({"", 0});
    CHECK_FALSE(out.idle());
    harness.push({"tea", 1}, 20);
    CHECK(out.values().size() == 1);  // there are no prices any more
    harness.finish();
    CHECK(out.watermark() == kMaxWatermark);
  }
}

TEST_CASE("the end of both inputs fires what waits", "[connected]") {
  TillHarness test(false);
  test.prices.push({"tea", 3});
  test.harness.push({"tea", 1}, 5);
  test.harness.idle();
  test.prices.idle();
  CHECK(test.out.idle());
  test.harness.finish();
  CHECK_FALSE(test.out.idle());
  CHECK(test.out.values() == Strings{"tea 3", "tea closes at 15 of 1"});
}

// Flags words that are on a list which comes as a stream.
struct Flag {
  BroadcastState<std::string, bool> bad{"bad"};
  SplitListState<std::string> flagged{"flagged"};
  void process(const std::string& word, ProcessContext&, Collector<std::string>& out) {
    if (!bad.contains(word)) return;
    flagged.add(word);
    out.emit(word + " " + std::to_string(flagged.values().size()));
  }
  void process_broadcast(const std::string& word, BroadcastContext& context, Collector<std::string>& out) {
    if (bad.contains(word)) {
      bad.remove(context, word);
    } else {
      bad.put(context, word, true);
    }
    out.emit("now " + std::to_string(bad.size()));
  }
};

TEST_CASE("a function without keys reads broadcast state too", "[connected]") {
  for (const bool restores : {false, true}) {
    Harness<std::string> harness({.subtask = 1, .parallelism = 2, .restore_after_each_step = restores});
    auto words = harness.add_input<std::string>();
    auto out =
        harness.output(harness.input().connect(words.stream().broadcast()).process<std::string>(Flag{}).uid("flag"));
    harness.push("fie");
    words.push("fie");
    words.push("foe");
    harness.push("fie");
    words.push("foe");
    harness.push("foe");
    harness.push("fie");
    CHECK(out.values() == Strings{"now 1", "now 2", "fie 1", "now 1", "fie 2"});
    CHECK(harness.failure().ok());
  }
}

struct Shipment {
  int64_t order = 0;
  std::string from;
};
struct Payment {
  int64_t order = 0;
  int64_t cents = 0;
};

// Two streams of one key meet in its state.
struct Match {
  ValueState<std::string> from{"from"};
  ValueState<int64_t> cents{"cents"};
  void process1(const Shipment& shipment, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    from.set(shipment.from);
    Tell(context, out);
  }
  void process2(const Payment& payment, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    cents.set(payment.cents);
    Tell(context, out);
  }
  void on_timer(TimestampMs, KeyedContext<int64_t>& context, Collector<std::string>& out) {
    if (!from.has_value() || !cents.has_value()) out.emit(std::to_string(context.key()) + " is alone");
  }

 private:
  void Tell(KeyedContext<int64_t>& context, Collector<std::string>& out) {
    context.register_event_time_timer(100);
    if (!from.has_value() || !cents.has_value()) return;
    out.emit(std::to_string(context.key()) + " from " + from.value() + " for " + std::to_string(cents.value()));
  }
};

TEST_CASE("two streams of one key share its states and timers", "[connected]") {
  for (const bool restores : {false, true}) {
    Harness<Shipment> harness({.restore_after_each_step = restores});
    auto payments = harness.add_input<Payment>();
    auto out = harness.output(harness.input()
                                  .key_by(&Shipment::order)
                                  .connect(payments.stream().key_by(&Payment::order))
                                  .process<std::string>("match", Match{}));
    harness.push({1, "Bergen"});
    payments.push({2, 20});
    payments.push({1, 10});
    CHECK(out.values() == Strings{"1 from Bergen for 10"});
    harness.watermark(200);
    payments.watermark(100);
    CHECK(out.values() == Strings{"1 from Bergen for 10", "2 is alone"});
    CHECK(harness.failure().ok());
  }
}

struct Merge {
  SplitListState<int64_t> numbers{"numbers"};
  void process1(const int64_t& number, ProcessContext&, Collector<std::string>&) { numbers.add(number); }
  void process2(const std::string& text, ProcessContext& context, Collector<std::string>& out) {
    for (const int64_t number : numbers.values()) out.emit(text + std::to_string(number));
    out.emit(std::to_string(context.timestamp()));
  }
};

TEST_CASE("two streams without keys meet in one function", "[connected]") {
  for (const bool restores : {false, true}) {
    Harness<int64_t> harness({.restore_after_each_step = restores});
    auto texts = harness.add_input<std::string>();
    auto out = harness.output(harness.input().connect(texts.stream()).process<std::string>(Merge{}).uid("merge"));
    harness.push(1);
    harness.push(2);
    texts.push("n", 7);
    CHECK(out.values() == Strings{"n1", "n2", "7"});
  }
}

// A timer alone is state by key, too.
struct Alarm {
  void operator()(const Sale& sale, KeyedContext<std::string>& context, Collector<std::string>&) {
    context.register_event_time_timer(sale.pieces);
  }
  void on_timer(TimestampMs time, KeyedContext<std::string>& context, Collector<std::string>& out) {
    out.emit(context.key() + std::to_string(time));
  }
};

TEST_CASE("timers of a function without states survive a restore", "[connected]") {
  Harness<Sale> harness({.restore_after_each_step = true});
  auto out = harness.output(harness.input().key_by(&Sale::item).process<std::string>("alarm", Alarm{}));
  harness.push({"a", 5});
  harness.watermark(5);
  CHECK(out.values() == Strings{"a5"});
}

bool Has(const absl::Status& status, const std::string& part) {
  return std::string(status.message()).find(part) != std::string::npos;
}

TEST_CASE("a graph in which broadcast state could not be alike is refused", "[connected]") {
  Harness<Sale> dealt;
  auto prices = dealt.add_input<Price>();
  dealt.output(dealt.input().key_by(&Sale::item).connect(prices.stream()).process<std::string>("till", Till{}));
  CHECK(Has(dealt.open(), "process_broadcast of 'till' needs each element in every subtask"));

  struct Reader {
    BroadcastState<std::string, int64_t> prices{"prices"};
    int64_t operator()(const Sale& sale) const { return prices.get(sale.item).value_or(0); }
  };
  Harness<Sale> reader;
  reader.output(reader.input().map(Reader{}).uid("reader"));
  CHECK(Has(reader.open(), "broadcast state 'prices' is in a function that nothing can write it in"));

  Harness<std::string> nameless;
  auto words = nameless.add_input<std::string>();
  nameless.output(nameless.input().connect(words.stream().broadcast()).process<std::string>(Flag{}));
  CHECK(Has(nameless.open(), "has no uid"));

  struct Named {
    SplitListState<int64_t> list{"schema of list"};
    int64_t operator()(const int64_t& value) { return value; }
  };
  Harness<int64_t> named;
  named.output(named.input().map(Named{}).uid("named"));
  CHECK(Has(named.open(), "no state's name may begin with 'schema of '"));
}

// Uses state by key where there is no key.
struct Careless {
  BroadcastState<std::string, int64_t> seen{"seen"};
  ValueState<int64_t> count{"count"};
  MapState<std::string, int64_t> map{"map"};
  void process(const Sale& sale, KeyedContext<std::string>&, Collector<std::string>&) { count.set(sale.pieces); }
  void process_broadcast(const Price& price, KeyedBroadcastContext<std::string>& context, Collector<std::string>&) {
    if (price.item == "value") count.set(1);
    if (price.item == "map") map.put("a", 1);
    if (price.item == "nested") {
      context.for_each_key([&](const std::string&) { context.for_each_key([](const std::string&) {}); });
    }
  }
};

TEST_CASE("state by key says so when no key is at hand", "[connected]") {
  for (const std::string use : {"value", "map", "nested"}) {
    Harness<Sale> harness;
    auto prices = harness.add_input<Price>();
    harness.output(harness.input()
                       .key_by(&Sale::item)
                       .connect(prices.stream().broadcast())
                       .process<std::string>("careless", Careless{}));
    harness.push({"a", 1});
    CHECK_THROWS_AS(prices.push({use, 0}), std::logic_error);
    CHECK(harness.failing_operator() == "careless");
  }
}

}  // namespace
}  // namespace penstock::testing
