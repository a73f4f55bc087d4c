#include "taskmanager/program/txn_mode.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/core/status.h"
#include "runtime/task/sink_admin.h"
#include "taskmanager/program/job_graph.h"

namespace penstock::program {
namespace {

using nlohmann::json;

absl::StatusOr<json> HandleSlot(const SinkAdmin& admin, const SinkSlot& slot, bool abort) {
  if (abort) PENSTOCK_RETURN_IF_ERROR(admin.Abort(slot));
  PENSTOCK_ASSIGN_OR_RETURN(const SinkSlotReport report, admin.Look(slot));
  return json{{"sink", slot.sink_uid},
              {"slot", slot.slot},
              {"name", report.name},
              {"open", report.open},
              {"checkpoint", report.checkpoint_id ? json(*report.checkpoint_id) : json(nullptr)},
              {"generation", report.generation}};
}

}  // namespace

absl::StatusOr<std::string> HandleTransactions(const JobDefinition& job, const std::string& request) {
  const json asked = json::parse(request, nullptr, false);
  if (!asked.is_object() || !asked.contains("cluster_id")) {
    return InvalidArgument("txn reads {{\"arguments\": [...], \"cluster_id\": ...}} from standard input");
  }
  GraphRequest graph_request;
  graph_request.parallelism = asked.value("parallelism", 1);
  graph_request.arguments = asked.value("arguments", std::vector<std::string>());
  PENSTOCK_ASSIGN_OR_RETURN(const CompiledGraph compiled, BuildGraph(job, graph_request));
  const std::string given_uid = asked.value("uid", "");
  json slots = json::array();
  for (const CompiledVertex& vertex : compiled.vertices) {
    for (const int node : vertex.nodes) {
      const LogicalNode& sink = compiled.logical->nodes[node];
      if (sink.sink_admin == nullptr) continue;
      SinkSlot slot{.cluster_id = asked["cluster_id"].get<std::string>(),
                    .job_uid = given_uid.empty() ? compiled.graph.uid() : given_uid,
                    .sink_uid = sink.uid};
      const int count = std::max(vertex.parallelism, asked.value("slots", 0));
      for (slot.slot = 0; slot.slot < count; ++slot.slot) {
        PENSTOCK_ASSIGN_OR_RETURN(json handled, HandleSlot(*sink.sink_admin, slot, asked.value("abort", false)));
        slots.push_back(std::move(handled));
      }
    }
  }
  return json{{"slots", std::move(slots)}}.dump();
}

int RunTxn(const JobDefinition& job) {
  // Standard output carries the answer and nothing else, as with plan.
  std::FILE* const answer = fdopen(dup(STDOUT_FILENO), "w");
  dup2(STDERR_FILENO, STDOUT_FILENO);
  const std::string request(std::istreambuf_iterator<char>(std::cin), {});
  const absl::StatusOr<std::string> handled = HandleTransactions(job, request);
  if (!handled.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(handled.status()).c_str());
    return 1;
  }
  std::fprintf(answer, "%s\n", handled->c_str());
  return std::fclose(answer) == 0 ? 0 : 1;
}

}  // namespace penstock::program
