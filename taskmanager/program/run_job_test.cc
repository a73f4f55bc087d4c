// penstock::testing::RunJob: a whole job on a LocalCluster.
#include <penstock/connectors/datagen.h>
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <map>
#include <stdexcept>

namespace penstock::testing {
namespace {

struct Order {
  std::string customer;
  int64_t time = 0;
};

std::vector<Order> Orders() {
  std::vector<Order> orders;
  for (int i = 0; i < 3'000; ++i) orders.push_back({"c" + std::to_string(i % 7), i});
  return orders;
}

TEST_CASE("RunJob gives what an independent count gives, whatever the parallelism", "[run_job]") {
  std::map<std::pair<std::string, TimestampMs>, int64_t> expected;
  for (const Order& order : Orders()) ++expected[{order.customer, order.time / 1'000 * 1'000}];

  const int parallelism = GENERATE(1, 3);
  const int taskmanagers = GENERATE(1, 2);
  collect::Results<WindowResult<std::string, int64_t>> results;
  const absl::Status end = RunJob(
      [&](Environment& env, const Args& args) {
        env.source("orders", collection::Source<Order>{.records = Orders()})
            .watermarks(bounded_disorder<Order>(std::chrono::milliseconds(10), &Order::time))
            .filter([skipped = args["skip"]](const Order& order) { return order.customer != skipped; })
            .key_by(&Order::customer)
            .window(tumbling(std::chrono::seconds(1)))
            .aggregate("counts", Count{})
            .sink("out", collect::Sink<WindowResult<std::string, int64_t>>{results});
      },
      {.parallelism = parallelism, .taskmanagers = taskmanagers, .arguments = {"--skip", "nobody"}});
  INFO(end);
  REQUIRE(end.ok());
  std::map<std::pair<std::string, TimestampMs>, int64_t> got;
  for (const auto& result : results.values()) got[{result.key, result.start}] += result.value;
  CHECK(got == expected);
  CHECK(results.size() == expected.size());
}

TEST_CASE("RunJob tells what is wrong with a job", "[run_job]") {
  const auto graph = RunJob([](Environment& env, const Args& args) {
    env.source("numbers", collection::Source<int>{.records = {1}}).filter([t = args["topic"]](const int&) {
      return true;
    });
  });
  CHECK(graph.code() == absl::StatusCode::kInvalidArgument);
  CHECK(graph.message().find("no sink") != std::string::npos);
  CHECK(graph.message().find("topic") != std::string::npos);

  collect::Results<int> results;
  const auto thrown = RunJob([&](Environment& env, const Args&) {
    env.source("numbers", collection::Source<int>{.records = {1, 2}})
        .map([](const int& i) { return i == 2 ? throw std::runtime_error("two is too much") : i; })
        .sink("out", collect::Sink<int>{results});
  });
  CHECK(absl::IsAborted(thrown));
  CHECK(thrown.message().find("two is too much") != std::string::npos);
}

TEST_CASE("RunJob ends an endless job when enough has been seen, or when its time is up", "[run_job]") {
  collect::Results<int64_t> results;
  const auto build = [&](Environment& env, const Args&) {
    env.source(
           "numbers",
           datagen::Source<int64_t>{.generate = [](uint64_t i, datagen::Random&) { return static_cast<int64_t>(i); }})
        .sink("out", collect::Sink<int64_t>{results});
  };
  CHECK(RunJob(build, {.until = [&] { return results.size() >= 1'000; }}).ok());
  CHECK(results.size() >= 1'000);
  const auto late = RunJob(build, {.timeout = std::chrono::milliseconds(50)});
  CHECK(absl::IsDeadlineExceeded(late));
  CHECK(late.message() == "the job did not end within 50 ms");
}

}  // namespace
}  // namespace penstock::testing
