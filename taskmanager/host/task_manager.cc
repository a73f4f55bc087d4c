#include "taskmanager/host/task_manager.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "runtime/core/memory/cgroup_memory.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"
#include "taskmanager/host/host_agent.h"
#include "taskmanager/host/machine.h"
#include "taskmanager/host/program_cache.h"
#include "taskmanager/host/worker_supervisor.h"
#include "taskmanager/rpc/grpc_transport.h"

namespace penstock::taskmanager {
namespace {

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailedPrecondition("cannot create the directory {}: {}", path, error.message());
  return absl::OkStatus();
}

proto::HostHello HelloOf(const TaskManagerOptions& options) {
  proto::HostHello hello;
  hello.set_control_version(kControlVersion);
  hello.set_engine_version(std::string(kEngineVersion));
  hello.set_taskmanager_id(options.id);
  hello.set_data_host(options.data_host);
  hello.set_slots(options.slots);
  hello.set_cpu_cores(CpuCores());
  hello.set_physical_memory_bytes(PhysicalMemoryBytes());
  hello.set_memory_limit_bytes(options.memory_bytes > 0 ? options.memory_bytes : UsableMemoryBytes());
  hello.set_metrics_address(options.metrics_address);
  hello.set_log_dir(options.log_dir);
  hello.set_pid(getpid());
  return hello;
}

}  // namespace

struct TaskManager::Parts {
  Parts(TaskManagerOptions o, const Clock& clock)
      : options(std::move(o)),
        transport(options.jobmanager_address, options.cluster_token),
        cache(options.tmp_dir + "/programs",
              [this](const std::string& digest, int64_t offset, const auto& sink) {
                return transport.FetchProgram(digest, offset, sink);
              }),
        agent(HelloOf(options),
              {.start_worker =
                   [this](proto::StartWorker start) {
                     auto& config = *start.mutable_spec()->mutable_config();
                     for (const auto& [key, value] : options.worker_config) config.insert({key, value});
                     supervisor.Start(std::move(start));
                   },
               .kill_worker = [this](const proto::KillWorker& kill) { supervisor.Kill(kill); },
               .forget_job = [this](const std::string& job_id) { supervisor.ForgetJob(job_id); },
               .running = [this] { return supervisor.Running(); }},
              transport, clock),
        supervisor({.log_dir = options.log_dir,
                    .tmp_dir = options.tmp_dir,
                    .symbolize = [program = options.symbolizer](
                                     const std::string& crash_path) { return SymbolizeInChild(program, crash_path); }},
                   cache, clock, [this](proto::HostToJobManager report) { agent.Report(std::move(report)); }) {}

  const TaskManagerOptions options;
  GrpcTransport transport;
  ProgramCache cache;
  HostAgent agent;
  WorkerSupervisor supervisor;
};

absl::StatusOr<std::unique_ptr<TaskManager>> TaskManager::Start(TaskManagerOptions options, const Clock& clock) {
  if (options.id.empty()) options.id = fmt::format("{}-{}", options.data_host, RandomHex(4));
  if (options.symbolizer.empty()) options.symbolizer = "/proc/self/exe";
  for (std::string* directory : {&options.tmp_dir, &options.log_dir}) {
    PENSTOCK_RETURN_IF_ERROR(MakeDirectory(*directory));
    *directory = std::filesystem::absolute(*directory).string();  // workers run elsewhere
  }
  signal(SIGPIPE, SIG_IGN);  // a worker may end before it has read its specification
  std::unique_ptr<TaskManager> manager(new TaskManager(std::make_unique<Parts>(std::move(options), clock)));
  manager->parts_->agent.Start();
  return manager;
}

TaskManager::TaskManager(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

TaskManager::~TaskManager() { Stop(); }

void TaskManager::Stop() {
  parts_->supervisor.Stop();
  parts_->agent.Stop();
}

size_t TaskManager::workers_count() const { return parts_->supervisor.Running().size(); }

int64_t TaskManager::refused_messages() const { return parts_->agent.refused_messages(); }

const std::string& TaskManager::id() const { return parts_->options.id; }

}  // namespace penstock::taskmanager
