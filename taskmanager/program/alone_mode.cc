#include "taskmanager/program/alone_mode.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "jobmanager/rest/program_store.h"
#include "jobmanager/rest/rest_server.h"
#include "runtime/core/config.h"
#include "runtime/core/status.h"
#include "taskmanager/program/alone_options.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/program/local_cluster.h"

namespace penstock::program {
namespace {

// REST of the cluster inside this program, with a folder for the programs that nobody uploads to it.
class AloneRest {
 public:
  static absl::StatusOr<std::unique_ptr<AloneRest>> Start(taskmanager::LocalCluster& cluster, const Config& config,
                                                          int port) {
    auto rest = std::make_unique<AloneRest>();
    rest->folder_ = std::filesystem::temp_directory_path() / fmt::format("penstock-alone-{}", getpid());
    PENSTOCK_ASSIGN_OR_RETURN(rest->programs_,
                              jobmanager::ProgramStore::Open(rest->folder_, config.GetBytes("web.upload.max-size")));
    jobmanager::RestOptions options = jobmanager::RestOptions::From(config);
    options.port = port;
    rest->server_ = std::make_unique<jobmanager::RestServer>(std::move(options), cluster.snapshots(),
                                                             cluster.commands(), *rest->programs_, Clock::System());
    PENSTOCK_RETURN_IF_ERROR(rest->server_->Start());
    return rest;
  }
  ~AloneRest() {
    if (server_ != nullptr) server_->Stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string address() const { return server_->address(); }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<jobmanager::ProgramStore> programs_;
  std::unique_ptr<jobmanager::RestServer> server_;
};

// Waits for SIGINT or SIGTERM, which are blocked in every thread, and cancels the job; SIGUSR1 ends the wait.
std::thread CancelOnSignal(taskmanager::LocalCluster& cluster, const std::string& job_id, const sigset_t& signals) {
  return std::thread([&cluster, job_id, signals] {
    int received = 0;
    sigwait(&signals, &received);
    if (received != SIGUSR1) cluster.Cancel(job_id).IgnoreError();
  });
}

int Fail(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "%s\n", MessageOf(status).c_str());
  return exit_code;
}

}  // namespace

int RunAlone(const JobDefinition& job, const std::vector<std::string>& arguments) {
  const absl::StatusOr<AloneOptions> options = ParseAloneOptions(arguments);
  if (!options.ok()) return Fail(options.status(), 2);
  const absl::StatusOr<Config> config = Config::Load({.overrides = options->overrides});
  if (!config.ok()) return Fail(config.status(), 2);
  const absl::StatusOr<CompiledGraph> compiled =
      BuildGraph(job, {.arguments = options->job,
                       .parallelism = options->parallelism,
                       .key_groups = static_cast<int>(config->GetInt("pipeline.max-parallelism")),
                       .submitting = true});
  if (!compiled.ok()) return Fail(compiled.status(), 1);

  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  int slots = 1;
  for (const CompiledVertex& vertex : compiled->vertices) slots = std::max(slots, vertex.parallelism);
  auto cluster =
      taskmanager::LocalCluster::Start({.taskmanagers = 1, .slots_per_taskmanager = slots}, MakeExecutorFactory(job));
  if (!cluster.ok()) return Fail(cluster.status(), 1);
  std::unique_ptr<AloneRest> rest;
  if (options->rest_port) {
    auto started = AloneRest::Start(**cluster, *config, *options->rest_port);
    if (!started.ok()) return Fail(started.status(), 1);
    rest = *std::move(started);
    std::fprintf(stderr, "REST at http://%s\n", rest->address().c_str());
  }
  const absl::StatusOr<std::string> job_id = (*cluster)->Submit(compiled->graph, options->job, config->NonDefault());
  if (!job_id.ok()) return Fail(job_id.status(), 1);
  std::thread canceller = CancelOnSignal(**cluster, *job_id, signals);
  const absl::Status end = (*cluster)->AwaitEnd(*job_id);
  pthread_kill(canceller.native_handle(), SIGUSR1);
  canceller.join();
  if (end.ok() || absl::IsCancelled(end)) return 0;
  return Fail(end, 1);
}

}  // namespace penstock::program
