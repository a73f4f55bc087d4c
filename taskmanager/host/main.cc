// penstock-taskmanager: the host process of a node.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "runtime/core/log.h"
#include "runtime/core/memory/cgroup_memory.h"
#include "runtime/core/process_main.h"
#include "runtime/core/stack_trace.h"
#include "runtime/core/status.h"
#include "runtime/metrics/metrics_server.h"
#include "taskmanager/host/machine.h"
#include "taskmanager/host/task_manager.h"

namespace penstock::taskmanager {
namespace {

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "penstock-taskmanager: %s\n", MessageOf(status).c_str());
  return code;
}

// The hidden mode in which the host runs itself to put names to a crash: reading debug information of a program that
// just crashed is not for a process that others rely on.
int Symbolize(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::fputs(SymbolizeCrashFile(text).c_str(), stdout);
  return kExitOk;
}

TaskManagerOptions OptionsOf(const Config& config) {
  TaskManagerOptions options;
  options.id = config.GetString("taskmanager.id");
  options.jobmanager_address =
      fmt::format("{}:{}", config.GetString("jobmanager.rpc.address"), config.GetInt("jobmanager.rpc.port"));
  if (const std::string all = config.GetString("high-availability.jobmanagers"); !all.empty()) {
    options.jobmanager_address = all;
  }
  options.data_host = config.GetString("taskmanager.host");
  options.slots = static_cast<int32_t>(config.GetInt("taskmanager.numberOfTaskSlots"));
  options.memory_bytes = config.GetBytes("taskmanager.memory.size");
  options.tmp_dir = config.GetString("taskmanager.tmp.dir");
  if (options.tmp_dir.empty()) options.tmp_dir = fmt::format("/tmp/penstock-taskmanager-{}", getpid());
  options.log_dir = config.GetString("taskmanager.log.dir");
  if (options.log_dir.empty()) options.log_dir = options.tmp_dir + "/log";
  for (const auto& [key, value] : config.NonDefault()) {
    const bool of_workers = key.starts_with("taskmanager.memory.segment") || key.starts_with("taskmanager.network.");
    if (of_workers || key == "log.level" || key == "insecure") options.worker_config[key] = value;
  }
  return options;
}

int Run(int argc, char** argv) {
  BlockTerminationSignals();
  const auto config = ConfigFromCommandLine(argc, argv, "penstock-taskmanager");
  if (absl::IsCancelled(config.status())) return kExitOk;
  if (!config.ok()) return Fail(config.status(), kExitUsage);
  log::Init("taskmanager", log::ParseLevel(config->GetString("log.level")));
  const auto cluster_token = ReadClusterToken(*config);
  if (!cluster_token.ok()) return Fail(cluster_token.status(), kExitStartFailed);
  TaskManagerOptions options = OptionsOf(*config);
  options.cluster_token = *cluster_token;
  MetricRegistry registry;
  MetricsServer metrics(registry, {.address = options.data_host,
                                   .port = static_cast<int>(config->GetInt("metrics.port")),
                                   .insecure = config->GetBool("insecure")});
  const absl::Status served = metrics.Start();
  if (!served.ok()) return Fail(served, kExitStartFailed);
  options.metrics_address = metrics.address();
  auto manager = TaskManager::Start(options, Clock::System());
  if (!manager.ok()) return Fail(manager.status(), kExitStartFailed);
  const auto gauges = registry.CreateGroup("penstock_taskmanager", {{"tm_id", (*manager)->id()}});
  gauges->SetGauge("slots", [slots = options.slots] { return slots; });
  gauges->SetGauge("workers", [&manager] { return static_cast<double>((*manager)->workers_count()); });
  gauges->SetGauge("refusedLeaderMessages", [&manager] { return static_cast<double>((*manager)->refused_messages()); });
  gauges->SetGauge("freeMemoryBytes", [] { return static_cast<double>(FreeMemoryBytes()); });
  std::printf("penstock-taskmanager %s: %d slots, metrics at %s, JobManager at %s\n", (*manager)->id().c_str(),
              options.slots, metrics.address().c_str(), options.jobmanager_address.c_str());
  std::fflush(stdout);
  if (const std::string path = config->GetString("io.ports-file"); !path.empty()) {
    const absl::Status written = WritePortsFile(path, {{"id", (*manager)->id()}, {"metrics", metrics.address()}});
    if (!written.ok()) return Fail(written, kExitStartFailed);
  }
  AwaitTerminationSignal();
  PENSTOCK_LOG(info, "shutting down");
  metrics.Stop();
  (*manager)->Stop();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::taskmanager

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (argc == 3 && std::strcmp(argv[1], "symbolize") == 0) return penstock::taskmanager::Symbolize(argv[2]);
  return penstock::taskmanager::Run(argc, argv);
}
