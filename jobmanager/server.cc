#include "jobmanager/server.h"

#include <chrono>
#include <filesystem>
#include <utility>

#include "jobmanager/job_manager.h"
#include "jobmanager/leader/leadership.h"
#include "jobmanager/leader/standby.h"
#include "jobmanager/rest/program_store.h"
#include "jobmanager/rest/rest_server.h"
#include "jobmanager/rest/standby_rest.h"
#include "jobmanager/rpc/grpc_server.h"
#include "jobmanager/store/job_store.h"
#include "runtime/core/actor.h"
#include "runtime/core/local_token.h"
#include "runtime/core/log.h"
#include "runtime/core/process_main.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"
#include "runtime/metrics/metrics_server.h"

namespace penstock::jobmanager {
namespace {

// What a job's workers need not know of.
bool IsOwn(const std::string& key) {
  return key == "io.ports-file" || key == "metrics.port" || key.starts_with("high-availability.") ||
         key.starts_with("jobstore.");
}

// Also what the command line of the JobManager says must fit together.
absl::StatusOr<JobOptions> JobOptionsOf(const Config& config) {
  JobOptions options;
  options.heartbeat_interval_ms = config.GetDurationMs("heartbeat.interval");
  options.heartbeat_timeout_ms = config.GetDurationMs("heartbeat.timeout");
  options.cancellation_timeout_ms = config.GetDurationMs("task.cancellation.timeout");
  options.restart = RestartOptions::From(config);
  options.worker_config = config.NonDefault();
  std::erase_if(options.worker_config, [](const auto& entry) { return IsOwn(entry.first); });
  PENSTOCK_ASSIGN_OR_RETURN(options.checkpoints, CheckpointConfig::From(config));
  options.storage = StorageOptions::From(config);
  if (options.checkpoints.enabled()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Storage> storage,
                              OpenStorage(options.checkpoints.storage, options.storage));
    PENSTOCK_RETURN_IF_ERROR(ProbeStorage(*storage));
  }
  return options;
}

std::string ProgramDirectoryOf(const Config& config) {
  const std::string directory = config.GetString("web.upload.dir");
  return directory.empty() ? "programs" : directory;
}

std::string StorageOf(const Config& config) {
  const std::string own = config.GetString("high-availability.storageDir");
  return own.empty() ? config.GetString("execution.checkpointing.dir") : own;
}

absl::StatusOr<std::string> LockDirectoryOf(const Config& config) {
  if (config.GetString("high-availability.type") != "file") return std::string();
  std::string storage = StorageOf(config);
  if (storage.empty()) {
    return FailedPrecondition(
        "high-availability.type is file, but there is no storage for jobs: set high-availability.storageDir to a "
        "directory that all JobManagers see");
  }
  if (const std::string own = config.GetString("high-availability.lock-dir"); !own.empty()) return own;
  constexpr std::string_view kFile = "file://";
  if (storage.starts_with(kFile)) storage.erase(0, kFile.size());
  if (storage.find("://") != std::string::npos) {
    return FailedPrecondition("{} has no locks: set high-availability.lock-dir to a directory that all JobManagers see",
                              storage);
  }
  return storage + "/" + ClusterDirectory(config.GetString("cluster.id")) + "leader";
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

}  // namespace

struct JobManagerServer::Parts {
  Parts(const Config& c, const Clock& k, std::function<void(const absl::Status&)> l)
      : config(c),
        clock(k),
        on_lost(std::move(l)),
        rest_options(RestOptions::From(c)),
        metrics(registry, {.address = c.GetString("rest.address"),
                           .port = static_cast<int>(c.GetInt("metrics.port")),
                           .insecure = c.GetBool("insecure")}),
        actor("leader", k) {}

  absl::Status Start();
  absl::Status StartControl();
  absl::Status OpenLeadership(const std::string& lock_dir);
  absl::Status AcquireAlone();
  void StandBy();
  absl::Status MakeManager(uint64_t epoch);
  absl::Status Lead();
  void Prove();

  // Constant after Start().
  const Config config;
  const Clock& clock;
  const std::function<void(const absl::Status&)> on_lost;
  RestOptions rest_options;
  std::string rest_address;
  std::shared_ptr<Storage> storage;  // of jobs; null: they end with this process
  std::unique_ptr<ProgramStore> programs;
  StandbyControl control;
  std::unique_ptr<GrpcServer> grpc;
  MetricRegistry registry;
  MetricsServer metrics;

  // Made by Start() or, of a standby, on the actor's thread.
  std::unique_ptr<Leadership> leadership;
  StoredJobs stored;
  std::unique_ptr<JobStore> store;
  std::unique_ptr<JobManager> manager;
  std::unique_ptr<http::Server> standby_rest;
  std::unique_ptr<RestServer> rest;
  std::unique_ptr<MetricGroup> gauges;

  Actor actor;  // last: its thread uses all of the above
};

absl::Status JobManagerServer::Parts::StartControl() {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string token, ReadClusterToken(config));
  PENSTOCK_ASSIGN_OR_RETURN(grpc, GrpcServer::Start({.address = config.GetString("jobmanager.rpc.address"),
                                                     .port = static_cast<int>(config.GetInt("jobmanager.rpc.port")),
                                                     .insecure = config.GetBool("insecure"),
                                                     .cluster_token = token},
                                                    control, programs.get()));
  return absl::OkStatus();
}

absl::Status JobManagerServer::Parts::OpenLeadership(const std::string& lock_dir) {
  if (storage == nullptr) return absl::OkStatus();
  PENSTOCK_ASSIGN_OR_RETURN(
      leadership, Leadership::Open({.cluster_id = config.GetString("cluster.id"),
                                    .lock_dir = lock_dir,
                                    .lease_ms = config.GetDurationMs("high-availability.lease"),
                                    .self = {.rpc = grpc == nullptr ? "" : grpc->address(), .rest = rest_address}},
                                   storage, clock));
  return absl::OkStatus();
}

absl::Status JobManagerServer::Parts::Start() {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string lock_dir, LockDirectoryOf(config));
  PENSTOCK_ASSIGN_OR_RETURN(programs,
                            ProgramStore::Open(ProgramDirectoryOf(config), config.GetBytes("web.upload.max-size")));
  if (const std::string uri = StorageOf(config); !uri.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(storage, OpenStorage(uri, StorageOptions::From(config)));
    PENSTOCK_RETURN_IF_ERROR(ProbeStorage(*storage));
  }
  if (lock_dir.empty()) {
    PENSTOCK_RETURN_IF_ERROR(OpenLeadership(""));
    PENSTOCK_RETURN_IF_ERROR(AcquireAlone());
    control.Lead(manager->control());
    PENSTOCK_RETURN_IF_ERROR(StartControl());
    PENSTOCK_RETURN_IF_ERROR(Lead());
  } else {
    PENSTOCK_RETURN_IF_ERROR(JobOptionsOf(config).status());  // now, not when the leader is gone
    PENSTOCK_RETURN_IF_ERROR(StartControl());
    PENSTOCK_ASSIGN_OR_RETURN(standby_rest, StartStandbyRest(rest_options, [this] { return control.leader().rest; }));
    rest_options.port = standby_rest->port();
    if (rest_options.token_file.empty()) rest_options.token_file = DefaultLocalTokenFile(rest_options.port);
    rest_address = standby_rest->address();
    PENSTOCK_RETURN_IF_ERROR(OpenLeadership(lock_dir));
    actor.Post([this] { StandBy(); });
  }
  return metrics.Start();
}

// The only JobManager of its cluster leads at once; of two that start together the later one does.
absl::Status JobManagerServer::Parts::AcquireAlone() {
  if (leadership == nullptr) return MakeManager(0);
  for (int i = 0; i < kAcquireTriesMax; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::optional<uint64_t> epoch, leadership->TryAcquire());
    if (epoch) return MakeManager(*epoch);
  }
  return Unavailable("other JobManagers of cluster '{}' start all the time", config.GetString("cluster.id"));
}

void JobManagerServer::Parts::StandBy() {
  const absl::StatusOr<std::optional<uint64_t>> epoch = leadership->TryAcquire();
  if (!epoch.ok()) PENSTOCK_LOG(warn, "cannot lead just now: {}", MessageOf(epoch.status()));
  if (!epoch.ok() || !*epoch) {
    const LeaderAddress leader = leadership->Leader();
    if (leader.rpc != control.leader().rpc) PENSTOCK_LOG(info, "standing by, the leader is {}", leader.rpc);
    control.SetLeader(leader);
    actor.PostAfter(std::chrono::milliseconds(kAcquireIntervalMs), [this] { StandBy(); });
    return;
  }
  absl::Status status = MakeManager(**epoch);
  if (status.ok()) {
    control.Lead(manager->control());
    standby_rest->Stop();
    status = Lead();
  }
  if (!status.ok()) on_lost(status);
}

absl::Status JobManagerServer::Parts::MakeManager(uint64_t epoch) {
  PENSTOCK_ASSIGN_OR_RETURN(JobOptions options, JobOptionsOf(config));
  options.leader_epoch = epoch;
  const JobStoreLimits limits{.ended_max = static_cast<size_t>(config.GetInt("jobstore.max-capacity")),
                              .ended_expire_ms = config.GetDurationMs("jobstore.expiration-time")};
  DurableJobs durable{.limits = limits};
  if (storage != nullptr) {
    PENSTOCK_LOG(info, "leads cluster '{}' under epoch {}", config.GetString("cluster.id"), epoch);
    store = std::make_unique<JobStore>(storage, config.GetString("cluster.id"), epoch, limits, clock);
    PENSTOCK_ASSIGN_OR_RETURN(stored, store->Open());
    durable.store = store.get();
    durable.fetch_program = [this](const std::string& digest) {
      return programs->Restore(digest, [&](const std::string& path) { return store->FetchProgram(digest, path); });
    };
    durable.on_decision_lost = [this] { actor.Post([this] { Prove(); }); };
  }
  PENSTOCK_ASSIGN_OR_RETURN(
      manager, JobManager::Create({.job = options, .programs = programs.get(), .durable = std::move(durable)}, clock));
  return absl::OkStatus();
}

absl::Status JobManagerServer::Parts::Lead() {
  manager->SetWorkerAddress(grpc->address());
  manager->Recover(std::exchange(stored, {}));
  rest = std::make_unique<RestServer>(rest_options, manager->snapshots(), manager->commands(), *programs, clock);
  PENSTOCK_RETURN_IF_ERROR(rest->Start());
  rest_address = rest->address();
  rest_options.token_file = rest->token_file();
  gauges = ClusterGauges(registry, manager->snapshots());
  if (leadership != nullptr) actor.Post([this] { Prove(); });
  return absl::OkStatus();
}

void JobManagerServer::Parts::Prove() {
  const absl::Status proof = leadership->Prove();
  if (!proof.ok()) return on_lost(proof);
  actor.PostAfter(std::chrono::milliseconds(leadership->ProveIntervalMs()), [this] { Prove(); });
}

absl::StatusOr<std::unique_ptr<JobManagerServer>> JobManagerServer::Start(
    const Config& config, const Clock& clock, std::function<void(const absl::Status&)> on_lost) {
  std::unique_ptr<JobManagerServer> server(
      new JobManagerServer(std::make_unique<Parts>(config, clock, std::move(on_lost))));
  PENSTOCK_RETURN_IF_ERROR(server->parts_->Start());
  return server;
}

JobManagerServer::JobManagerServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

JobManagerServer::~JobManagerServer() { Stop(); }

void JobManagerServer::Stop() {
  parts_->actor.Stop();
  if (parts_->standby_rest != nullptr) parts_->standby_rest->Stop();
  if (parts_->rest != nullptr) parts_->rest->Stop();
  parts_->metrics.Stop();
  if (parts_->grpc != nullptr) parts_->grpc->Stop();
  if (parts_->manager != nullptr) parts_->manager->Stop();
}

std::map<std::string, std::string> JobManagerServer::ports() const {
  return {{"rpc", parts_->grpc->address()},
          {"rest", parts_->rest_address},
          {"rest_token_file", parts_->rest_options.token_file},
          {"metrics", parts_->metrics.address()}};
}

}  // namespace penstock::jobmanager
