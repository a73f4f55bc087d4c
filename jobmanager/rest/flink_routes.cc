// Flink's v1 routes, each at / and under /v1.
#include <charconv>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobmanager/rest/job_view.h"
#include "jobmanager/rest/render_cluster.h"
#include "jobmanager/rest/render_job.h"
#include "jobmanager/rest/rest_context.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using http::ErrorResponse;
using http::JsonResponse;
using http::Request;
using http::Response;
using nlohmann::json;

constexpr int kExceptionsByDefault = 20;

using SnapshotPtr = std::shared_ptr<const ClusterSnapshot>;
using JobPtr = std::shared_ptr<const JobSnapshot>;

void Get(http::Router* router, const std::string& path, const http::Handler& handler) {
  router->Handle("GET", path, handler);
  router->Handle("GET", "/v1" + path, handler);
}

void GetCluster(RestContext* context, http::Router* router, const std::string& path,
                std::function<json(const ClusterSnapshot&)> render) {
  Get(router, path, [context, render = std::move(render)](const Request&) {
    return JsonResponse(render(*context->snapshots.Get()));
  });
}

void GetJob(RestContext* context, http::Router* router, const std::string& path,
            std::function<Response(const JobSnapshot&, const Request&)> answer) {
  Get(router, path, [context, answer = std::move(answer)](const Request& request) {
    const std::string& id = request.params.at("jobid");
    const JobPtr job = FindJob(*context->snapshots.Get(), id);
    if (job == nullptr) return ErrorResponse(404, "Job " + id + " not found");
    return answer(*job, request);
  });
}

int ExceptionsAsked(const Request& request) {
  const std::string text = request.query_value("maxExceptions").value_or("");
  int asked = kExceptionsByDefault;
  std::from_chars(text.data(), text.data() + text.size(), asked);
  return asked;
}

Response CancelJob(RestContext* context, const Request& request) {
  const std::string mode = request.query_value("mode").value_or("cancel");
  if (mode != "cancel") return ErrorResponse(400, "mode '" + mode + "' is unknown; there is mode=cancel");
  const absl::Status cancelled = context->commands.Cancel(request.params.at("jobid"));
  if (absl::IsNotFound(cancelled)) return ErrorResponse(404, "Job " + request.params.at("jobid") + " not found");
  if (!cancelled.ok()) return ErrorResponse(cancelled);
  return JsonResponse(json::object(), 202);
}

Response GetTaskManager(RestContext* context, const Request& request) {
  const SnapshotPtr snapshot = context->snapshots.Get();
  const std::string& id = request.params.at("taskmanagerid");
  for (const TaskManagerSnapshot& taskmanager : snapshot->taskmanagers) {
    if (taskmanager.id == id) return JsonResponse(RenderTaskManager(taskmanager));
  }
  return ErrorResponse(404, "TaskManager " + id + " not found");
}

void AddJobGetters(RestContext* context, http::Router* router) {
  const Clock& clock = context->clock;
  GetJob(context, router, "/jobs/:jobid",
         [&clock](const JobSnapshot& job, const Request&) { return JsonResponse(RenderJob(job, clock.NowMs())); });
  GetJob(context, router, "/jobs/:jobid/status", [](const JobSnapshot& job, const Request&) {
    return JsonResponse({{"status", JobStateName(job.state)}});
  });
  GetJob(context, router, "/jobs/:jobid/plan", [](const JobSnapshot& job, const Request&) {
    return JsonResponse({{"plan", RenderPlan(job)}});
  });
  GetJob(context, router, "/jobs/:jobid/config", [context](const JobSnapshot& job, const Request&) {
    return JsonResponse(RenderJobConfig(job, context->options.restart_strategy));
  });
  GetJob(context, router, "/jobs/:jobid/exceptions", [](const JobSnapshot& job, const Request& request) {
    return JsonResponse(RenderExceptions(job, ExceptionsAsked(request)));
  });
  GetJob(context, router, "/jobs/:jobid/vertices/:vertexid", [&clock](const JobSnapshot& job, const Request& request) {
    const std::string& id = request.params.at("vertexid");
    const VertexSnapshot* vertex = FindVertex(job, id);
    if (vertex == nullptr) return ErrorResponse(404, "No vertex with ID '" + id + "' exists.");
    return JsonResponse(RenderVertex(*vertex, clock.NowMs()));
  });
}

}  // namespace

void AddFlinkRoutes(RestContext* context, http::Router* router) {
  const Clock& clock = context->clock;
  Get(router, "/config",
      [context](const Request&) { return JsonResponse(RenderConfig(context->options.refresh_interval_ms)); });
  GetCluster(context, router, "/overview", RenderOverview);
  GetCluster(context, router, "/taskmanagers", RenderTaskManagers);
  GetCluster(context, router, "/jobs", RenderJobIds);
  GetCluster(context, router, "/jobs/overview",
             [&clock](const ClusterSnapshot& snapshot) { return RenderJobsOverview(snapshot, clock.NowMs()); });
  Get(router, "/taskmanagers/:taskmanagerid",
      [context](const Request& request) { return GetTaskManager(context, request); });
  AddJobGetters(context, router);
  for (const char* path : {"/jobs/:jobid", "/v1/jobs/:jobid"}) {
    router->Handle("PATCH", path, [context](const Request& request) { return CancelJob(context, request); });
  }
}

}  // namespace penstock::jobmanager
