// Orders with the names of their customers, which a slow service knows: a hundred questions are under way at once, and
// the order of orders is kept.
//
//   async_enrichment [--orders N] [--form callback|coroutine] [--out DIRECTORY]
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <memory>
#include <string>

#include "examples/async_enrichment/directory.h"

using namespace penstock;

namespace {

struct Order {
  int64_t id = 0;
  int64_t customer = 0;
  int64_t cents = 0;
};

std::string to_csv(const Order& order, const Customer& customer) {
  return fmt::format("{},{},{},{}", order.id, customer.name, customer.country, order.cents);
}

// The service is opened in each subtask, not where the graph is built.
struct AskByCallback {
  std::shared_ptr<Directory> directory;

  void open(Context&) { directory = std::make_shared<Directory>(8); }
  void close() { directory.reset(); }
  void operator()(const Order& order, AsyncResult<std::string> result) const {
    directory->Get(order.customer, [order, result](absl::StatusOr<Customer> customer) {
      customer.ok() ? result.complete(to_csv(order, *customer)) : result.fail(customer.status());
    });
  }
};

struct AskByCoroutine {
  std::shared_ptr<Directory> directory;

  void open(Context&) { directory = std::make_shared<Directory>(8); }
  void close() { directory.reset(); }
  AsyncTask<std::string> operator()(Order order) const {
    const auto customer = co_await async_call<Customer>(
        [this, &order](AsyncCall<Customer> done) { directory->Get(order.customer, done); });
    if (!customer.ok()) co_return customer.status();
    co_return to_csv(order, *customer);
  }
};

}  // namespace

PENSTOCK_JOB("async-enrichment", (Environment & env, const Args& args)) {
  auto orders = env.source(
      "orders", datagen::Source<Order>{.generate =
                                           [](uint64_t index, datagen::Random& random) {
                                             return Order{.id = static_cast<int64_t>(index),
                                                          .customer = static_cast<int64_t>(random.Below(5'000)),
                                                          .cents = static_cast<int64_t>(random.Below(100'000))};
                                           },
                                       .count = static_cast<uint64_t>(args.get_int("orders", 5'000))});
  const AsyncOptions options{.capacity = 100, .timeout = 10s, .retries = {.max_attempts = 5, .delay = 20ms}};
  auto enriched = args.get_choice("form", "callback", {"callback", "coroutine"}) == "callback"
                      ? orders.async<std::string>("customers", AskByCallback{}, options)
                      : orders.async<std::string>("customers", AskByCoroutine{}, options);
  if (args.has("out")) {
    enriched.sink("out", file::Sink{.path = args["out"]});
  } else {
    enriched.sink("out", print::Sink{});
  }
}
