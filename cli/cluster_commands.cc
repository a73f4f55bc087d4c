#include "cli/cluster_commands.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/child.h"
#include "cli/cluster_state.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

constexpr int64_t kReadyTimeoutMs = 30'000;
constexpr int64_t kTermTimeoutMs = 15'000;
constexpr int64_t kKillTimeoutMs = 5'000;
constexpr int64_t kPauseMs = 50;

absl::StatusOr<std::string> FindProcess(const CommandContext& context, const std::string& name) {
  const char* bin_dir = std::getenv("PENSTOCK_BIN_DIR");
  const std::string folder = bin_dir != nullptr ? bin_dir : context.executable_dir;
  const std::string path = folder + "/" + name;
  if (access(path.c_str(), X_OK) == 0) return path;
  return FailedPrecondition("{} is not in '{}'; set PENSTOCK_BIN_DIR to the folder that has it", name, folder);
}

std::string LogTail(const std::string& path) {
  constexpr size_t kTailBytes = 2000;
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.size() > kTailBytes ? text.substr(text.size() - kTailBytes) : text;
}

void EndProcesses(const ClusterState& state, const std::vector<ClusterProcess>& processes) {
  const Clock& clock = Clock::System();
  for (const ClusterProcess& process : processes) {
    if (process.alive) kill(process.pid, SIGTERM);
    const int64_t kill_at_ms = clock.MonotonicMs() + kTermTimeoutMs;
    bool killed = false;
    while (process.alive && IsAlive(process.pid) && clock.MonotonicMs() < kill_at_ms + kKillTimeoutMs) {
      if (!killed && clock.MonotonicMs() >= kill_at_ms) {
        kill(process.pid, SIGKILL);
        killed = true;
      }
      PauseMs(kPauseMs);
    }
    state.Forget(process.name);
  }
}

// Starts one process and waits until it has written its ports file.
absl::Status StartProcess(const CommandContext& context, const ClusterState& state, const std::string& name,
                          std::vector<std::string> command) {
  if (!context.config_file.empty()) {
    command.insert(command.end(), {"--config", std::filesystem::absolute(context.config_file).string()});
  }
  command.push_back("-Dio.ports-file=" + state.PortsFile(name));
  for (const std::string& define : context.defines) command.push_back("-D" + define);
  state.Forget(name);
  PENSTOCK_ASSIGN_OR_RETURN(const int pid, StartDaemon(command, state.LogFile(name)));
  PENSTOCK_RETURN_IF_ERROR(state.Remember(name, pid));
  const int64_t deadline_ms = Clock::System().MonotonicMs() + kReadyTimeoutMs;
  while (state.Ports(name).empty()) {
    if (!IsAlive(pid)) {
      return FailedPrecondition("{} ended while starting; its log {} says:\n{}", name, state.LogFile(name),
                                LogTail(state.LogFile(name)));
    }
    if (Clock::System().MonotonicMs() >= deadline_ms) {
      return DeadlineExceeded("{} was not ready within {} s; its log is {}", name, kReadyTimeoutMs / 1000,
                              state.LogFile(name));
    }
    PauseMs(kPauseMs);
  }
  return absl::OkStatus();
}

absl::Status StartAll(const CommandContext& context, const ClusterState& state, const ClusterStartOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string jobmanager, FindProcess(context, "penstock-jobmanager"));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string taskmanager, FindProcess(context, "penstock-taskmanager"));
  const std::string& folder = state.folder();
  PENSTOCK_RETURN_IF_ERROR(
      StartProcess(context, state, "jobmanager",
                   {jobmanager, "-Dweb.upload.dir=" + folder + "/programs", "-Djobmanager.log.dir=" + folder + "/log",
                    "-Drest.local-token-file=" + folder + "/rest-token"}));
  const std::string rpc = state.Ports("jobmanager")["rpc"];
  const size_t colon = rpc.rfind(':');
  for (int i = 1; i <= options.taskmanagers; ++i) {
    const std::string name = fmt::format("taskmanager-{}", i);
    CommandContext with_rpc = context;  // the port that was bound, last, so that it wins over rpc.port=0
    with_rpc.defines.push_back("jobmanager.rpc.address=" + rpc.substr(0, colon));
    with_rpc.defines.push_back("jobmanager.rpc.port=" + rpc.substr(colon + 1));
    PENSTOCK_RETURN_IF_ERROR(StartProcess(
        with_rpc, state, name,
        {taskmanager, "-Dtaskmanager.id=" + name, fmt::format("-Dtaskmanager.numberOfTaskSlots={}", options.slots),
         fmt::format("-Dtaskmanager.tmp.dir={}/{}", folder, name),
         fmt::format("-Dtaskmanager.log.dir={}/log/{}", folder, name)}));
  }
  RestClient client({.address = state.Ports("jobmanager")["rest"], .token_file = {}});
  const int64_t deadline_ms = Clock::System().MonotonicMs() + kReadyTimeoutMs;
  while (true) {
    const auto overview = client.Get("/overview");
    if (overview.ok() && overview->value("taskmanagers", 0) >= options.taskmanagers) return absl::OkStatus();
    if (Clock::System().MonotonicMs() >= deadline_ms) {
      return DeadlineExceeded("the TaskManagers did not register within {} s; logs are in {}/log",
                              kReadyTimeoutMs / 1000, folder);
    }
    PauseMs(kPauseMs);
  }
}

}  // namespace

absl::Status ClusterStart(const CommandContext& context, const ClusterStartOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(LoadConfig(context).status());
  const ClusterState state;
  for (const ClusterProcess& process : state.Processes()) {
    if (process.alive) {
      return FailedPrecondition("a local cluster runs already ({} is pid {}); `penstock cluster stop` ends it",
                                process.name, process.pid);
    }
    state.Forget(process.name);
  }
  PENSTOCK_RETURN_IF_ERROR(state.MakeFolders());
  const absl::Status started = StartAll(context, state, options);
  if (!started.ok()) {
    EndProcesses(state, state.Processes());
    return started;
  }
  const std::string rest = state.JobManagerPorts()["rest"];
  if (context.json) {
    PrintJson({{"rest", rest},
               {"taskmanagers", options.taskmanagers},
               {"slots", options.taskmanagers * options.slots},
               {"folder", state.folder()}});
  } else {
    PrintText(fmt::format("Cluster started: JobManager http://{}, {} TaskManagers with {} slots each; logs in {}/log\n",
                          rest, options.taskmanagers, options.slots, state.folder()));
  }
  return absl::OkStatus();
}

absl::Status ClusterStop(const CommandContext& context) {
  const ClusterState state;
  const auto processes = state.Processes();
  const auto alive = std::count_if(processes.begin(), processes.end(), [](const auto& one) { return one.alive; });
  EndProcesses(state, processes);
  if (context.json) {
    PrintJson({{"stopped", alive}});
  } else {
    PrintText(alive == 0 ? "No local cluster runs.\n" : fmt::format("Cluster stopped: {} processes ended.\n", alive));
  }
  return absl::OkStatus();
}

absl::Status ClusterStatus(const CommandContext& context) {
  const ClusterState state;
  const auto processes = state.Processes();
  const auto ports = state.JobManagerPorts();
  const std::string rest = ports.count("rest") != 0 ? ports.at("rest") : "";
  json overview = nullptr;
  if (!rest.empty()) {
    const auto answer = RestClient({.address = rest}).Get("/overview");
    if (answer.ok()) overview = *answer;
  }
  if (context.json) {
    json list = json::array();
    for (const ClusterProcess& process : processes) {
      list.push_back({{"name", process.name}, {"pid", process.pid}, {"alive", process.alive}});
    }
    PrintJson({{"rest", rest}, {"processes", std::move(list)}, {"overview", overview}, {"folder", state.folder()}});
    return absl::OkStatus();
  }
  if (processes.empty()) PrintText("No local cluster runs.\n");
  for (const ClusterProcess& process : processes) {
    PrintText(fmt::format("{:<16} pid {:<8} {}\n", process.name, process.pid, process.alive ? "running" : "dead"));
  }
  if (!overview.is_null()) {
    PrintText(fmt::format("JobManager http://{}: {} TaskManagers, {} of {} slots free, {} jobs running\n", rest,
                          overview.value("taskmanagers", 0), overview.value("slots-available", 0),
                          overview.value("slots-total", 0), overview.value("jobs-running", 0)));
  }
  return absl::OkStatus();
}

}  // namespace penstock::cli
