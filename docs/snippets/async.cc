// The code of docs/async.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <functional>
#include <memory>
#include <string>

using namespace penstock;

struct Order {
  std::string id;
  std::string customer;
};
struct Customer {
  std::string name;
};
// Some client library that calls back.
struct Client {
  void Get(const std::string&, const std::function<void(absl::StatusOr<Customer>)>& done) { done(Customer{"Ann"}); }
};

struct Enrich {
  std::shared_ptr<Client> client;

  void open(Context&) { client = std::make_shared<Client>(); }
  void operator()(const Order& order, AsyncResult<std::string> result) const {
    client->Get(order.customer, [id = order.id, result](absl::StatusOr<Customer> customer) {
      if (customer.ok()) {
        result.complete(id + " of " + customer->name);
      } else {
        result.fail(customer.status());
      }
    });
  }
};

struct EnrichByCoroutine {
  std::shared_ptr<Client> client;

  void open(Context&) { client = std::make_shared<Client>(); }
  AsyncTask<std::string> operator()(Order order) const {
    const auto customer = co_await async_call<Customer>(
        [&](AsyncCall<Customer> done) { client->Get(order.customer, done); });
    if (!customer.ok()) co_return customer.status();
    co_return order.id + " of " + customer->name;
  }
};

PENSTOCK_JOB("enriched-orders", (Environment & env, const Args&)) {
  auto orders = env.source("orders", collection::Source<Order>({}));

  orders.async<std::string>("customers", Enrich{}, {.capacity = 200, .timeout = 5s}).sink("out", print::Sink{});

  orders.async<std::string>("customers-again", EnrichByCoroutine{}, {.ordered = false}).sink("soon", print::Sink{});

  auto patient = orders.async<std::string>(
      "patient", Enrich{},
      {.timeout = 60s,
       .retries = {.max_attempts = 5, .delay = 100ms, .multiplier = 2, .max_delay = 5s},
       .on_failure = side_output});
  patient.side_output<AsyncFailure<Order>>("failed")
      .map([](const AsyncFailure<Order>& failure) { return fmt::format("{}: {}", failure.value.id, failure.reason); })
      .sink("without customer", print::Sink{});
}
