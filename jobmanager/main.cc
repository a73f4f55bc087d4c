// penstock-jobmanager: the JobManager process.
#include <cstdio>
#include <map>
#include <string>

#include "absl/synchronization/mutex.h"
#include "jobmanager/job_manager.h"
#include "jobmanager/rpc/directory_programs.h"
#include "jobmanager/rpc/grpc_server.h"
#include "runtime/core/log.h"
#include "runtime/core/process_main.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "penstock-jobmanager: %s\n", MessageOf(status).c_str());
  return code;
}

RestartOptions RestartOptionsOf(const Config& config) {
  RestartOptions options;
  options.type = config.GetString("restart-strategy.type");
  options.fixed_delay_attempts = config.GetInt("restart-strategy.fixed-delay.attempts");
  options.fixed_delay_ms = config.GetDurationMs("restart-strategy.fixed-delay.delay");
  const std::string exponential = "restart-strategy.exponential-delay.";
  options.initial_backoff_ms = config.GetDurationMs(exponential + "initial-backoff");
  options.max_backoff_ms = config.GetDurationMs(exponential + "max-backoff");
  options.backoff_multiplier = config.GetDouble(exponential + "backoff-multiplier");
  options.reset_backoff_threshold_ms = config.GetDurationMs(exponential + "reset-backoff-threshold");
  return options;
}

JobOptions JobOptionsOf(const Config& config) {
  JobOptions options;
  options.heartbeat_interval_ms = config.GetDurationMs("heartbeat.interval");
  options.heartbeat_timeout_ms = config.GetDurationMs("heartbeat.timeout");
  options.cancellation_timeout_ms = config.GetDurationMs("task.cancellation.timeout");
  options.restart = RestartOptionsOf(config);
  options.worker_config = config.NonDefault();
  options.worker_config.erase("io.ports-file");  // this process's own
  return options;
}

std::string ProgramDirectoryOf(const Config& config) {
  const std::string directory = config.GetString("web.upload.dir");
  return directory.empty() ? "programs" : directory;
}

int Run(int argc, char** argv) {
  BlockTerminationSignals();
  const auto config = ConfigFromCommandLine(argc, argv, "penstock-jobmanager");
  if (absl::IsCancelled(config.status())) return kExitOk;
  if (!config.ok()) return Fail(config.status(), kExitUsage);
  log::Init("jobmanager", log::ParseLevel(config->GetString("log.level")));
  const auto cluster_token = ReadClusterToken(*config);
  if (!cluster_token.ok()) return Fail(cluster_token.status(), kExitStartFailed);

  DirectoryPrograms programs(ProgramDirectoryOf(*config));
  auto manager = JobManager::Create({.job = JobOptionsOf(*config), .programs = &programs}, Clock::System());
  if (!manager.ok()) return Fail(manager.status(), kExitUsage);
  auto server = GrpcServer::Start({.address = config->GetString("jobmanager.rpc.address"),
                                   .port = static_cast<int>(config->GetInt("jobmanager.rpc.port")),
                                   .cluster_token = *cluster_token},
                                  (*manager)->control(), &programs);
  if (!server.ok()) return Fail(server.status(), kExitStartFailed);
  (*manager)->SetWorkerAddress((*server)->address());
  std::printf("penstock-jobmanager: rpc at %s\n", (*server)->address().c_str());
  std::fflush(stdout);
  if (const std::string path = config->GetString("io.ports-file"); !path.empty()) {
    const absl::Status written = WritePortsFile(path, {{"rpc", (*server)->address()}});
    if (!written.ok()) return Fail(written, kExitStartFailed);
  }
  AwaitTerminationSignal();
  PENSTOCK_LOG(info, "shutting down");
  (*server)->Stop();
  (*manager)->Stop();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::jobmanager

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return penstock::jobmanager::Run(argc, argv);
}
