// /v2/jobs/:id/memory: who holds how much of what each worker was granted.
#include <nlohmann/json.hpp>

#include "jobmanager/rest/job_view.h"
#include "jobmanager/rest/rest_context.h"

namespace penstock::jobmanager {
namespace {

using http::JsonResponse;
using http::Request;
using http::Response;
using nlohmann::json;

json RenderWorker(const WorkerMemory& worker) {
  json holders = json::array();
  for (const proto::MemoryUse& use : worker.uses) {
    holders.push_back(
        {{"holder", use.holder()}, {"budget_bytes", use.budget_bytes()}, {"used_bytes", use.used_bytes()}});
  }
  return {{"taskmanager_id", worker.taskmanager_id}, {"pid", worker.pid},           {"grant_bytes", worker.grant_bytes},
          {"rss_bytes", worker.rss_bytes},           {"pressure", worker.pressure}, {"holders", std::move(holders)}};
}

Response GetMemory(RestContext* context, const Request& request) {
  const std::string& id = request.params.at("jobid");
  const auto job = FindJob(*context->snapshots.Get(), id);
  if (job == nullptr) return http::ErrorResponse(404, "Job " + id + " not found");
  json workers = json::array();
  for (const WorkerMemory& worker : job->worker_memory) workers.push_back(RenderWorker(worker));
  return JsonResponse({{"id", job->id}, {"state", JobStateName(job->state)}, {"workers", std::move(workers)}});
}

}  // namespace

void AddMemoryRoutes(RestContext* context, http::Router* router) {
  router->Handle("GET", "/v2/jobs/:jobid/memory",
                 [context](const Request& request) { return GetMemory(context, request); });
}

}  // namespace penstock::jobmanager
