#include "runtime/core/http/session.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <exception>
#include <vector>

#include "runtime/core/log.h"

namespace penstock::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using RequestParser = beast::http::request_parser<beast::http::buffer_body>;

constexpr size_t kPieceBytes = 64 << 10;
// After a refusal the rest of the body is read and dropped for a while: closing at once would reset the connection
// before the client has read the answer.
constexpr int64_t kDrainBytesMax = 8 << 20;
// A refused request whose body is no longer than this is read to its end, so that the connection can be kept.
constexpr uint64_t kSkipBytesMax = 1 << 20;
constexpr auto kDrainTime = std::chrono::seconds(2);
constexpr auto kDone = asio::as_tuple(asio::use_awaitable);

std::string ToString(beast::string_view text) { return std::string(text.data(), text.size()); }

// Drops a body.
class NullSink final : public BodySink {
 public:
  std::optional<Response> Write(std::string_view) override { return std::nullopt; }
  Response Finish() override { return Response{}; }
};

// Collects a body in memory.
class StringSink final : public BodySink {
 public:
  explicit StringSink(std::string* body) : body_(body) {}
  std::optional<Response> Write(std::string_view piece) override {
    body_->append(piece);
    return std::nullopt;
  }
  Response Finish() override { return Response{}; }

 private:
  std::string* const body_;
};

template <class Call>
Response Guarded(const Request& request, Call call) {
  try {
    return call();
  } catch (const std::exception& e) {
    PENSTOCK_LOG(error, "handler of {} {} threw: {}", request.method, request.path, e.what());
    return ErrorResponse(500, fmt::format("internal error while answering {}: {}", request.path, e.what()));
  }
}

// The answer of an AsyncHandler on its way back. The session owns it; the handler's callback holds it weakly, so that
// a late answer finds nothing.
struct Waiting {
  std::shared_ptr<asio::io_context> io;  // outlives the connection
  std::shared_ptr<Connection> connection;
  std::optional<Response> response;
};

Respond MakeRespond(const std::shared_ptr<Waiting>& waiting) {
  return [weak = std::weak_ptr<Waiting>(waiting)](Response response) {
    const std::shared_ptr<Waiting> alive = weak.lock();
    if (alive == nullptr) return;
    asio::post(alive->connection->stream.get_executor(), [weak, response = std::move(response)]() mutable {
      const std::shared_ptr<Waiting> target = weak.lock();
      if (target == nullptr || target->response) return;
      target->response = std::move(response);
      target->connection->handler_timer.cancel();
    });
  };
}

class Session {
 public:
  Session(std::shared_ptr<asio::io_context> io, std::shared_ptr<SessionContext> context,
          std::shared_ptr<Connection> connection)
      : io_(std::move(io)), context_(std::move(context)), connection_(std::move(connection)) {}
  ~Session() {
    MutexLock lock(&context_->mutex);
    context_->connections.erase(connection_);
    context_->changed.NotifyAll();
  }

  asio::awaitable<void> Run() {
    while (!context_->stopping) {
      const bool again = co_await ServeOne();
      connection_->busy = false;
      if (!again) break;
    }
    beast::error_code ignored;
    connection_->stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

 private:
  // False when the connection is over.
  asio::awaitable<bool> ServeOne() {
    RequestParser parser;
    parser.header_limit(static_cast<uint32_t>(context_->options.header_bytes_max));
    parser.body_limit(boost::none);  // counted in ReadBody, where the route is known
    ExpireIn(context_->options.idle_timeout_ms);
    const auto [error, size] =
        co_await beast::http::async_read_header(connection_->stream, connection_->buffer, parser, kDone);
    connection_->busy = true;
    if (error) co_return co_await RefuseUnreadable(error);

    Request request;
    const Response response = co_await Answer(parser, &request);
    if (!parser.is_done() && !broken_ && parser.content_length().value_or(kSkipBytesMax + 1) <= kSkipBytesMax &&
        request.header("expect").empty()) {
      NullSink sink;
      co_await ReadBody(parser, request, kSkipBytesMax, &sink);
    }
    const bool keep = parser.is_done() && parser.get().keep_alive() && !context_->stopping;
    if (!co_await Write(response, parser.get().version(), keep, request.method == "HEAD")) co_return false;
    if (!parser.is_done() && !broken_) co_await Drain();
    co_return keep;
  }

  asio::awaitable<bool> RefuseUnreadable(beast::error_code error) {
    const bool ours = error == beast::http::error::header_limit || error == beast::http::error::bad_method ||
                      error == beast::http::error::bad_target || error == beast::http::error::bad_version ||
                      error == beast::http::error::bad_field || error == beast::http::error::bad_value ||
                      error == beast::http::error::bad_content_length || error == beast::http::error::bad_line_ending;
    if (!ours) co_return false;  // closed, timed out, or not HTTP at all
    const int status = error == beast::http::error::header_limit ? 431 : 400;
    co_await Write(ErrorResponse(status, "malformed request: " + error.message()), 11, false, false);
    co_await Drain();
    co_return false;
  }

  asio::awaitable<Response> Answer(RequestParser& parser, Request* request) {
    request->method = ToString(parser.get().method_string());
    for (const auto& field : parser.get()) {
      std::string name = ToString(field.name_string());
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      request->headers[std::move(name)] = ToString(field.value());
    }
    const std::string target = ToString(parser.get().target());
    if (!ParseTarget(target, request)) co_return ErrorResponse(400, "malformed request target: " + target);
    if (context_->filter) {
      if (auto refusal = context_->filter(*request)) co_return *std::move(refusal);
    }
    Router::Match match = context_->router.Find(request->method, request->path);
    request->params = std::move(match.params);
    if (match.action == nullptr) co_return NoRoute(*request, match.path_known);

    if (const auto* upload = std::get_if<Upload>(match.action)) {
      Response refusal;
      std::unique_ptr<BodySink> sink = upload->handler(*request, &refusal);
      if (sink == nullptr) co_return refusal;
      auto early = co_await ReadBody(parser, *request, upload->body_bytes_max, sink.get());
      if (early) co_return *std::move(early);
      co_return Guarded(*request, [&] { return sink->Finish(); });
    }
    StringSink sink(&request->body);
    auto early = co_await ReadBody(parser, *request, context_->options.body_bytes_max, &sink);
    if (early) co_return *std::move(early);
    if (const auto* handler = std::get_if<Handler>(match.action)) {
      co_return Guarded(*request, [&] { return (*handler)(*request); });
    }
    co_return co_await CallAsync(std::get<AsyncHandler>(*match.action), *request);
  }

  Response NoRoute(const Request& request, bool path_known) const {
    if (path_known) {
      return ErrorResponse(405, fmt::format("{} is not allowed for {}", request.method, request.path));
    }
    const Handler& fallback = context_->router.fallback();
    if (fallback && (request.method == "GET" || request.method == "HEAD")) {
      return Guarded(request, [&] { return fallback(request); });
    }
    return ErrorResponse(404, "Not found: " + request.path);
  }

  // A response ends the request early: the sink's own, too large, or the connection has broken.
  asio::awaitable<std::optional<Response>> ReadBody(RequestParser& parser, const Request& request, int64_t bytes_max,
                                                    BodySink* sink) {
    const Response too_large =
        ErrorResponse(413, fmt::format("the body of {} is larger than {} bytes", request.path, bytes_max));
    const auto announced = parser.content_length();
    if (announced && *announced > static_cast<uint64_t>(bytes_max)) co_return too_large;
    if (request.header("expect") == "100-continue") {
      beast::http::response<beast::http::empty_body> go_on{beast::http::status::continue_, 11};
      co_await beast::http::async_write(connection_->stream, go_on, kDone);
    }
    std::vector<char> piece(kPieceBytes);
    int64_t received = 0;
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      ExpireIn(context_->options.io_timeout_ms);
      const auto [error, ignored] =
          co_await beast::http::async_read_some(connection_->stream, connection_->buffer, parser, kDone);
      const size_t size = piece.size() - parser.get().body().size;
      received += static_cast<int64_t>(size);
      if (received > bytes_max) co_return too_large;
      // What came before a break still counts: an upload goes on from there.
      if (size > 0) {
        if (auto early = sink->Write(std::string_view(piece.data(), size))) co_return early;
      }
      if (error && error != beast::http::error::need_buffer) {
        broken_ = true;
        co_return ErrorResponse(400, "the request's body broke off: " + error.message());
      }
    }
    co_return std::nullopt;
  }

  asio::awaitable<Response> CallAsync(const AsyncHandler& handler, const Request& request) {
    auto waiting = std::make_shared<Waiting>(Waiting{io_, connection_, std::nullopt});
    connection_->handler_timer.expires_after(std::chrono::milliseconds(context_->options.handler_timeout_ms));
    connection_->stream.expires_never();
    handler(request, MakeRespond(waiting));
    co_await connection_->handler_timer.async_wait(kDone);
    if (waiting->response) co_return *std::move(waiting->response);
    co_return ErrorResponse(504, fmt::format("{} was not answered in time", request.path));
  }

  asio::awaitable<bool> Write(const Response& response, unsigned version, bool keep, bool head) {
    beast::http::response<beast::http::string_body> message;
    message.version(version);
    message.result(static_cast<unsigned>(response.status));
    message.set(beast::http::field::content_type, response.content_type);
    message.set("X-Content-Type-Options", "nosniff");
    message.set(beast::http::field::cache_control, "no-store");
    for (const auto& [name, value] : response.headers) message.set(name, value);
    message.keep_alive(keep);
    message.content_length(response.body.size());
    if (!head) message.body() = response.body;
    ExpireIn(context_->options.io_timeout_ms);
    beast::http::response_serializer<beast::http::string_body> serializer(message);
    if (head) {
      const auto [error, size] = co_await beast::http::async_write_header(connection_->stream, serializer, kDone);
      co_return !error;
    }
    const auto [error, size] = co_await beast::http::async_write(connection_->stream, serializer, kDone);
    co_return !error;
  }

  asio::awaitable<void> Drain() {
    beast::error_code ignored;
    connection_->stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    connection_->stream.expires_after(kDrainTime);
    std::vector<char> piece(kPieceBytes);
    for (int64_t drained = 0; drained < kDrainBytesMax;) {
      const auto [error, size] = co_await connection_->stream.async_read_some(asio::buffer(piece), kDone);
      if (error) co_return;
      drained += static_cast<int64_t>(size);
    }
  }

  void ExpireIn(int64_t timeout_ms) { connection_->stream.expires_after(std::chrono::milliseconds(timeout_ms)); }

  const std::shared_ptr<asio::io_context> io_;  // first: outlives the connection
  const std::shared_ptr<SessionContext> context_;
  const std::shared_ptr<Connection> connection_;
  bool broken_ = false;
};

}  // namespace

void Connection::Stop(bool now) {
  if (busy && !now) return;
  handler_timer.cancel();
  beast::error_code ignored;
  stream.socket().close(ignored);
}

asio::awaitable<void> RunSession(std::shared_ptr<asio::io_context> io, std::shared_ptr<SessionContext> context,
                                 std::shared_ptr<Connection> connection) {
  Session session(std::move(io), std::move(context), std::move(connection));
  co_await session.Run();
}

}  // namespace penstock::http
