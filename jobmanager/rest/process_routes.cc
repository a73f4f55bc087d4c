// /v2/processes: who is there, and their log files.
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobmanager/rest/log_files.h"
#include "jobmanager/rest/render_v2.h"
#include "jobmanager/rest/rest_context.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using http::ErrorResponse;
using http::JsonResponse;
using http::Request;
using http::Respond;
using http::Response;

Response RenderLog(const proto::ReadLog& request, const proto::LogChunk& chunk) {
  if (!chunk.error().empty()) return ErrorResponse(404, chunk.error());
  if (!request.list()) {
    Response response{.body = chunk.data(), .content_type = http::kTextContentType};
    response.headers["Log-Bytes"] = std::to_string(chunk.data().size());
    return response;
  }
  nlohmann::json logs = nlohmann::json::array();
  for (const proto::LogFile& file : chunk.files()) {
    logs.push_back({{"name", file.name()}, {"size", file.size_bytes()}, {"mtime", file.mtime_ms()}});
  }
  return JsonResponse({{"logs", std::move(logs)}});
}

absl::StatusOr<int64_t> NumberOf(const Request& request, const std::string& name, int64_t fallback) {
  const auto text = request.query_value(name);
  if (!text) return fallback;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) {
    return InvalidArgument("'{}={}' is not a number", name, *text);
  }
  return number;
}

absl::StatusOr<proto::ReadLog> ReadLogOf(const Request& request) {
  proto::ReadLog read;
  const auto name = request.params.find("name");
  read.set_list(name == request.params.end());
  if (!read.list()) read.set_name(name->second);
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t offset, NumberOf(request, "offset", 0));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t max_bytes, NumberOf(request, "max", kLogPieceBytesMax));
  if (max_bytes <= 0) return InvalidArgument("'max={}' is not positive", max_bytes);
  read.set_offset(offset);
  read.set_max_bytes(std::min(max_bytes, kLogPieceBytesMax));
  return read;
}

void AnswerLogs(RestContext* context, const Request& request, Respond respond) {
  const auto read = ReadLogOf(request);
  if (!read.ok()) return respond(ErrorResponse(read.status()));
  const std::string& id = request.params.at("id");
  if (id == kJobManagerProcess) return respond(RenderLog(*read, ReadLogFiles(context->options.log_dir, *read)));
  context->commands.ReadTaskManagerLog(id, *read, [respond, read = *read](absl::StatusOr<proto::LogChunk> chunk) {
    respond(chunk.ok() ? RenderLog(read, *chunk) : ErrorResponse(chunk.status()));
  });
}

}  // namespace

void AddProcessRoutes(RestContext* context, http::Router* router) {
  router->Handle("GET", "/v2/processes", [context](const Request&) {
    return JsonResponse(RenderProcesses(*context->snapshots.Get(), getpid()));
  });
  const auto logs = [context](const Request& request, Respond respond) {
    AnswerLogs(context, request, std::move(respond));
  };
  router->HandleAsync("GET", "/v2/processes/:id/logs", logs);
  router->HandleAsync("GET", "/v2/processes/:id/logs/:name", logs);
}

}  // namespace penstock::jobmanager
