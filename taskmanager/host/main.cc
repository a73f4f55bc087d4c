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
#include "runtime/core/process_main.h"
#include "runtime/core/stack_trace.h"
#include "runtime/core/status.h"
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
  options.data_host = config.GetString("taskmanager.host");
  options.slots = static_cast<int32_t>(config.GetInt("taskmanager.numberOfTaskSlots"));
  options.memory_bytes = config.GetBytes("taskmanager.memory.size");
  options.tmp_dir = config.GetString("taskmanager.tmp.dir");
  if (options.tmp_dir.empty()) options.tmp_dir = fmt::format("/tmp/penstock-taskmanager-{}", getpid());
  options.log_dir = config.GetString("taskmanager.log.dir");
  if (options.log_dir.empty()) options.log_dir = options.tmp_dir + "/log";
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
  auto manager = TaskManager::Start(options, Clock::System());
  if (!manager.ok()) return Fail(manager.status(), kExitStartFailed);
  std::printf("penstock-taskmanager %s: %d slots, JobManager at %s\n", (*manager)->id().c_str(), options.slots,
              options.jobmanager_address.c_str());
  std::fflush(stdout);
  if (const std::string path = config->GetString("io.ports-file"); !path.empty()) {
    const absl::Status written = WritePortsFile(path, {{"id", (*manager)->id()}});
    if (!written.ok()) return Fail(written, kExitStartFailed);
  }
  AwaitTerminationSignal();
  PENSTOCK_LOG(info, "shutting down");
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
