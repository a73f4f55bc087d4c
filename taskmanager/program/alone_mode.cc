#include "taskmanager/program/alone_mode.h"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <thread>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/program/local_cluster.h"

namespace penstock::program {
namespace {

struct AloneArguments {
  int parallelism = 1;
  std::vector<std::string> job;
};

absl::StatusOr<AloneArguments> Parse(const std::vector<std::string>& arguments) {
  AloneArguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] != "-p") {
      parsed.job.push_back(arguments[i]);
      continue;
    }
    const std::string text = i + 1 < arguments.size() ? arguments[++i] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed.parallelism);
    if (error != std::errc() || end != text.data() + text.size() || parsed.parallelism < 1) {
      return InvalidArgument("-p takes the parallelism, a whole number above 0, not '{}'", text);
    }
  }
  return parsed;
}

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
  const absl::StatusOr<AloneArguments> parsed = Parse(arguments);
  if (!parsed.ok()) return Fail(parsed.status(), 2);
  const absl::StatusOr<CompiledGraph> compiled =
      BuildGraph(job, {.arguments = parsed->job, .parallelism = parsed->parallelism});
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
  const absl::StatusOr<std::string> job_id = (*cluster)->Submit(compiled->graph, parsed->job);
  if (!job_id.ok()) return Fail(job_id.status(), 1);
  std::thread canceller = CancelOnSignal(**cluster, *job_id, signals);
  const absl::Status end = (*cluster)->AwaitEnd(*job_id);
  pthread_kill(canceller.native_handle(), SIGUSR1);
  canceller.join();
  if (end.ok() || absl::IsCancelled(end)) return 0;
  return Fail(end, 1);
}

}  // namespace penstock::program
