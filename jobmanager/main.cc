// penstock-jobmanager: the JobManager process.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "jobmanager/job_manager.h"
#include "jobmanager/rest/program_store.h"
#include "jobmanager/rest/rest_server.h"
#include "jobmanager/rpc/grpc_server.h"
#include "runtime/core/log.h"
#include "runtime/core/process_main.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"
#include "runtime/metrics/metrics_server.h"

namespace penstock::jobmanager {
namespace {

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "penstock-jobmanager: %s\n", MessageOf(status).c_str());
  return code;
}

JobOptions JobOptionsOf(const Config& config) {
  JobOptions options;
  options.heartbeat_interval_ms = config.GetDurationMs("heartbeat.interval");
  options.heartbeat_timeout_ms = config.GetDurationMs("heartbeat.timeout");
  options.cancellation_timeout_ms = config.GetDurationMs("task.cancellation.timeout");
  options.restart = RestartOptions::From(config);
  options.worker_config = config.NonDefault();
  for (const char* own : {"io.ports-file", "metrics.port"}) options.worker_config.erase(own);  // of this process
  return options;
}

std::string ProgramDirectoryOf(const Config& config) {
  const std::string directory = config.GetString("web.upload.dir");
  return directory.empty() ? "programs" : directory;
}

// Flink's names, read from the published snapshot.
std::unique_ptr<MetricGroup> ClusterGauges(MetricRegistry& registry, const SnapshotHolder& snapshots) {
  auto group = registry.CreateGroup("penstock_jobmanager", {});
  group->SetGauge("numRegisteredTaskManagers",
                  [&snapshots] { return static_cast<double>(snapshots.Get()->taskmanagers.size()); });
  group->SetGauge("taskSlotsTotal", [&snapshots] {
    double slots = 0;
    for (const auto& taskmanager : snapshots.Get()->taskmanagers) slots += taskmanager.slots;
    return slots;
  });
  group->SetGauge("taskSlotsAvailable", [&snapshots] {
    double slots = 0;
    for (const auto& taskmanager : snapshots.Get()->taskmanagers) slots += taskmanager.free_slots;
    return slots;
  });
  group->SetGauge("numRunningJobs", [&snapshots] {
    double jobs = 0;
    for (const auto& job : snapshots.Get()->jobs) jobs += job->state == JobState::kRunning ? 1 : 0;
    return jobs;
  });
  return group;
}

// Also what the command line of the JobManager says must fit together.
absl::StatusOr<JobOptions> CheckedJobOptions(const Config& config) {
  JobOptions options = JobOptionsOf(config);
  PENSTOCK_ASSIGN_OR_RETURN(options.checkpoints, CheckpointConfig::From(config));
  options.storage = StorageOptions::From(config);
  if (options.checkpoints.enabled()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> storage,
                              OpenStorage(options.checkpoints.storage, options.storage));
    PENSTOCK_RETURN_IF_ERROR(ProbeStorage(*storage));
  }
  return options;
}

int Run(int argc, char** argv) {
  BlockTerminationSignals();
  const auto config = ConfigFromCommandLine(argc, argv, "penstock-jobmanager");
  if (absl::IsCancelled(config.status())) return kExitOk;
  if (!config.ok()) return Fail(config.status(), kExitUsage);
  log::Init("jobmanager", log::ParseLevel(config->GetString("log.level")));
  const auto cluster_token = ReadClusterToken(*config);
  if (!cluster_token.ok()) return Fail(cluster_token.status(), kExitStartFailed);

  auto programs = ProgramStore::Open(ProgramDirectoryOf(*config), config->GetBytes("web.upload.max-size"));
  if (!programs.ok()) return Fail(programs.status(), kExitStartFailed);
  auto job_options = CheckedJobOptions(*config);
  if (!job_options.ok()) return Fail(job_options.status(), kExitStartFailed);
  auto manager = JobManager::Create({.job = *job_options, .programs = programs->get()}, Clock::System());
  if (!manager.ok()) return Fail(manager.status(), kExitUsage);
  auto server = GrpcServer::Start({.address = config->GetString("jobmanager.rpc.address"),
                                   .port = static_cast<int>(config->GetInt("jobmanager.rpc.port")),
                                   .cluster_token = *cluster_token},
                                  (*manager)->control(), programs->get());
  if (!server.ok()) return Fail(server.status(), kExitStartFailed);
  (*manager)->SetWorkerAddress((*server)->address());
  RestServer rest(RestOptions::From(*config), (*manager)->snapshots(), (*manager)->commands(), **programs,
                  Clock::System());
  const absl::Status rest_started = rest.Start();
  if (!rest_started.ok()) return Fail(rest_started, kExitStartFailed);
  MetricRegistry registry;
  const auto gauges = ClusterGauges(registry, (*manager)->snapshots());
  MetricsServer metrics(registry, {.address = config->GetString("rest.address"),
                                   .port = static_cast<int>(config->GetInt("metrics.port")),
                                   .insecure = config->GetBool("insecure")});
  const absl::Status served = metrics.Start();
  if (!served.ok()) return Fail(served, kExitStartFailed);
  std::printf("penstock-jobmanager: rpc at %s, rest at http://%s, metrics at %s\n", (*server)->address().c_str(),
              rest.address().c_str(), metrics.address().c_str());
  std::fflush(stdout);
  if (const std::string path = config->GetString("io.ports-file"); !path.empty()) {
    const absl::Status written = WritePortsFile(path, {{"rpc", (*server)->address()},
                                                       {"rest", rest.address()},
                                                       {"rest_token_file", rest.token_file()},
                                                       {"metrics", metrics.address()}});
    if (!written.ok()) return Fail(written, kExitStartFailed);
  }
  AwaitTerminationSignal();
  PENSTOCK_LOG(info, "shutting down");
  rest.Stop();
  metrics.Stop();
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
