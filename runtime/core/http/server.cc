#include "runtime/core/http/server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/core/http/origin_check.h"
#include "runtime/core/listen_address.h"
#include "runtime/core/http/session.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"

namespace penstock::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kAcceptRetry = std::chrono::milliseconds(100);
constexpr auto kStopPoll = std::chrono::milliseconds(50);
constexpr std::string_view kOverloaded =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: 35\r\n"
    "Connection: close\r\n\r\n{\"errors\":[\"too many connections\"]}";

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, Router router, Filter filter)
      : context(std::make_shared<SessionContext>(std::move(options), std::move(router), std::move(filter))) {}

  absl::Status Bind();
  asio::awaitable<void> Accept();
  void StopConnections(bool now) ABSL_LOCKS_EXCLUDED(context->mutex);
  // False when some were left after that time.
  bool WaitForConnections(int64_t time_ms) ABSL_LOCKS_EXCLUDED(context->mutex);

  const std::shared_ptr<SessionContext> context;
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>();
  std::unique_ptr<tcp::acceptor> acceptor;
  std::vector<std::thread> threads;
  int port = 0;
  bool stopped = false;
};

absl::Status Server::Impl::Bind() {
  const ServerOptions& options = context->options;
  PENSTOCK_RETURN_IF_ERROR(CheckListenAddress("the " + options.what + " server", options.address, options.insecure));
  boost::system::error_code error;
  const std::string literal = options.address == "localhost" ? "127.0.0.1" : options.address;
  const auto address = asio::ip::make_address(literal, error);
  if (error) {
    return InvalidArgument("the {} server can't listen on '{}': it is no IP address", options.what, options.address);
  }
  const tcp::endpoint endpoint(address, static_cast<uint16_t>(options.port));
  acceptor = std::make_unique<tcp::acceptor>(asio::make_strand(*io));
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Unavailable("the {} server can't listen on {}:{}: {}; set {} to another value", options.what,
                       options.address, options.port, error.message(), options.port_key);
  }
  port = acceptor->local_endpoint().port();
  return absl::OkStatus();
}

asio::awaitable<void> Server::Impl::Accept() {
  while (acceptor->is_open()) {
    auto [error, socket] = co_await acceptor->async_accept(asio::make_strand(*io), asio::as_tuple(asio::use_awaitable));
    if (!acceptor->is_open()) break;
    if (error) {  // out of descriptors, or the peer has gone: try again
      PENSTOCK_LOG(warn, "{}: accept failed: {}", context->options.what, error.message());
      asio::steady_timer pause(acceptor->get_executor(), kAcceptRetry);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    const auto executor = socket.get_executor();
    auto connection = std::make_shared<Connection>(std::move(socket));
    bool accepted = false;
    {
      MutexLock lock(&context->mutex);
      accepted = static_cast<int>(context->connections.size()) < context->options.connections_max;
      if (accepted) context->connections.insert(connection);
    }
    if (accepted) {
      asio::co_spawn(executor, RunSession(io, context, std::move(connection)), asio::detached);
      continue;
    }
    boost::system::error_code ignored;
    connection->stream.socket().non_blocking(true, ignored);
    connection->stream.socket().write_some(asio::buffer(kOverloaded), ignored);
  }
}

void Server::Impl::StopConnections(bool now) {
  context->stopping = true;
  MutexLock lock(&context->mutex);
  for (const auto& connection : context->connections) {
    asio::post(connection->stream.get_executor(), [connection, now] { connection->Stop(now); });
  }
}

bool Server::Impl::WaitForConnections(int64_t time_ms) {
  MutexLock lock(&context->mutex);
  for (int64_t waited_ms = 0; !context->connections.empty() && waited_ms < time_ms; waited_ms += kStopPoll.count()) {
    context->changed.WaitFor(&context->mutex, kStopPoll);
  }
  return context->connections.empty();
}

Server::Server(ServerOptions options, Router router, Filter filter)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(router), std::move(filter))) {}

Server::~Server() { Stop(); }

absl::Status Server::Listen() { return impl_->Bind(); }

absl::Status Server::Start() {
  if (impl_->acceptor == nullptr) PENSTOCK_RETURN_IF_ERROR(impl_->Bind());
  asio::co_spawn(impl_->acceptor->get_executor(), impl_->Accept(), asio::detached);
  for (int i = 0; i < impl_->context->options.threads; ++i) {
    impl_->threads.emplace_back([io = impl_->io, name = impl_->context->options.what] {
      SetThreadName(name + "-io");
      io->run();
    });
  }
  return absl::OkStatus();
}

void Server::Stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  if (!impl_->threads.empty()) {
    asio::post(impl_->acceptor->get_executor(), [this] {
      boost::system::error_code ignored;
      impl_->acceptor->close(ignored);
    });
    impl_->StopConnections(false);
    // A connection accepted just now is not told to stop by the first round, so the round repeats with force.
    while (!impl_->WaitForConnections(impl_->context->options.stop_grace_ms)) impl_->StopConnections(true);
  }
  // With the acceptor closed and the sessions gone, the threads run out of work and leave by themselves.
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

int Server::port() const { return impl_->port; }

std::string Server::address() const {
  const std::string& host = impl_->context->options.address;
  return fmt::format("{}:{}", host.find(':') == std::string::npos ? host : "[" + host + "]", impl_->port);
}

}  // namespace penstock::http
