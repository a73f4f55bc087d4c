// Serves /metrics of one registry, for processes that have no REST server.
#ifndef PENSTOCK_RUNTIME_METRICS_METRICS_SERVER_H_
#define PENSTOCK_RUNTIME_METRICS_METRICS_SERVER_H_

#include <string>

#include "absl/status/status.h"
#include "runtime/core/http/server.h"
#include "runtime/metrics/metrics.h"

namespace penstock {

inline constexpr char kPrometheusContentType[] = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: a free one
  bool insecure = false;
};

// Thread-safe after Start(). The registry outlives the server.
class MetricsServer {
 public:
  MetricsServer(const MetricRegistry& registry, const MetricsServerOptions& options);

  absl::Status Start() { return server_.Start(); }
  void Stop() { server_.Stop(); }
  int port() const { return server_.port(); }
  std::string address() const { return server_.address(); }

 private:
  http::Server server_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_METRICS_METRICS_SERVER_H_
