#include "taskmanager/program/state_mode.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/clock.h"
#include "runtime/core/config.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"
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
  json listed = json::array();
  for (const auto& [key, table] : tables) {
    listed.push_back({{"uid", table.uid},
                      {"table", table.name},
                      {"kind", table.kind},
                      {"key", table.key},
                      {"value", table.value},
                      {"keys", table.keys},
                      {"key_bytes", table.key_bytes},
                      {"value_bytes", table.value_bytes}});
  }
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
