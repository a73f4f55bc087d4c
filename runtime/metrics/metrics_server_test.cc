#include "runtime/metrics/metrics_server.h"

#include <catch2/catch.hpp>

#include "tests/support/raw_http.h"

namespace penstock {

TEST_CASE("MetricsServer serves the registry as Prometheus text", "[metrics]") {
  MetricRegistry registry;
  const auto group = registry.CreateGroup("penstock_process", {{"id", "tm-1"}});
  group->GetCounter("starts").Add();
  MetricsServer server(registry, {});
  REQUIRE(server.Start().ok());
  testing::RawHttp client(server.port());
  const auto response = client.Call("GET", "/metrics");
  CHECK(response.status == 200);
  CHECK(response.headers.at("content-type") == kPrometheusContentType);
  CHECK(response.body == "# TYPE penstock_process_starts counter\npenstock_process_starts{id=\"tm-1\"} 1\n");
  CHECK(client.Call("GET", "/").status == 404);
}

}  // namespace penstock
