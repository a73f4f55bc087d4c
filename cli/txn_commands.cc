#include "cli/txn_commands.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/child.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

// An abort fences whoever holds the transaction: a job that runs would fail its attempt.
absl::Status RefuseWhileRunning(const CommandContext& context, const std::string& uid) {
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  const absl::StatusOr<json> overview = client.Get("/jobs/overview");
  if (!overview.ok()) {
    return FailedPrecondition("the JobManager cannot say whether job '{}' runs: {}; --force aborts all the same", uid,
                              MessageOf(overview.status()));
  }
  for (const json& job : overview->value("jobs", json::array())) {
    const auto status = client.Get("/v2/jobs/" + job.value("jid", ""));
    if (!status.ok() || status->value("terminal", true) || status->value("uid", "") != uid) continue;
    return FailedPrecondition("job {} of uid '{}' is {}: an abort would fail it; stop it first, or --force",
                              job.value("jid", ""), uid, job.value("state", ""));
  }
  return absl::OkStatus();
}

std::string SlotText(const json& slot) {
  std::string text = fmt::format("{}  ", slot.value("name", ""));
  if (slot.value("open", false)) return text + "open: readers of committed records wait for it\n";
  if (slot["checkpoint"].is_null()) return text + "nothing was ever committed, or the broker has forgotten it\n";
  return text + fmt::format("committed up to checkpoint {} of generation {}\n", slot.value("checkpoint", uint64_t{0}),
                            slot.value("generation", ""));
}

}  // namespace

absl::Status HandleTransactions(const CommandContext& context, const TxnOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, LoadConfig(context));
  PlanRequest request = options.plan;
  if (request.parallelism == 0) request.parallelism = static_cast<int>(config.GetInt("parallelism.default"));
  PENSTOCK_ASSIGN_OR_RETURN(const Plan plan, MakePlan(request));
  const std::string uid = options.uid.empty() ? plan.graph.uid() : options.uid;
  if (options.abort && !options.force) PENSTOCK_RETURN_IF_ERROR(RefuseWhileRunning(context, uid));
  const json question = {{"arguments", request.arguments},
                         {"parallelism", request.parallelism},
                         {"slots", options.slots},
                         {"cluster_id", config.GetString("cluster.id")},
                         {"uid", uid},
                         {"abort", options.abort}};
  PENSTOCK_ASSIGN_OR_RETURN(const ChildResult result,
                            RunChild({.command = {std::filesystem::absolute(request.program).string(), "txn"},
                                      .input = question.dump(),
                                      .timeout_ms = request.timeout_ms}));
  const json answer = json::parse(result.out, nullptr, false);
  if (result.exit_code != 0 || !answer.is_object()) {
    return FailedPrecondition("'{} txn' failed with exit code {}: {}", request.program, result.exit_code, result.err);
  }
  if (context.json) {
    PrintJson(answer);
    return absl::OkStatus();
  }
  std::string text;
  for (const json& slot : answer.value("slots", json::array())) text += SlotText(slot);
  PrintText(text.empty() ? "no sink of this job writes in transactions\n" : text);
  return absl::OkStatus();
}

}  // namespace penstock::cli
