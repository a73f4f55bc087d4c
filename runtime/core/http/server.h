// A small HTTP/1.1 server: asynchronous on a few threads, keep-alive, bounded in connections, sizes and times.
//
// Threads: handlers run on the server's threads and may block for milliseconds; an AsyncHandler answers from anywhere.
// Lifetime: Stop() takes no new requests, lets those in flight end within stop_grace_ms, and joins; idempotent; also
// called by the destructor. Errors: a taken port is Unavailable, an address off loopback PermissionDenied unless
// `insecure`. An exception that leaves a handler is answered with 500.
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_SERVER_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "runtime/core/http/message.h"
#include "runtime/core/http/router.h"

namespace penstock::http {

struct ServerOptions {
  std::string what = "http";          // in messages and thread names: "rest", "metrics"
  std::string port_key = "the port";  // what to change when the port is taken: "rest.port"
  std::string address = "127.0.0.1";
  int port = 0;  // 0: a free one
  bool insecure = false;
  int threads = 4;
  int connections_max = 512;  // further ones are answered 503
  int64_t header_bytes_max = 16 << 10;
  int64_t body_bytes_max = 16 << 20;    // of routes that are no uploads
  int64_t idle_timeout_ms = 60'000;     // between requests
  int64_t io_timeout_ms = 30'000;       // without progress within a request
  int64_t handler_timeout_ms = 30'000;  // of an AsyncHandler; then 504
  int64_t stop_grace_ms = 3'000;
};

// Runs before the body is read; a response refuses the request.
using Filter = std::function<std::optional<Response>(const Request&)>;

class Server {
 public:
  Server(ServerOptions options, Router router, Filter filter = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds the port; connections wait unanswered. Start() does it when it has not been done.
  absl::Status Listen();
  absl::Status Start();
  void Stop();
  // After Listen().
  int port() const;
  std::string address() const;  // host:port

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_SERVER_H_
