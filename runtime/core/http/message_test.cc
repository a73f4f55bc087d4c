#include "runtime/core/http/message.h"

#include <catch2/catch.hpp>

#include "runtime/core/http/origin_check.h"
#include "runtime/core/listen_address.h"
#include "runtime/core/status.h"

namespace penstock::http {

TEST_CASE("A target is split and decoded", "[http]") {
  Request request;
  REQUIRE(ParseTarget("/a%20b/c?mode=cancel&x=1+2&empty&y=%2F", &request));
  CHECK(request.path == "/a b/c");
  CHECK(request.query ==
        std::map<std::string, std::string>{{"empty", ""}, {"mode", "cancel"}, {"x", "1 2"}, {"y", "/"}});
}

TEST_CASE("A malformed target is refused", "[http]") {
  for (const char* bad : {"", "jobs", "/%", "/%4", "/%zz", "/a%00b", "/x?a=%q"}) {
    Request request;
    INFO(bad);
    CHECK_FALSE(ParseTarget(bad, &request));
  }
}

TEST_CASE("Errors have Flink's form and survive bytes that are not UTF-8", "[http]") {
  CHECK(ErrorResponse(404, "Job x not found").body == R"({"errors":["Job x not found"]})");
  CHECK(ErrorResponse(NotFound("no job")).status == 404);
  CHECK(ErrorResponse(InvalidArgument("no")).status == 400);
  CHECK(ErrorResponse(AlreadyExists("no")).status == 409);
  CHECK(ErrorResponse(500, "bad \xff byte").body.find("bad ") != std::string::npos);
}

TEST_CASE("Host and Origin of a loopback server", "[http]") {
  const OriginCheck check("127.0.0.1", {"flow.example"});
  const auto refused = [&](std::map<std::string, std::string> headers) {
    Request request;
    request.headers = std::move(headers);
    return check.Check(request).has_value();
  };
  CHECK_FALSE(refused({{"host", "127.0.0.1:8081"}}));
  CHECK_FALSE(refused({{"host", "localhost"}}));
  CHECK_FALSE(refused({{"host", "[::1]:8081"}}));
  CHECK_FALSE(refused({{"host", "flow.example"}, {"origin", "https://flow.example"}}));
  CHECK_FALSE(refused({{"host", "localhost:8081"}, {"origin", "http://localhost:8081"}}));
  CHECK(refused({}));
  CHECK(refused({{"host", "evil.example:8081"}}));
  CHECK(refused({{"host", "10.0.0.1:8081"}}));
  CHECK(refused({{"host", "localhost:8081"}, {"origin", "http://evil.example"}}));
  CHECK(refused({{"host", "localhost:8081"}, {"origin", "http://localhost:9999"}}));
  CHECK(refused({{"host", "localhost:8081"}, {"origin", "null"}}));
}

TEST_CASE("A server off loopback takes any address as Host, but no unknown name", "[http]") {
  const OriginCheck check("0.0.0.0", {});
  Request request;
  request.headers["host"] = "10.0.0.1:8081";
  CHECK_FALSE(check.Check(request).has_value());
  request.headers["host"] = "evil.example:8081";
  CHECK(check.Check(request).has_value());
}

TEST_CASE("Only loopback addresses are listened on without insecure", "[http]") {
  CHECK(CheckListenAddress("rest", "127.0.0.1", false).ok());
  CHECK(CheckListenAddress("rest", "127.8.8.8", false).ok());
  CHECK(CheckListenAddress("rest", "::1", false).ok());
  CHECK_FALSE(CheckListenAddress("rest", "0.0.0.0", false).ok());
  CHECK_FALSE(CheckListenAddress("rest", "127.evil.example", false).ok());
  CHECK(CheckListenAddress("rest", "0.0.0.0", true).ok());
}

}  // namespace penstock::http
