#include "runtime/core/http/router.h"

#include <catch2/catch.hpp>

namespace penstock::http {
namespace {

Handler Named(const std::string& name) {
  return [name](const Request&) { return Response{.body = name}; };
}

std::string Find(const Router& router, std::string_view method, std::string_view path) {
  const Router::Match match = router.Find(method, path);
  if (match.action == nullptr) return match.path_known ? "405" : "404";
  std::string found = std::get<Handler>(*match.action)(Request{}).body;
  for (const auto& [name, value] : match.params) found += " " + name + "=" + value;
  return found;
}

}  // namespace

TEST_CASE("A literal segment beats a parameter, whatever the order of registration", "[http]") {
  Router router;
  router.Handle("GET", "/jobs/:jobid", Named("job"));
  router.Handle("GET", "/jobs/overview", Named("overview"));
  router.Handle("GET", "/jobs/:jobid/plan", Named("plan"));
  router.Handle("GET", "/:a/x/plan", Named("odd"));
  CHECK(Find(router, "GET", "/jobs/overview") == "overview");
  CHECK(Find(router, "GET", "/jobs/abc") == "job jobid=abc");
  CHECK(Find(router, "GET", "/jobs/abc/") == "job jobid=abc");
  CHECK(Find(router, "GET", "/jobs/overview/plan") == "plan jobid=overview");
  CHECK(Find(router, "GET", "/jobs/x/plan") == "plan jobid=x");
}

TEST_CASE("Unknown paths and methods are told apart", "[http]") {
  Router router;
  router.Handle("GET", "/jobs/:jobid", Named("get"));
  router.Handle("PATCH", "/jobs/:jobid", Named("patch"));
  router.Handle("GET", "/", Named("root"));
  CHECK(Find(router, "GET", "/") == "root");
  CHECK(Find(router, "PATCH", "/jobs/a") == "patch jobid=a");
  CHECK(Find(router, "HEAD", "/jobs/a") == "get jobid=a");
  CHECK(Find(router, "DELETE", "/jobs/a") == "405");
  CHECK(Find(router, "GET", "/job") == "404");
  CHECK(Find(router, "GET", "/jobs/a/b") == "404");
  CHECK(Find(router, "GET", "/jobs/..") == "404");
  CHECK(Find(router, "GET", "//") == "404");
}

}  // namespace penstock::http
