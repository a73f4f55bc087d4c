#include "cli/state_commands.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/child.h"
#include "cli/size_text.h"
#include "runtime/checkpoint/savepoint_path.h"
#include "runtime/checkpoint/state_changes.h"
#include "runtime/core/status.h"
#include "runtime/graph/logical_graph.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

struct ItemSums {
  int64_t items = 0;
  int64_t bytes = 0;

  void Add(const ItemSums& other) {
    items += other.items;
    bytes += other.bytes;
  }
};

// Of what an operator keeps itself, without the schemas beside it.
struct OperatorSums {
  std::map<std::string, ItemSums> states;  // by name, of all subtasks; what is alike in all of them once

  ItemSums All() const {
    ItemSums all;
    for (const auto& [name, sums] : states) all.Add(sums);
    return all;
  }
};

struct VertexSums {
  int subtasks = 0;
  int64_t state_bytes = 0;
  std::map<std::string, OperatorSums> operators;  // by uid
};

std::map<std::string, VertexSums> SumsOf(const proto::Manifest& manifest) {
  std::map<std::string, VertexSums> sums;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    VertexSums& vertex = sums[subtask.vertex_id()];
    ++vertex.subtasks;
    vertex.state_bytes += subtask.figures().state_bytes();
    proto::TaskHandle handle;
    if (!handle.ParseFromString(subtask.handle())) continue;  // of a later version: its sizes are known all the same
    for (const proto::OperatorHandle& op : handle.operators()) {
      OperatorSums& of = vertex.operators[op.uid()];
      for (const proto::OperatorStateHandle& state : op.states()) {
        const bool alike = state.kind() == proto::OperatorStateHandle::BROADCAST;
        if (alike && (state.name().starts_with(kSchemaItemPrefix) || of.states.contains(state.name()))) continue;
        ItemSums items{state.items_size(), 0};
        for (const std::string& item : state.items()) items.bytes += static_cast<int64_t>(item.size());
        of.states[state.name()].Add(items);
      }
    }
  }
  return sums;
}

json DescribeOperator(const proto::Operator& op, const VertexSums& sums) {
  const auto found = sums.operators.find(op.uid());
  const OperatorSums of = found == sums.operators.end() ? OperatorSums() : found->second;
  json states = json::array();
  for (const proto::StateDeclaration& state : op.states()) {
    states.push_back({{"name", state.name()},
                      {"kind", state.kind()},
                      {"key_type", state.key_type()},
                      {"value_type", state.value_type()},
                      {"ttl_ms", state.ttl_ms()}});
    if (const auto items = of.states.find(state.name()); items != of.states.end()) {
      states.back()["items"] = items->second.items;
      states.back()["item_bytes"] = items->second.bytes;
    }
  }
  const ItemSums all = of.All();
  return {{"uid", op.uid()},    {"name", op.name()},      {"kind", op.kind()}, {"states", std::move(states)},
          {"items", all.items}, {"item_bytes", all.bytes}};
}

std::string OperatorText(const json& op) {
  std::string text = fmt::format("    {} (uid {})", op.value("kind", ""), op.value("uid", ""));
  if (op.value("items", 0) > 0) {
    text +=
        fmt::format(": {} items of its own, {}", op.value("items", 0), SizeText(op.value("item_bytes", int64_t{0})));
  }
  text += "\n";
  for (const json& state : op["states"]) {
    const std::string key_type = state.value("key_type", "");
    text += fmt::format(
        "      {} {}: {}{}{}", state.value("kind", ""), state.value("name", ""),
        key_type.empty() ? "" : key_type + " -> ", state.value("value_type", ""),
        state.value("ttl_ms", int64_t{0}) > 0 ? fmt::format(", lives {} ms", state.value("ttl_ms", int64_t{0})) : "");
    if (state.contains("items")) {
      text += fmt::format(", {} items, {}{}", state.value("items", int64_t{0}),
                          SizeText(state.value("item_bytes", int64_t{0})),
                          state.value("kind", "") == kBroadcastKind ? " in each subtask" : "");
    }
    text += "\n";
  }
  return text;
}

std::string TableText(const json& table) {
  const std::string key = table.value("key", "");
  const std::string of = fmt::format("{} of {}", table.value("table", ""), table.value("uid", ""));
  const std::string value_size = SizeText(table.value("value_bytes", int64_t{0}));
  if (key.empty()) {
    return fmt::format("  {} {}: {} elements, {}; {}\n", table.value("kind", ""), of, table.value("keys", int64_t{0}),
                       value_size, table.value("value", ""));
  }
  return fmt::format("  table {}: {} keys, {} of keys, {} of values; {} -> {}\n", of, table.value("keys", int64_t{0}),
                     SizeText(table.value("key_bytes", int64_t{0})), value_size, key, table.value("value", ""));
}

std::string InspectText(const json& described) {
  std::string text = fmt::format(
      "{} {} of job '{}' (uid {}), generation {}, of attempt {}\n  parallelism {}, {} key groups, {} of state in {} "
      "objects\n",
      described.value("kind", ""), described.value("id", uint64_t{0}), described.value("name", ""),
      described.value("uid", ""), described.value("generation", ""), described.value("attempt", 0),
      described.value("parallelism", 0), described.value("key_groups", 0),
      SizeText(described.value("state_bytes", int64_t{0})), described.value("objects", 0));
  for (const json& vertex : described["vertices"]) {
    if (vertex["operators"].empty()) continue;
    text += fmt::format("  {} x{}: {}\n", vertex.value("name", ""), vertex.value("subtasks", 0),
                        SizeText(vertex.value("state_bytes", int64_t{0})));
    for (const json& op : vertex["operators"]) text += OperatorText(op);
  }
  for (const json& table : described.value("tables", json::array())) {
    text += TableText(table);
  }
  return text;
}

// The program reads what lies behind the manifest: it has the code for it.
absl::StatusOr<json> ReadTables(const CommandContext& context, const InspectOptions& options,
                                const FoundSavepoint& found) {
  PENSTOCK_RETURN_IF_ERROR(CheckProgram(options.program));
  PENSTOCK_ASSIGN_OR_RETURN(const auto defines, ParseDefines(context.defines));
  const json request = {{"storage", found.storage},
                        {"manifest", found.manifest_name},
                        {"config", std::map<std::string, std::string>(defines.begin(), defines.end())},
                        {"config_file", context.config_file}};
  PENSTOCK_ASSIGN_OR_RETURN(const ChildResult result,
                            RunChild({.command = {std::filesystem::absolute(options.program).string(), "state"},
                                      .input = request.dump(),
                                      .timeout_ms = options.timeout_ms}));
  json answer = json::parse(result.out, nullptr, false);
  if (result.exit_code != 0 || !answer.is_object()) {
    return FailedPrecondition("'{} state' could not read the savepoint (exit code {}): {}", options.program,
                              result.exit_code, result.err);
  }
  return answer.value("tables", json::array());
}

absl::StatusOr<FoundSavepoint> Find(const CommandContext& context, const std::string& path) {
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, LoadConfig(context));
  return FindSavepoint(path, "", nullptr, StorageOptions::From(config));
}

absl::Status RefuseTombstone(const FoundSavepoint& found, const std::string& path) {
  if (found.manifest.kind() != proto::Manifest::TOMBSTONE) return absl::OkStatus();
  return FailedPrecondition("{} is no checkpoint: it was given up ({})", path, found.manifest.reason());
}

}  // namespace

json DescribeManifest(const proto::Manifest& manifest) {
  const std::map<std::string, VertexSums> sums = SumsOf(manifest);
  std::set<std::string> objects;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    for (const proto::SnapshotFile& file : subtask.files()) objects.insert(file.name());
  }
  json vertices = json::array();
  int64_t state_bytes = 0;
  for (const proto::Vertex& vertex : manifest.graph().vertices()) {
    const auto at = sums.find(vertex.id());
    const VertexSums of = at == sums.end() ? VertexSums() : at->second;
    json operators = json::array();
    for (const proto::Operator& op : vertex.operators()) {
      const bool keeps = !op.states().empty() || of.operators.contains(op.uid());
      if (!op.uid().empty() && keeps) operators.push_back(DescribeOperator(op, of));
    }
    state_bytes += of.state_bytes;
    vertices.push_back({{"id", vertex.id()},
                        {"name", vertex.name()},
                        {"subtasks", of.subtasks},
                        {"state_bytes", of.state_bytes},
                        {"operators", std::move(operators)}});
  }
  return {{"id", manifest.checkpoint_id()},
          {"kind", manifest.kind() == proto::Manifest::SAVEPOINT ? "savepoint" : "checkpoint"},
          {"uid", manifest.job_uid()},
          {"name", manifest.graph().name()},
          {"generation", manifest.generation()},
          {"attempt", manifest.attempt()},
          {"decided_ms", manifest.decided_ms()},
          {"parallelism", manifest.graph().parallelism()},
          {"key_groups", manifest.graph().key_groups()},
          {"state_bytes", state_bytes},
          {"objects", objects.size()},
          {"vertices", std::move(vertices)}};
}

absl::Status InspectState(const CommandContext& context, const InspectOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const FoundSavepoint found, Find(context, options.path));
  PENSTOCK_RETURN_IF_ERROR(RefuseTombstone(found, options.path));
  json described = DescribeManifest(found.manifest);
  if (!options.program.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(described["tables"], ReadTables(context, options, found));
  }
  if (context.json) {
    PrintJson(described);
  } else {
    PrintText(InspectText(described));
  }
  return absl::OkStatus();
}

absl::Status DiffSavepoint(const CommandContext& context, const DiffOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const FoundSavepoint found, Find(context, options.path));
  PENSTOCK_RETURN_IF_ERROR(RefuseTombstone(found, options.path));
  PENSTOCK_ASSIGN_OR_RETURN(const Plan plan, MakePlan(options.plan));
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StateChange> changes, CompareStates(found.manifest.graph(), plan.graph));
  const absl::Status possible = CheckStates(found.manifest.graph(), plan.graph, false);
  json listed = json::array();
  std::string text;
  for (const StateChange& change : changes) {
    listed.push_back({{"uid", change.uid},
                      {"state", change.state},
                      {"verdict", StateVerdictName(change.verdict)},
                      {"was", change.was},
                      {"is", change.is},
                      {"reason", change.reason},
                      {"fix", change.fix}});
    text += fmt::format("{:<12} {}{}{}\n", StateVerdictName(change.verdict), change.uid,
                        change.state.empty() ? "" : " / " + change.state,
                        change.reason.empty() ? "" : ": " + change.reason);
    if (change.was != change.is && !change.was.empty() && !change.is.empty()) {
      text += fmt::format("{:13}was {}\n{:13}is  {}\n", "", change.was, "", change.is);
    }
    if (!change.fix.empty()) text += fmt::format("{:13}{}\n", "", change.fix);
  }
  if (context.json) {
    PrintJson({{"can_restore", possible.ok()}, {"changes", std::move(listed)}});
  } else {
    PrintText(text);
  }
  if (possible.ok()) return absl::OkStatus();
  return FailedPrecondition("{} cannot begin from {} as it is", options.plan.program, options.path);
}

}  // namespace penstock::cli
