// Checkpoints, savepoints, stop and rescale: Flink's routes, and ours under /v2/jobs.
#include <algorithm>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobmanager/rest/job_view.h"
#include "jobmanager/rest/read_json.h"
#include "jobmanager/rest/render_checkpoints.h"
#include "jobmanager/rest/rest_context.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using http::ErrorResponse;
using http::JsonResponse;
using http::Request;
using http::Response;
using nlohmann::json;

using JobPtr = std::shared_ptr<const JobSnapshot>;
using Answer = std::function<Response(const JobSnapshot&, const Request&)>;

constexpr size_t kTriggerIdDigits = 32;

void Both(http::Router* router, const char* method, const std::string& path, const http::Handler& handler) {
  router->Handle(method, path, handler);
  router->Handle(method, "/v1" + path, handler);
}

JobPtr Find(RestContext* context, const Request& request) {
  return FindJob(*context->snapshots.Get(), request.params.at("jobid"));
}

Response NoJob(const Request& request) {
  return ErrorResponse(404, "Job " + request.params.at("jobid") + " not found");
}

void GetOfJob(RestContext* context, http::Router* router, const std::string& path, Answer answer) {
  Both(router, "GET", path, [context, answer = std::move(answer)](const Request& request) {
    const JobPtr job = Find(context, request);
    if (job == nullptr) return NoJob(request);
    return answer(*job, request);
  });
}

void GetOfCheckpoints(RestContext* context, http::Router* router, const std::string& path, Answer answer) {
  GetOfJob(context, router, path, [answer = std::move(answer)](const JobSnapshot& job, const Request& request) {
    if (job.checkpoints == nullptr) return ErrorResponse(404, "Checkpointing has not been enabled.");
    return answer(job, request);
  });
}

const CheckpointRecord* FindRecord(const JobSnapshot& job, const std::string& text) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return nullptr;
  for (const CheckpointRecord& record : job.checkpoints->history) {
    if (record.id == id) return &record;
  }
  return nullptr;
}

Response NoRecord(const std::string& id) {
  return ErrorResponse(404, "Could not find checkpointing statistics for checkpoint " + id + ".");
}

void AddStatistics(RestContext* context, http::Router* router) {
  GetOfCheckpoints(context, router, "/jobs/:jobid/checkpoints",
                   [](const JobSnapshot& job, const Request&) { return JsonResponse(RenderCheckpoints(job)); });
  GetOfCheckpoints(context, router, "/jobs/:jobid/checkpoints/config", [](const JobSnapshot& job, const Request&) {
    return JsonResponse(RenderCheckpointConfig(job.checkpoints->config));
  });
  GetOfCheckpoints(context, router, "/jobs/:jobid/checkpoints/details/:checkpointid",
                   [](const JobSnapshot& job, const Request& request) {
                     const std::string& id = request.params.at("checkpointid");
                     const CheckpointRecord* record = FindRecord(job, id);
                     return record == nullptr ? NoRecord(id) : JsonResponse(RenderCheckpoint(job, *record));
                   });
  const auto ours = [context, router](const std::string& path, const Answer& answer) {
    router->Handle("GET", path, [context, answer](const Request& request) {
      const JobPtr job = Find(context, request);
      if (job == nullptr) return NoJob(request);
      if (job->checkpoints == nullptr) return ErrorResponse(404, "the job takes no checkpoints");
      return answer(*job, request);
    });
  };
  ours("/v2/jobs/:jobid/checkpoints",
       [](const JobSnapshot& job, const Request&) { return JsonResponse(RenderCheckpointHistory(job)); });
  ours("/v2/jobs/:jobid/checkpoints/:checkpointid", [](const JobSnapshot& job, const Request& request) {
    const std::string& id = request.params.at("checkpointid");
    const CheckpointRecord* record = FindRecord(job, id);
    return record == nullptr ? NoRecord(id) : JsonResponse(RenderCheckpointDetails(job, *record));
  });
  GetOfCheckpoints(context, router, "/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid",
                   [](const JobSnapshot& job, const Request& request) {
                     const std::string& id = request.params.at("checkpointid");
                     const std::string& vertex_id = request.params.at("vertexid");
                     const CheckpointRecord* record = FindRecord(job, id);
                     if (record == nullptr) return NoRecord(id);
                     const VertexSnapshot* vertex = FindVertex(job, vertex_id);
                     if (vertex == nullptr) {
                       return ErrorResponse(404, "There is no checkpoint statistics for task " + vertex_id + ".");
                     }
                     return JsonResponse(RenderCheckpointSubtasks(job, *record, *vertex));
                   });
}

// What a POST asks for, in Flink's words.
struct Trigger {
  CheckpointRequest request;
  std::string trigger_id;
};

absl::Status CheckChoice(const json& body, const char* name, std::initializer_list<std::string_view> choices) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string value, StringIn(body, name));
  if (value.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return absl::OkStatus();
  return InvalidArgument("'{}' is '{}': it may be {}", name, value, fmt::join(choices, " or "));
}

absl::StatusOr<Trigger> ReadTrigger(const json& body) {
  Trigger trigger;
  PENSTOCK_ASSIGN_OR_RETURN(trigger.trigger_id, StringIn(body, "triggerId"));
  const std::string& id = trigger.trigger_id;
  if (!id.empty() && (id.size() != kTriggerIdDigits || id.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return InvalidArgument("'triggerId' is '{}': it is 32 hex digits", id);
  }
  PENSTOCK_RETURN_IF_ERROR(CheckChoice(body, "formatType", {"CANONICAL", "NATIVE"}));
  return trigger;
}

absl::StatusOr<Trigger> ReadSavepoint(const json& body) {
  PENSTOCK_ASSIGN_OR_RETURN(Trigger trigger, ReadTrigger(body));
  trigger.request.kind = proto::Manifest::SAVEPOINT;
  PENSTOCK_ASSIGN_OR_RETURN(trigger.request.directory, StringIn(body, "target-directory"));
  PENSTOCK_ASSIGN_OR_RETURN(const bool cancels, BoolIn(body, "cancel-job"));
  if (cancels) trigger.request.ending = proto::TriggerCheckpoint::SUSPEND;
  return trigger;
}

absl::StatusOr<Trigger> ReadStop(const json& body) {
  PENSTOCK_ASSIGN_OR_RETURN(Trigger trigger, ReadTrigger(body));
  trigger.request.kind = proto::Manifest::SAVEPOINT;
  PENSTOCK_ASSIGN_OR_RETURN(trigger.request.directory, StringIn(body, "targetDirectory"));
  PENSTOCK_ASSIGN_OR_RETURN(const bool drains, BoolIn(body, "drain"));
  trigger.request.ending = drains ? proto::TriggerCheckpoint::DRAIN : proto::TriggerCheckpoint::SUSPEND;
  return trigger;
}

absl::StatusOr<Trigger> ReadCheckpoint(const json& body) {
  PENSTOCK_RETURN_IF_ERROR(CheckChoice(body, "checkpointType", {"CONFIGURED", "FULL", "INCREMENTAL"}));
  return ReadTrigger(body);
}

// {"request-id": ...}; with a trigger id that is known already, that operation.
void AddTrigger(RestContext* context, http::Router* router, const std::string& verb, const std::string& kind,
                absl::StatusOr<Trigger> (*read)(const json&)) {
  Both(router, "POST", "/jobs/:jobid/" + verb, [context, kind, read](const Request& request) {
    const auto body = ReadBody(request.body);
    if (!body.ok()) return ErrorResponse(body.status());
    const auto trigger = read(*body);
    if (!trigger.ok()) return ErrorResponse(trigger.status());
    const std::string& job_id = request.params.at("jobid");
    if (Find(context, request) == nullptr) return NoJob(request);
    if (!trigger->trigger_id.empty() && context->operations.Find(job_id, trigger->trigger_id)) {
      return JsonResponse({{"request-id", trigger->trigger_id}}, 202);
    }
    const auto number = context->commands.RequestCheckpoint(job_id, trigger->request);
    if (!number.ok()) return ErrorResponse(number.status());
    Operation operation{.trigger_id = trigger->trigger_id, .job_id = job_id, .kind = kind, .request = *number};
    return JsonResponse({{"request-id", context->operations.Add(std::move(operation))}}, 202);
  });
}

Response GetOperation(RestContext* context, const Request& request, const std::string& kind) {
  const std::string& trigger_id = request.params.at("triggerid");
  const auto operation = context->operations.Find(request.params.at("jobid"), trigger_id);
  if (!operation || operation->kind != kind) {
    return ErrorResponse(404, "Operation not found under key: " + trigger_id);
  }
  const JobPtr job = Find(context, request);
  if (job == nullptr) return JsonResponse(RenderFailedOperation("the job was forgotten", kind));
  uint64_t newest = 0;
  for (const RequestRecord& record :
       job->checkpoints == nullptr ? std::vector<RequestRecord>() : job->checkpoints->requests) {
    newest = std::max(newest, record.request.number);
    if (record.request.number != operation->request) continue;
    if (record.outcome != CheckpointOutcome::kInProgress) context->operations.SetEnded(trigger_id);
    return JsonResponse(RenderOperation(record, kind));
  }
  // The snapshot may be a little older than the request.
  if (newest < operation->request) return JsonResponse(RenderOperation(RequestRecord(), kind));
  context->operations.SetEnded(trigger_id);
  return JsonResponse(RenderFailedOperation("too many others were asked for since: its outcome was forgotten", kind));
}

void AddOperations(RestContext* context, http::Router* router) {
  AddTrigger(context, router, "savepoints", "savepoints", ReadSavepoint);
  AddTrigger(context, router, "stop", "savepoints", ReadStop);
  AddTrigger(context, router, "checkpoints", "checkpoints", ReadCheckpoint);
  for (const std::string kind : {"savepoints", "checkpoints"}) {
    Both(router, "GET", "/jobs/:jobid/" + kind + "/:triggerid",
         [context, kind](const Request& request) { return GetOperation(context, request, kind); });
  }
}

// Parallelism belongs to the job program's graph, which only the program can plan anew.
void AddRescaling(RestContext* context, http::Router* router) {
  GetOfJob(context, router, "/jobs/:jobid/resource-requirements", [](const JobSnapshot& job, const Request&) {
    json requirements = json::object();
    for (const proto::Vertex& vertex : job.graph.vertices()) {
      const json parallelism = {{"lowerBound", vertex.parallelism()}, {"upperBound", vertex.parallelism()}};
      requirements[vertex.id()] = {{"parallelism", parallelism}};
    }
    return JsonResponse(requirements);
  });
  const auto refuse = [context](const Request& request) {
    if (Find(context, request) == nullptr) return NoJob(request);
    return ErrorResponse(503, "The JobManager has no plan for another parallelism: `penstock rescale " +
                                  request.params.at("jobid") + " -p N` makes one and sends it to /v2/jobs/:id/rescale");
  };
  Both(router, "PUT", "/jobs/:jobid/resource-requirements", refuse);
  Both(router, "PATCH", "/jobs/:jobid/rescaling", refuse);
}

absl::StatusOr<CheckpointRequest> ReadV2Request(const json& body) {
  CheckpointRequest request;
  PENSTOCK_RETURN_IF_ERROR(CheckChoice(body, "kind", {"checkpoint", "savepoint"}));
  PENSTOCK_RETURN_IF_ERROR(CheckChoice(body, "ending", {"goes_on", "suspend", "drain"}));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string kind, StringIn(body, "kind"));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string ending, StringIn(body, "ending"));
  PENSTOCK_ASSIGN_OR_RETURN(request.directory, StringIn(body, "directory"));
  if (kind == "savepoint") request.kind = proto::Manifest::SAVEPOINT;
  if (ending == "suspend") request.ending = proto::TriggerCheckpoint::SUSPEND;
  if (ending == "drain") request.ending = proto::TriggerCheckpoint::DRAIN;
  if (kind != "savepoint" && !request.directory.empty()) {
    return InvalidArgument("'directory' is for savepoints: a checkpoint stays in the checkpoint storage");
  }
  return request;
}

Response AnswerNumber(const absl::StatusOr<uint64_t>& number) {
  if (!number.ok()) return ErrorResponse(number.status());
  return JsonResponse({{"request", *number}}, 202);
}

}  // namespace

void AddCheckpointRoutes(RestContext* context, http::Router* router) {
  AddStatistics(context, router);
  AddOperations(context, router);
  AddRescaling(context, router);
  router->Handle("POST", "/v2/jobs/:jobid/checkpoints", [context](const Request& request) {
    const auto body = ReadBody(request.body);
    if (!body.ok()) return ErrorResponse(body.status());
    const auto asked = ReadV2Request(*body);
    if (!asked.ok()) return ErrorResponse(asked.status());
    if (Find(context, request) == nullptr) return NoJob(request);
    return AnswerNumber(context->commands.RequestCheckpoint(request.params.at("jobid"), *asked));
  });
  router->Handle("POST", "/v2/jobs/:jobid/rescale", [context](const Request& request) {
    const auto body = ReadBody(request.body);
    if (!body.ok()) return ErrorResponse(body.status());
    proto::JobGraph graph;
    if (const absl::Status read = ReadPlan(*body, &graph); !read.ok()) return ErrorResponse(read);
    if (Find(context, request) == nullptr) return NoJob(request);
    return AnswerNumber(context->commands.Rescale(request.params.at("jobid"), graph));
  });
}

}  // namespace penstock::jobmanager
