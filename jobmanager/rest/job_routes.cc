// /v2/jobs: submit, status, cancel.
#include <nlohmann/json.hpp>
#include <utility>

#include "jobmanager/rest/job_view.h"
#include "jobmanager/rest/read_json.h"
#include "jobmanager/rest/render_v2.h"
#include "jobmanager/rest/rest_context.h"
#include "runtime/core/config.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using http::ErrorResponse;
using http::JsonResponse;
using http::Request;
using http::Response;
using nlohmann::json;

absl::Status ReadConfig(const json& body, JobSubmission* submission) {
  const auto config = body.find("config");
  if (config == body.end()) return absl::OkStatus();
  if (!config->is_object()) return InvalidArgument("'config' is not a map of keys and values");
  ConfigSources sources;
  for (const auto& [key, value] : config->items()) {
    if (!value.is_string()) return InvalidArgument("the value of config key '{}' is not a string", key);
    sources.overrides.emplace_back(key, value.get<std::string>());
    submission->config[key] = value.get<std::string>();
  }
  return Config::Load(sources).status();
}

absl::Status ReadRestore(const json& body, RestoreRequest* restore) {
  const auto at = body.find("restore");
  if (at == body.end() || at->is_null()) return absl::OkStatus();
  if (!at->is_object()) return InvalidArgument("'restore' is no JSON object");
  for (const auto& [name, value] : at->items()) {
    if (name != "path" && name != "resume" && name != "allow_empty" && name != "allow_non_restored" &&
        name != "allow_duplicates") {
      return InvalidArgument(
          "'restore' has no '{}': it has path, resume, allow_empty, allow_non_restored, allow_duplicates", name);
    }
  }
  PENSTOCK_ASSIGN_OR_RETURN(restore->path, StringIn(*at, "path"));
  PENSTOCK_ASSIGN_OR_RETURN(restore->resume, BoolIn(*at, "resume"));
  PENSTOCK_ASSIGN_OR_RETURN(restore->allow_empty, BoolIn(*at, "allow_empty"));
  PENSTOCK_ASSIGN_OR_RETURN(restore->allow_non_restored, BoolIn(*at, "allow_non_restored"));
  PENSTOCK_ASSIGN_OR_RETURN(restore->allow_duplicates, BoolIn(*at, "allow_duplicates"));
  const int ways = (restore->path.empty() ? 0 : 1) + (restore->resume ? 1 : 0) + (restore->allow_empty ? 1 : 0);
  if (ways > 1) return InvalidArgument("'restore': path, resume and allow_empty exclude each other");
  return absl::OkStatus();
}

absl::StatusOr<JobSubmission> ReadSubmission(const std::string& text) {
  const json body = json::parse(text, nullptr, false);
  if (!body.is_object())
    return InvalidArgument("the body is no JSON object {{plan, digest, is_bundle, arguments, config, restore}}");
  JobSubmission submission;
  PENSTOCK_RETURN_IF_ERROR(ReadPlan(body, &submission.graph));
  PENSTOCK_RETURN_IF_ERROR(ReadRestore(body, &submission.restore));
  PENSTOCK_RETURN_IF_ERROR(ReadConfig(body, &submission));
  if (!body.contains("digest") || !body["digest"].is_string()) return InvalidArgument("'digest' is missing");
  submission.digest = body["digest"].get<std::string>();
  if (body.contains("is_bundle")) {
    if (!body["is_bundle"].is_boolean()) return InvalidArgument("'is_bundle' is neither true nor false");
    submission.is_bundle = body["is_bundle"].get<bool>();
  }
  if (body.contains("arguments")) {
    if (!body["arguments"].is_array()) return InvalidArgument("'arguments' is not a list of strings");
    for (const json& argument : body["arguments"]) {
      if (!argument.is_string()) return InvalidArgument("'arguments' is not a list of strings");
      submission.arguments.push_back(argument.get<std::string>());
    }
  }
  return submission;
}

Response SubmitJob(RestContext* context, const Request& request) {
  auto submission = ReadSubmission(request.body);
  if (!submission.ok()) return ErrorResponse(submission.status());
  const auto program = context->programs.Find(submission->digest);
  if (absl::IsNotFound(program.status())) {
    return ErrorResponse(409, MessageOf(program.status()) + "; upload it to /v2/programs/" + submission->digest);
  }
  if (!program.ok()) return ErrorResponse(program.status());
  if (submission->is_bundle != program->is_bundle) {
    return ErrorResponse(400, fmt::format("'is_bundle' is {}, but what was uploaded {} a bundle", submission->is_bundle,
                                          program->is_bundle ? "is" : "is not"));
  }
  const auto job_id = context->commands.Submit(*submission);
  if (!job_id.ok()) return ErrorResponse(job_id.status());
  return JsonResponse({{"jobid", *job_id}});
}

Response GetStatus(RestContext* context, const Request& request) {
  const std::string& id = request.params.at("jobid");
  const auto job = FindJob(*context->snapshots.Get(), id);
  if (job == nullptr) return ErrorResponse(404, "Job " + id + " not found");
  return JsonResponse(RenderJobStatus(*job, context->rates, context->clock.NowMs()));
}

Response CancelJob(RestContext* context, const Request& request) {
  const std::string& id = request.params.at("jobid");
  const absl::Status cancelled = context->commands.Cancel(id);
  if (absl::IsNotFound(cancelled)) return ErrorResponse(404, "Job " + id + " not found");
  if (!cancelled.ok()) return ErrorResponse(cancelled);
  return JsonResponse(json::object(), 202);
}

}  // namespace

void AddJobRoutes(RestContext* context, http::Router* router) {
  router->Handle("POST", "/v2/jobs", [context](const Request& request) { return SubmitJob(context, request); });
  router->Handle("GET", "/v2/jobs/:jobid", [context](const Request& request) { return GetStatus(context, request); });
  router->Handle("POST", "/v2/jobs/:jobid/cancel",
                 [context](const Request& request) { return CancelJob(context, request); });
}

}  // namespace penstock::jobmanager
