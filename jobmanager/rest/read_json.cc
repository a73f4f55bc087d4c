#include "jobmanager/rest/read_json.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "runtime/core/status.h"

namespace penstock::jobmanager {

using nlohmann::json;

absl::StatusOr<json> ReadBody(const std::string& text) {
  if (text.empty()) return json::object();
  json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return InvalidArgument("the body is no JSON object");
  return body;
}

absl::StatusOr<std::string> StringIn(const json& body, const char* name) {
  const auto at = body.find(name);
  if (at == body.end() || at->is_null()) return std::string();
  if (!at->is_string()) return InvalidArgument("'{}' is not a string", name);
  return at->get<std::string>();
}

absl::StatusOr<bool> BoolIn(const json& body, const char* name) {
  const auto at = body.find(name);
  if (at == body.end() || at->is_null()) return false;
  if (!at->is_boolean()) return InvalidArgument("'{}' is neither true nor false", name);
  return at->get<bool>();
}

absl::Status ReadPlan(const json& body, proto::JobGraph* graph) {
  const auto plan = body.find("plan");
  if (plan == body.end() || !plan->is_object()) return InvalidArgument("'plan' is missing: the job graph as JSON");
  google::protobuf::util::JsonParseOptions options;
  // A newer program may say more about its graph; what matters is guarded by graph_version.
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(plan->dump(), graph, options);
  if (parsed.ok()) return absl::OkStatus();
  return InvalidArgument("'plan' is no job graph: {}", parsed.message().as_string());
}

}  // namespace penstock::jobmanager
