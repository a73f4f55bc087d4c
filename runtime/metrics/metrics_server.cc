#include "runtime/metrics/metrics_server.h"

namespace penstock {
namespace {

// One thread and few connections: a scraper or two.
constexpr int kThreads = 1;
constexpr int kConnectionsMax = 16;

http::Router MakeRouter(const MetricRegistry& registry) {
  http::Router router;
  router.Handle("GET", "/metrics", [&registry](const http::Request&) {
    return http::Response{.body = registry.PrometheusText(), .content_type = kPrometheusContentType};
  });
  return router;
}

}  // namespace

MetricsServer::MetricsServer(const MetricRegistry& registry, const MetricsServerOptions& options)
    : server_({.what = "metrics",
               .port_key = "metrics.port",
               .address = options.address,
               .port = options.port,
               .insecure = options.insecure,
               .threads = kThreads,
               .connections_max = kConnectionsMax},
              MakeRouter(registry)) {}

}  // namespace penstock
