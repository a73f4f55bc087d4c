// REST of a JobManager that stands by: every call is answered with 503 and where the leader is.
#ifndef PENSTOCK_JOBMANAGER_REST_STANDBY_REST_H_
#define PENSTOCK_JOBMANAGER_REST_STANDBY_REST_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "jobmanager/rest/rest_server.h"
#include "runtime/core/http/server.h"

namespace penstock::jobmanager {

// leader: host:port of the leader's REST server, empty when it is not known; called on the server's threads.
absl::StatusOr<std::unique_ptr<http::Server>> StartStandbyRest(const RestOptions& options,
                                                               std::function<std::string()> leader);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_STANDBY_REST_H_
