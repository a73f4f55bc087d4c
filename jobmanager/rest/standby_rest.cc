#include "jobmanager/rest/standby_rest.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/core/http/router.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

constexpr int kRetryAfterS = 1;

}  // namespace

absl::StatusOr<std::unique_ptr<http::Server>> StartStandbyRest(const RestOptions& options,
                                                               std::function<std::string()> leader) {
  const auto refuse = [leader = std::move(leader)](const http::Request&) -> std::optional<http::Response> {
    const std::string address = leader();
    const std::string text = address.empty()
                                 ? "this JobManager stands by, and no leader is known yet: try again"
                                 : fmt::format("this JobManager stands by, the leader is at http://{}", address);
    http::Response response = http::JsonResponse({{"errors", {text}}, {"leader", address}}, 503);
    response.headers.emplace("Retry-After", std::to_string(kRetryAfterS));
    if (!address.empty()) response.headers.emplace("Penstock-Leader", address);
    return response;
  };
  auto server = std::make_unique<http::Server>(http::ServerOptions{.what = "rest",
                                                                   .port_key = "rest.port",
                                                                   .address = options.address,
                                                                   .port = options.port,
                                                                   .insecure = options.insecure},
                                               http::Router(), refuse);
  PENSTOCK_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace penstock::jobmanager
