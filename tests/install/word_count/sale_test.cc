// Protobuf messages as records of a job outside of penstock's tree: across an exchange, and as state.
#include <penstock/testing.h>

#include <cstdio>
#include <map>

#include "sale.pb.h"

using namespace penstock;

struct Total {
  ValueState<Sale> total{"total"};

  void operator()(const Sale& sale, KeyedContext<std::string>&, Collector<Sale>& out) {
    Sale& sum = total.mutable_value();
    const int64_t cents = sum.cents() + sale.cents();
    sum.MergeFrom(sale);
    sum.set_cents(cents);
    out.emit(sum);
  }
};

static Sale SaleOf(const std::string& item, int64_t cents, const std::string& coupon) {
  Sale sale;
  sale.set_item(item);
  sale.set_cents(cents);
  sale.add_coupons(coupon);
  return sale;
}

int main() {
  collect::Results<Sale> results;
  const absl::Status end = testing::RunJob(
      [&](Environment& env, const Args&) {
        const collection::Source<Sale> sales{
            .records = {SaleOf("tea", 300, "a"), SaleOf("milk", 120, "b"), SaleOf("tea", 250, "c")}};
        env.source("sales", sales)
            .key_by([](const Sale& sale) { return sale.item(); })
            .process<Sale>("total", Total{})
            .sink("out", collect::Sink<Sale>{results});
      },
      {.parallelism = 2, .taskmanagers = 2});
  if (!end.ok()) {
    std::fprintf(stderr, "%s\n", end.ToString().c_str());
    return 1;
  }
  std::map<std::string, Sale> largest;
  for (const Sale& sale : results.values()) {
    Sale& seen = largest[sale.item()];
    if (sale.cents() > seen.cents()) seen = sale;
  }
  const bool good = results.size() == 3 && largest["tea"].cents() == 550 && largest["tea"].coupons_size() == 2 &&
                    largest["milk"].cents() == 120;
  if (!good) std::fprintf(stderr, "tea: %s\n", largest["tea"].ShortDebugString().c_str());
  return good ? 0 : 1;
}
