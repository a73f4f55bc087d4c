#include <penstock/testing.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "catch2/catch.hpp"

namespace penstock::testing {
namespace {

using std::chrono::milliseconds;

struct Order {
  int id = 0;
  int64_t cents = 0;
};
struct Payment {
  int order = 0;
  int64_t cents = 0;
};
using Pair = std::pair<int64_t, int64_t>;
using Match = std::tuple<int, int64_t, int64_t, TimestampMs>;

struct ToPair {
  void operator()(const Order& order, const Payment& payment, Collector<Pair>& out) const {
    out.emit({order.cents, payment.cents});
  }
};

TEST_CASE("An interval join pairs what is near in time, with the later time", "[joins]") {
  Harness<Order> harness;
  auto payments = harness.add_input<Payment>();
  auto joined = harness.input()
                    .key_by(&Order::id)
                    .interval_join(payments.stream().key_by(&Payment::order))
                    .between(milliseconds(-5), milliseconds(10))
                    .apply<Pair>("join", ToPair{});
  auto pairs = harness.output(joined);
  auto late_orders = harness.output(joined.side_output<Order>("late_first"));
  auto late_payments = harness.output(joined.side_output<Payment>("late_second"));
  harness.push({1, 100}, 50);
  payments.push({1, 1}, 44);  // a millisecond too early
  payments.push({1, 2}, 45);
  payments.push({1, 3}, 60);
  payments.push({1, 4}, 61);   // too late by one
  payments.push({2, 5}, 50);   // another key
  harness.push({1, 200}, 66);  // meets 61
  CHECK(pairs.values() == std::vector<Pair>{{100, 2}, {100, 3}, {200, 4}});
  CHECK(pairs.records()[0].timestamp == 50);
  CHECK(pairs.records()[1].timestamp == 60);
  harness.watermark(70);
  payments.watermark(70);
  harness.push({1, 300}, 70);
  payments.push({1, 6}, 65);
  CHECK(pairs.values().size() == 3);
  CHECK(late_orders.values().size() == 1);
  CHECK(late_payments.values().size() == 1);
  payments.push({1, 7}, 76);  // the order of 66 still waits
  CHECK(pairs.values().back() == Pair{200, 7});
  harness.finish();
  CHECK(harness.event_time_timers("join") == 0);
  CHECK(harness.failure().ok());
}

TEST_CASE("What is wrong with joins is refused when the graph is built", "[joins]") {
  Harness<Order> harness;
  auto payments = harness.add_input<Payment>();
  auto orders = harness.input().key_by(&Order::id);
  orders.interval_join(payments.stream().key_by(&Payment::order))
      .between(milliseconds(5), milliseconds(-5))
      .apply<Pair>("backwards", ToPair{});
  orders.join(payments.stream().key_by(&Payment::order))
      .window(tumbling(milliseconds(0)))
      .apply<Pair>("zero", ToPair{});
  orders.top("none", 0, [](const Order& a, const Order& b) { return a.cents < b.cents; });
  const std::string error = std::string(harness.open().message());
  CHECK_THAT(error, Catch::Contains("join 'backwards': an interval's lower bound must not be above its upper one"));
  CHECK_THAT(error, Catch::Contains("window 'zero': a window's size must be above 0 ms"));
  CHECK_THAT(error, Catch::Contains("top 'none': needs a number above 0"));
}

TEST_CASE("A window join has each pair of a key and window", "[joins]") {
  Harness<Order> harness;
  auto payments = harness.add_input<Payment>();
  auto joined = harness.input().key_by(&Order::id).join(payments.stream().key_by(&Payment::order));
  auto pairs = harness.output(
      joined.window(tumbling(milliseconds(100))).apply<Pair>("pairs", [](const Order& order, const Payment& payment) {
        return Pair{order.cents, payment.cents};
      }));
  auto groups = harness.output(
      joined.window(tumbling(milliseconds(100)))
          .co_group<std::string>("groups", [](const std::vector<Order>& orders, const std::vector<Payment>& found,
                                              WindowContext<int>& context, Collector<std::string>& out) {
            out.emit(std::to_string(context.key()) + ": " + std::to_string(orders.size()) + "/" +
                     std::to_string(found.size()));
          }));
  harness.push({1, 10}, 5);
  harness.push({1, 20}, 95);
  payments.push({1, 1}, 50);
  payments.push({1, 2}, 100);  // the next window
  payments.push({2, 3}, 50);   // nothing to meet
  harness.watermark(99);
  CHECK(pairs.values().empty());
  payments.watermark(99);
  CHECK(pairs.values() == std::vector<Pair>{{10, 1}, {20, 1}});
  CHECK(pairs.records()[0].timestamp == 99);
  const std::vector<std::string> found = groups.values();
  CHECK(std::multiset<std::string>(found.begin(), found.end()) == std::multiset<std::string>{"1: 2/1", "2: 0/1"});
  harness.watermark(kMaxWatermark - 1);
  payments.watermark(kMaxWatermark - 1);
  CHECK(pairs.values().size() == 2);
  CHECK(groups.values().size() == 3);
}

TEST_CASE("A temporal join takes the version that was valid at the element's time", "[joins]") {
  Harness<Order> harness;
  auto rates = harness.add_input<Payment>();
  auto joined = harness.input()
                    .key_by(&Order::id)
                    .temporal_join(rates.stream().key_by(&Payment::order))
                    .apply<Pair>("rate", [](const Order& order, const Payment* rate, Collector<Pair>& out) {
                      out.emit({order.cents, rate == nullptr ? -1 : rate->cents});
                    });
  auto out = harness.output(joined);
  auto late = harness.output(joined.side_output<Order>("late_first"));
  harness.push({1, 100}, 5);
  rates.push({1, 7}, 10);
  rates.push({1, 9}, 20);
  harness.push({1, 101}, 10);
  harness.push({1, 102}, 19);
  harness.push({1, 103}, 25);
  CHECK(out.values().empty());
  harness.watermark(19);
  rates.watermark(19);
  CHECK(out.values() == std::vector<Pair>{{100, -1}, {101, 7}, {102, 7}});
  CHECK(out.records()[1].timestamp == 10);
  rates.push({1, 8}, 22);  // comes after 103, and is valid for it
  harness.push({1, 104}, 19);
  harness.watermark(100);
  rates.watermark(100);
  CHECK(out.values().back() == Pair{103, 8});
  CHECK(late.values().size() == 1);
  harness.push({1, 105}, 200);
  harness.finish();
  rates.watermark(kMaxWatermark);
  CHECK(harness.event_time_timers("rate") == 0);
}

TEST_CASE("dedupe lets the first of each key through, again after its time to live", "[joins]") {
  Harness<Order> harness;
  auto first = harness.output(harness.input().key_by(&Order::id).dedupe("first", Ttl{.duration = milliseconds(100)}));
  harness.push({1, 1});
  harness.push({1, 2});
  harness.push({2, 3});
  harness.advance(milliseconds(99));
  harness.push({1, 4});
  harness.advance(milliseconds(1));
  harness.push({1, 5});
  std::vector<int64_t> cents;
  for (const Order& order : first.values()) cents.push_back(order.cents);
  CHECK(cents == std::vector<int64_t>{1, 3, 5});
}

TEST_CASE("top keeps the best of each key and tells each rank that changes", "[joins]") {
  Harness<Order> harness;
  auto top = harness.output(harness.input().key_by(&Order::id).top("top", 2, [](const Order& a, const Order& b) {
    return a.cents > b.cents;
  }));
  std::map<int64_t, int64_t> ranks;
  const auto apply = [&] {
    for (const auto& ranked : top.values()) ranks[ranked.rank] = ranked.value.cents;
    return ranks;
  };
  harness.push({1, 5});
  CHECK(apply() == std::map<int64_t, int64_t>{{1, 5}});
  harness.push({1, 3});
  harness.push({1, 1});
  CHECK(apply() == std::map<int64_t, int64_t>{{1, 5}, {2, 3}});
  CHECK(top.values().size() == 2);
  harness.push({1, 9});
  CHECK(apply() == std::map<int64_t, int64_t>{{1, 9}, {2, 5}});
  harness.push({1, 5});  // an equal one that came later
  CHECK(top.values().size() == 4);
}

// Both joins by time against a model that keeps everything.
TEST_CASE("Joins by time agree with a model", "[joins][property]") {
  const char* const count = std::getenv("PENSTOCK_SEEDS");
  const char* const first_seed = std::getenv("PENSTOCK_FIRST_SEED");
  const uint64_t from = first_seed == nullptr ? 1 : std::strtoull(first_seed, nullptr, 10);
  const uint64_t seeds = count == nullptr ? 200 : std::strtoull(count, nullptr, 10);
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const auto pick = [&](int64_t a, int64_t b) { return std::uniform_int_distribution<int64_t>(a, b)(random); };
    const int64_t lower = pick(-30, 10);
    const int64_t upper = lower + pick(0, 40);
    HarnessOptions options;
    options.restore_after_each_step = seed % 4 == 0;
    Harness<Order> harness(options);
    auto payments = harness.add_input<Payment>();
    auto orders = harness.input().key_by(&Order::id);
    auto paid = payments.stream().key_by(&Payment::order);
    auto joined = harness.output(orders.interval_join(paid)
                                     .between(milliseconds(lower), milliseconds(upper))
                                     .apply<Match>("join", [](const Order& order, const Payment& payment,
                                                              KeyedContext<int>& context, Collector<Match>& out) {
                                       out.emit({context.key(), order.cents, payment.cents, 0});
                                     }));
    auto versioned = harness.output(orders.temporal_join(paid).apply<Match>(
        "rate", [](const Order& order, const Payment* payment, Collector<Match>& out) {
          out.emit({order.id, order.cents, payment == nullptr ? -1 : payment->cents, 0});
        }));
    struct Seen {
      int key;
      int64_t id;
      TimestampMs time;
    };
    std::vector<Seen> seen_orders;
    std::vector<Seen> seen_payments;
    TimestampMs watermarks[2] = {kNoTimestamp, kNoTimestamp};
    int64_t now = 1'000;
    std::multiset<Match> wanted;
    const int steps = options.restore_after_each_step ? 100 : 300;
    for (int step = 0; step < steps; ++step) {
      now += pick(0, 6);
      const bool is_order = pick(0, 1) == 0;
      const TimestampMs low = std::min(watermarks[0], watermarks[1]);
      if (pick(0, 4) == 0) {
        TimestampMs& own = watermarks[is_order ? 0 : 1];
        own = std::max(own, now - pick(0, 40));
        is_order ? harness.watermark(own) : payments.watermark(own);
        continue;
      }
      // Versions differ in time, so that the newest is one; and neither they nor orders are late for the model's sake.
      const Seen seen{static_cast<int>(pick(0, 2)), step,
                      std::max(now - pick(0, 30), low == kNoTimestamp ? 0 : low + 1)};
      if (is_order) {
        harness.push({seen.key, seen.id}, seen.time);
        seen_orders.push_back(seen);
      } else {
        bool taken = false;
        for (const Seen& other : seen_payments) taken |= other.key == seen.key && other.time == seen.time;
        if (taken) continue;
        payments.push({seen.key, seen.id}, seen.time);
        seen_payments.push_back(seen);
      }
    }
    harness.watermark(kMaxWatermark - 1);
    payments.watermark(kMaxWatermark - 1);
    std::multiset<Match> wanted_versions;
    for (const Seen& order : seen_orders) {
      const Seen* valid = nullptr;
      for (const Seen& payment : seen_payments) {
        if (payment.key != order.key) continue;
        if (payment.time >= order.time + lower && payment.time <= order.time + upper) {
          wanted.insert({order.key, order.id, payment.id, 0});
        }
        if (payment.time <= order.time && (valid == nullptr || payment.time > valid->time)) valid = &payment;
      }
      wanted_versions.insert({order.key, order.id, valid == nullptr ? -1 : valid->id, 0});
    }
    REQUIRE(harness.failure().ok());
    const auto set_of = [](const std::vector<Match>& values) {
      return std::multiset<Match>(values.begin(), values.end());
    };
    CHECK((set_of(joined.values()) == wanted));
    CHECK((set_of(versioned.values()) == wanted_versions));
    CHECK(harness.event_time_timers("join") == 0);
    CHECK(harness.event_time_timers("rate") == 0);
  }
}

}  // namespace
}  // namespace penstock::testing
