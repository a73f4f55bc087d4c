// Reading the bodies of requests. InvalidArgument names the member that is wrong.
#ifndef PENSTOCK_JOBMANAGER_REST_READ_JSON_H_
#define PENSTOCK_JOBMANAGER_REST_READ_JSON_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/graph.pb.h"

namespace penstock::jobmanager {

// An object; an empty body is an empty one.
absl::StatusOr<nlohmann::json> ReadBody(const std::string& text);
// Empty and false when it is absent or null.
absl::StatusOr<std::string> StringIn(const nlohmann::json& body, const char* name);
absl::StatusOr<bool> BoolIn(const nlohmann::json& body, const char* name);
// Its member `plan`.
absl::Status ReadPlan(const nlohmann::json& body, proto::JobGraph* graph);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_READ_JSON_H_
