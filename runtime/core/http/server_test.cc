#include "runtime/core/http/server.h"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "tests/support/raw_http.h"

namespace penstock::http {
namespace {

using testing::RawHttp;

// Keeps what was uploaded, and notices when the connection breaks.
struct Uploads {
  std::string bytes;
  std::promise<void> destroyed;
};

class UploadSink final : public BodySink {
 public:
  explicit UploadSink(Uploads* uploads) : uploads_(uploads) {}
  ~UploadSink() override { uploads_->destroyed.set_value(); }
  std::optional<Response> Write(std::string_view piece) override {
    uploads_->bytes += piece;
    return std::nullopt;
  }
  Response Finish() override { return Response{.status = 201}; }

 private:
  Uploads* const uploads_;
};

Router MakeRouter(Uploads* uploads = nullptr) {
  Router router;
  router.Handle("GET", "/hello/:name", [](const Request& request) {
    return Response{.body = "hello " + request.params.at("name") + request.query_value("x").value_or("")};
  });
  router.Handle("POST", "/echo", [](const Request& request) { return Response{.body = request.body}; });
  router.Handle("GET", "/throw", [](const Request&) -> Response { throw std::runtime_error("ouch"); });
  router.HandleUpload(
      "PUT", "/upload",
      {.handler = [uploads](const Request&, Response*) { return std::make_unique<UploadSink>(uploads); },
       .body_bytes_max = 1 << 20});
  return router;
}

}  // namespace

TEST_CASE("Requests are answered on one connection, bodies and all", "[http]") {
  Server server({.what = "test"}, MakeRouter());
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  const auto hello = client.Call("GET", "/hello/w%20rld?x=%21");
  CHECK(hello.status == 200);
  CHECK(hello.body == "hello w rld!");
  CHECK(hello.headers.at("content-type") == kJsonContentType);
  CHECK(hello.headers.count("access-control-allow-origin") == 0);
  const std::string big(100'000, 'x');
  CHECK(client.Call("POST", "/echo", big).body == big);
  const auto head = client.Call("HEAD", "/hello/you");
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == "9");
  CHECK(client.Call("GET", "/none").body == R"({"errors":["Not found: /none"]})");
  CHECK(client.Call("DELETE", "/echo").status == 405);
  CHECK(client.Call("GET", "/throw").status == 500);
  CHECK(client.Call("GET", "/hello/again").body == "hello again");
}

TEST_CASE("A chunked body and 100-continue work", "[http]") {
  Server server({.what = "test"}, MakeRouter());
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.Read(true).status == 100);
  client.Send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CHECK(client.Read().body == "abcde");
}

TEST_CASE("Too large bodies and headers are refused, announced or not", "[http]") {
  Server server({.what = "test", .header_bytes_max = 1024, .body_bytes_max = 1000}, MakeRouter());
  REQUIRE(server.Start().ok());
  CHECK(RawHttp(server.port()).Call("POST", "/echo", std::string(1000, 'x')).status == 200);
  CHECK(RawHttp(server.port()).Call("POST", "/echo", std::string(1001, 'x')).status == 413);
  RawHttp chunked(server.port());
  chunked.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x') + "\r\n0\r\n\r\n");
  CHECK(chunked.Read().status == 413);
  CHECK(RawHttp(server.port()).Call("GET", "/hello/a", "", {{"X-Long", std::string(2000, 'x')}}).status == 431);
  RawHttp garbage(server.port());
  garbage.Send("GET \x01 nonsense\r\n\r\n");
  CHECK(garbage.Read().status == 400);
  CHECK(garbage.AtEnd());
}

TEST_CASE("The filter refuses before the body is read", "[http]") {
  Uploads uploads;
  Server server({.what = "test"}, MakeRouter(&uploads), [](const Request& request) -> std::optional<Response> {
    if (request.header("authorization").empty()) return ErrorResponse(401, "no token");
    return std::nullopt;
  });
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  client.Send("PUT /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
  CHECK(client.Read().status == 401);
  CHECK(uploads.bytes.empty());
  CHECK(RawHttp(server.port()).Call("PUT", "/upload", "abc", {{"Authorization", "x"}}).status == 201);
}

TEST_CASE("What an upload sent before its connection broke reaches the sink", "[http]") {
  Uploads uploads;
  Server server({.what = "test"}, MakeRouter(&uploads));
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  client.Send("PUT /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nfirst part");
  client.Close();
  REQUIRE(uploads.destroyed.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(uploads.bytes == "first part");
}

TEST_CASE("An async handler answers from another thread, once, or times out", "[http]") {
  Router router;
  std::vector<Respond> kept;
  std::thread other;
  router.HandleAsync("GET", "/later", [&other](const Request&, Respond respond) {
    other = std::thread([respond] {
      respond(Response{.body = "later"});
      respond(Response{.body = "twice"});
    });
  });
  router.HandleAsync("GET", "/now", [](const Request&, Respond respond) { respond(Response{.body = "now"}); });
  router.HandleAsync("GET", "/never", [&kept](const Request&, Respond respond) { kept.push_back(respond); });
  Server server({.what = "test", .handler_timeout_ms = 500}, std::move(router));
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  CHECK(client.Call("GET", "/later").body == "later");
  other.join();
  CHECK(client.Call("GET", "/now").body == "now");
  CHECK(client.Call("GET", "/never").status == 504);
  server.Stop();
  kept.front()(Response{});  // too late: nothing happens
}

TEST_CASE("Connections beyond the limit get 503", "[http]") {
  Server server({.what = "test", .connections_max = 1}, MakeRouter());
  REQUIRE(server.Start().ok());
  RawHttp first(server.port());
  CHECK(first.Call("GET", "/hello/a").status == 200);
  RawHttp second(server.port());
  CHECK(second.Read().status == 503);
}

TEST_CASE("A silent connection is closed", "[http]") {
  Server server({.what = "test", .idle_timeout_ms = 50}, MakeRouter());
  REQUIRE(server.Start().ok());
  RawHttp client(server.port());
  CHECK(client.AtEnd());
}

TEST_CASE("Stop ends idle connections and lets a request in hand finish", "[http]") {
  std::promise<void> entered;
  std::promise<void> leave;
  Router router;
  router.Handle("GET", "/slow", [&](const Request&) {
    entered.set_value();
    leave.get_future().wait();
    return Response{.body = "done"};
  });
  Server server({.what = "test"}, std::move(router));
  REQUIRE(server.Start().ok());
  RawHttp idle(server.port());
  RawHttp busy(server.port());
  busy.Send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  entered.get_future().wait();
  std::thread stopper([&] { server.Stop(); });
  CHECK(idle.AtEnd());
  leave.set_value();
  const auto response = busy.Read();
  CHECK(response.body == "done");
  CHECK(response.headers.at("connection") == "close");
  stopper.join();
  server.Stop();
}

TEST_CASE("A taken port and an open address are clear errors", "[http]") {
  Server first({.what = "rest", .port_key = "rest.port"}, MakeRouter());
  REQUIRE(first.Start().ok());
  Server second({.what = "rest", .port_key = "rest.port", .port = first.port()}, MakeRouter());
  const absl::Status taken = second.Start();
  CHECK(taken.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(taken.message()).find("Address already in use; set rest.port") != std::string::npos);
  Server open({.what = "rest", .address = "0.0.0.0"}, MakeRouter());
  CHECK(open.Start().code() == absl::StatusCode::kPermissionDenied);
}

}  // namespace penstock::http
