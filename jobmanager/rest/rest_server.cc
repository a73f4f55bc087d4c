#include "jobmanager/rest/rest_server.h"

#include <chrono>
#include <utility>

#include "jobmanager/rest/rest_context.h"
#include "runtime/core/actor.h"
#include "runtime/core/http/origin_check.h"
#include "runtime/core/http/server.h"
#include "runtime/core/http/static_files.h"
#include "runtime/core/local_token.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {
namespace {

using http::Request;
using http::Response;

constexpr char kPage[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>penstock</title></head><body>"
    "<h1>penstock</h1><p>This is the JobManager. Its REST interface is described in docs/rest.md; begin with "
    "<a href=\"overview\">/overview</a>, <a href=\"jobs/overview\">/jobs/overview</a>, "
    "<a href=\"taskmanagers\">/taskmanagers</a> and <a href=\"v2/processes\">/v2/processes</a>, or use the "
    "<code>penstock</code> command.</p></body></html>\n";

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, comma - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (!part.empty()) parts.push_back(std::move(part));
    begin = comma + 1;
  }
  return parts;
}

bool Changes(const Request& request) { return request.method != "GET" && request.method != "HEAD"; }

std::string TokenOf(const Request& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string& authorization = request.header("authorization");
  if (authorization.starts_with(kBearer)) return authorization.substr(kBearer.size());
  return request.header("x-penstock-token");
}

}  // namespace

RestOptions RestOptions::From(const Config& config) {
  return RestOptions{.address = config.GetString("rest.address"),
                     .port = static_cast<int>(config.GetInt("rest.port")),
                     .insecure = config.GetBool("insecure"),
                     .allowed_hosts = SplitCommas(config.GetString("rest.allow-origin-hosts")),
                     .token_file = config.GetString("rest.local-token-file"),
                     .ui_dir = config.GetString("web.ui.dir"),
                     .log_dir = config.GetString("jobmanager.log.dir"),
                     .refresh_interval_ms = config.GetDurationMs("web.refresh-interval"),
                     .restart_strategy = config.GetString("restart-strategy.type")};
}

struct RestServer::Parts {
  Parts(RestOptions options, const SnapshotHolder& snapshots, Commands& commands, ProgramStore& programs,
        const Clock& clock)
      : context{std::move(options), snapshots, commands, programs, clock},
        origins(context.options.address, context.options.allowed_hosts),
        sampler("rest-rates", clock) {}

  http::Router MakeRouter();
  std::optional<Response> Refuse(const Request& request) const;
  void Sample();

  RestContext context;
  const http::OriginCheck origins;
  // Set by Start() before the first request can be answered.
  std::string token;
  std::string token_file;
  std::unique_ptr<http::Server> server;
  Actor sampler;
};

http::Router RestServer::Parts::MakeRouter() {
  http::Router router;
  AddFlinkRoutes(&context, &router);
  AddJobRoutes(&context, &router);
  AddMemoryRoutes(&context, &router);
  AddCheckpointRoutes(&context, &router);
  AddProgramRoutes(&context, &router);
  AddProcessRoutes(&context, &router);
  if (context.options.ui_dir.empty()) {
    router.Handle("GET", "/",
                  [](const Request&) { return Response{.body = kPage, .content_type = "text/html; charset=UTF-8"}; });
  } else {
    router.SetFallback(
        [root = context.options.ui_dir](const Request& request) { return http::ServeStaticFile(root, request); });
  }
  return router;
}

std::optional<Response> RestServer::Parts::Refuse(const Request& request) const {
  if (auto refusal = origins.Check(request)) return refusal;
  if (!Changes(request) || SameToken(TokenOf(request), token)) return std::nullopt;
  return http::ErrorResponse(401, fmt::format("{} needs the local token: send the content of {} as 'Authorization: "
                                              "Bearer <token>'",
                                              request.method, token_file));
}

void RestServer::Parts::Sample() {
  context.rates.Observe(*context.snapshots.Get(), context.clock.MonotonicMs());
  sampler.PostAfter(std::chrono::milliseconds(context.options.rate_interval_ms), [this] { Sample(); });
}

RestServer::RestServer(RestOptions options, const SnapshotHolder& snapshots, Commands& commands, ProgramStore& programs,
                       const Clock& clock)
    : parts_(std::make_unique<Parts>(std::move(options), snapshots, commands, programs, clock)) {}

RestServer::~RestServer() { Stop(); }

absl::Status RestServer::Start() {
  const RestOptions& options = parts_->context.options;
  parts_->server = std::make_unique<http::Server>(
      http::ServerOptions{.what = "rest",
                          .port_key = "rest.port",
                          .address = options.address,
                          .port = options.port,
                          .insecure = options.insecure},
      parts_->MakeRouter(), [parts = parts_.get()](const Request& request) { return parts->Refuse(request); });
  // Bound before the token is written (its file is named after the port), answering after.
  PENSTOCK_RETURN_IF_ERROR(parts_->server->Listen());
  parts_->token_file = options.token_file.empty() ? DefaultLocalTokenFile(port()) : options.token_file;
  PENSTOCK_ASSIGN_OR_RETURN(parts_->token, CreateLocalToken(parts_->token_file));
  PENSTOCK_RETURN_IF_ERROR(parts_->server->Start());
  parts_->sampler.Post([parts = parts_.get()] { parts->Sample(); });
  PENSTOCK_LOG(info, "REST at http://{}, local token in {}", address(), parts_->token_file);
  return absl::OkStatus();
}

void RestServer::Stop() {
  if (parts_->server != nullptr) parts_->server->Stop();
  parts_->sampler.Stop();
}

std::string RestServer::address() const { return parts_->server->address(); }
int RestServer::port() const { return parts_->server->port(); }
const std::string& RestServer::token_file() const { return parts_->token_file; }

}  // namespace penstock::jobmanager
