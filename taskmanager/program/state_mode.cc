#include "taskmanager/program/state_mode.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/clock.h"
#include "runtime/core/config.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/record/byte_io.h"
#include "runtime/state/schema.h"
#include "runtime/state/summary.h"
#include "taskmanager/worker/state_upload.h"

namespace penstock::program {
namespace {

using nlohmann::json;

using Tables = std::map<std::pair<std::string, std::string>, TableSummary>;

absl::Status AddSubtask(const proto::SubtaskSnapshot& subtask, const std::shared_ptr<Storage>& storage,
                        const std::string& directory, Tables& tables) {
  proto::TaskHandle handle;
  if (!handle.ParseFromString(subtask.handle())) return DataLoss("the handle of a subtask does not decode");
  if (handle.keyed().empty()) return absl::OkStatus();
  const OpenStateFile open = [&](const std::string& name, int64_t size_bytes, uint64_t checksum,
                                 const std::string& location) {
    return worker::OpenStoredFile(storage, name, size_bytes, checksum, location);
  };
  PENSTOCK_ASSIGN_OR_RETURN(const KeyedSnapshot snapshot, DecodeKeyedSnapshot(handle.keyed(), open));
  PENSTOCK_ASSIGN_OR_RETURN(
      const std::vector<TableSummary> summaries,
      SummariseSnapshot(snapshot, fmt::format("{}/{}-{}", directory, subtask.vertex_id(), subtask.subtask()),
                        Clock::System().NowMs()));
  for (const TableSummary& summary : summaries) {
    const auto [at, is_new] = tables.try_emplace({summary.uid, summary.name}, summary);
    if (is_new) continue;
    at->second.keys += summary.keys;
    at->second.key_bytes += summary.key_bytes;
    at->second.value_bytes += summary.value_bytes;
  }
  return absl::OkStatus();
}

// The sizes of an item that may have a key before its value.
void AddItem(const std::string& item, bool has_key, TableSummary& table) {
  ByteReader in(item);
  uint64_t key_bytes = 0;
  if (has_key) in.GetVarint(key_bytes);
  ++table.keys;
  table.key_bytes += static_cast<int64_t>(key_bytes);
  table.value_bytes += static_cast<int64_t>(in.remaining()) - static_cast<int64_t>(key_bytes);
}

// State that belongs to no key stands in the handles themselves. What is alike in all subtasks counts once.
absl::Status AddPlainStates(const proto::Manifest& manifest, Tables& tables) {
  for (const proto::Vertex& vertex : manifest.graph().vertices()) {
    for (const proto::Operator& op : vertex.operators()) {
      for (const proto::StateDeclaration& state : op.states()) {
        if (StateInfo{.name = state.name(), .kind = state.kind()}.by_key()) continue;
        PENSTOCK_ASSIGN_OR_RETURN(const Schema key, Schema::Decode(state.key_schema()));
        PENSTOCK_ASSIGN_OR_RETURN(const Schema value, Schema::Decode(state.value_schema()));
        const bool has_key = key.kind != TypeKind::kVoid;
        tables[{op.uid(), state.name()}] = {.uid = op.uid(),
                                            .name = state.name(),
                                            .kind = state.kind(),
                                            .key = has_key ? key.ToText() : "",
                                            .value = value.ToText()};
      }
    }
  }
  std::set<std::pair<std::string, std::string>> counted;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    proto::TaskHandle handle;
    if (!handle.ParseFromString(subtask.handle())) return DataLoss("the handle of a subtask does not decode");
    for (const proto::OperatorHandle& op : handle.operators()) {
      for (const proto::OperatorStateHandle& state : op.states()) {
        const auto table = tables.find({op.uid(), state.name()});
        if (table == tables.end()) continue;  // of a source or sink, or a schema
        const bool alike = state.kind() == proto::OperatorStateHandle::BROADCAST;
        if (alike && !counted.insert(table->first).second) continue;
        for (const std::string& item : state.items()) AddItem(item, !table->second.key.empty(), table->second);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> DescribeState(const std::string& request, const std::string& directory) {
  const json asked = json::parse(request, nullptr, false);
  if (!asked.is_object() || !asked.contains("storage") || !asked.contains("manifest")) {
    return InvalidArgument("state reads {{\"storage\": URI, \"manifest\": name}} from standard input");
  }
  const auto name = asked["manifest"].get<std::string>();
  ConfigSources sources{.file = asked.value("config_file", ""), .environment = PenstockEnvironment()};
  for (const auto& [key, value] : asked.value("config", std::map<std::string, std::string>())) {
    sources.overrides.emplace_back(key, value);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, Config::Load(sources));
  PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<Storage> storage,
                            OpenStorage(asked["storage"].get<std::string>(), StorageOptions::From(config)));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, storage->ReadAll(name));
  PENSTOCK_ASSIGN_OR_RETURN(const proto::Manifest manifest, DecodeManifest(bytes, name));
  Tables tables;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    PENSTOCK_RETURN_IF_ERROR(AddSubtask(subtask, storage, directory, tables));
  }
  Tables plain;
  PENSTOCK_RETURN_IF_ERROR(AddPlainStates(manifest, plain));
  json listed = json::array();
  const auto list = [&](const TableSummary& table) {
    listed.push_back({{"uid", table.uid},
                      {"table", table.name},
                      {"kind", table.kind},
                      {"key", table.key},
                      {"value", table.value},
                      {"keys", table.keys},
                      {"key_bytes", table.key_bytes},
                      {"value_bytes", table.value_bytes}});
  };
  for (const auto& [key, table] : tables) list(table);
  for (const auto& [key, table] : plain) list(table);
  return json{{"tables", std::move(listed)}}.dump();
}

int RunState() {
  const std::string request(std::istreambuf_iterator<char>(std::cin), {});
  std::string directory = (std::filesystem::temp_directory_path() / "penstock-state-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) {
    std::fprintf(stderr, "no directory can be made in %s\n", directory.c_str());
    return 1;
  }
  const absl::StatusOr<std::string> described = DescribeState(request, directory);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  if (!described.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(described.status()).c_str());
    return 1;
  }
  std::printf("%s\n", described->c_str());
  return 0;
}

}  // namespace penstock::program
