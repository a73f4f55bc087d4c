// Follows a job to its end: a live line on a terminal, else a line for each change and every ten seconds.
#ifndef PENSTOCK_CLI_JOB_WATCH_H_
#define PENSTOCK_CLI_JOB_WATCH_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "cli/exit_codes.h"
#include "cli/rest_client.h"

namespace penstock::cli {

// Ctrl-C asks whether to cancel (on a terminal), else leaves the job running. Unavailable when the JobManager has been
// away for half a minute.
absl::StatusOr<ExitCode> WatchJob(RestClient* client, const std::string& job_id, bool json);

// "RUNNING  in 1,234/s  out 56/s  lag 7". Pure.
std::string StatusLine(const nlohmann::json& status);

// The `failure` of a status in lines: what, in which operator, where, and the stack. Pure.
std::string FailureText(const nlohmann::json& failure);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_JOB_WATCH_H_
