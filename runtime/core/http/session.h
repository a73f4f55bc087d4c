// One connection of the server: reads requests, calls handlers, writes answers. Internal to core/http: includes Beast.
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_SESSION_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_SESSION_H_

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <memory>
#include <set>
#include <utility>

#include "runtime/core/http/router.h"
#include "runtime/core/http/server.h"
#include "runtime/core/mutex.h"

namespace penstock::http {

// Everything is used on the strand of the stream alone.
struct Connection {
  explicit Connection(boost::asio::ip::tcp::socket socket)
      : stream(std::move(socket)), handler_timer(stream.get_executor()) {}
  // Ends the connection now, or after the request in hand.
  void Stop(bool now);

  boost::beast::tcp_stream stream;
  boost::beast::flat_buffer buffer;
  boost::asio::steady_timer handler_timer;  // wakes the session when an AsyncHandler has answered
  bool busy = false;                        // a request has begun and is not yet answered
};

// What the sessions of one server share.
struct SessionContext {
  SessionContext(ServerOptions o, Router r, Filter f)
      : options(std::move(o)), router(std::move(r)), filter(std::move(f)) {}

  // Constant after construction.
  const ServerOptions options;
  const Router router;
  const Filter filter;

  // Read between requests; a handler in hand keeps its strand busy, so the connection can't be told there.
  std::atomic<bool> stopping{false};

  Mutex mutex;
  CondVar changed;
  std::set<std::shared_ptr<Connection>> connections ABSL_GUARDED_BY(mutex);
};

// Runs until the connection ends; the connection is in context->connections for as long.
boost::asio::awaitable<void> RunSession(std::shared_ptr<boost::asio::io_context> io,
                                        std::shared_ptr<SessionContext> context,
                                        std::shared_ptr<Connection> connection);

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_SESSION_H_
