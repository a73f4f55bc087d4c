#include "taskmanager/host/process_fixture.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "runtime/core/digest.h"
#include "runtime/core/status.h"
#include "taskmanager/worker/testing/fake_executor.h"

extern char** environ;

namespace penstock::testing {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kDeadlineMs = 30'000;

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = "/tmp/penstock-test-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Process::Process(const std::string& program, std::vector<std::string> arguments, const std::string& output_path) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  REQUIRE(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
}

Process::~Process() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal_number) {
  if (pid_ > 0) kill(pid_, signal_number);
}

int Process::AwaitEnd() {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ready{pidfd, POLLIN, 0};
  if (poll(&ready, 1, kDeadlineMs) <= 0) kill(pid_, SIGKILL);
  close(pidfd);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

ProcessCluster::ProcessCluster(jobmanager::JobOptions options, const std::string& cluster_token)
    : options_([&] {
        options.heartbeat_interval_ms = 100;
        options.heartbeat_timeout_ms = 2'000;
        return options;
      }()),
      cluster_token_(cluster_token),
      programs_(*jobmanager::ProgramStore::Open(directory_.path() + "/programs", int64_t{1} << 30)) {
  StartJobManager(0);
}

ProcessCluster::~ProcessCluster() {
  server_->Stop();
  manager_->Stop();
}

void ProcessCluster::StartJobManager(int port) {
  auto manager = jobmanager::JobManager::Create({.job = options_, .programs = programs_.get()}, Clock::System());
  REQUIRE(manager.ok());
  auto server = jobmanager::GrpcServer::Start({.port = port, .cluster_token = cluster_token_}, (*manager)->control(),
                                              programs_.get());
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  manager_ = *std::move(manager);
  server_ = *std::move(server);
  manager_->SetWorkerAddress(server_->address());
}

void ProcessCluster::RestartJobManager() {
  const std::string address = server_->address();
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  server_->Stop();
  server_.reset();
  manager_.reset();
  StartJobManager(port);
}

std::unique_ptr<Process> ProcessCluster::StartTaskManager(const std::string& id, int slots,
                                                          std::vector<std::string> extra) {
  const std::string address = server_->address();
  std::vector<std::string> arguments{
      "-Dtaskmanager.id=" + id,
      fmt::format("-Dtaskmanager.numberOfTaskSlots={}", slots),
      "-Djobmanager.rpc.address=" + address.substr(0, address.rfind(':')),
      "-Djobmanager.rpc.port=" + address.substr(address.rfind(':') + 1),
      fmt::format("-Dtaskmanager.tmp.dir={}/{}", path(), id),
      fmt::format("-Dtaskmanager.log.dir={}/{}/log", path(), id),
  };
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  return std::make_unique<Process>(TASKMANAGER_PROGRAM, std::move(arguments), fmt::format("{}/{}.out", path(), id));
}

std::string ProcessCluster::AddProgram(const std::string& file, const std::string& digest) {
  const std::string name = digest.empty() ? *Sha256OfFile(file) : digest;
  fs::copy_file(file, fmt::format("{}/programs/{}", path(), name), fs::copy_options::overwrite_existing);
  return name;
}

std::string ProcessCluster::Submit(const std::string& name, int parallelism, std::vector<std::string> arguments,
                                   const std::string& digest, bool is_bundle) {
  jobmanager::JobSubmission submission;
  submission.graph = worker::FakeGraph(name, parallelism);
  submission.arguments = std::move(arguments);
  submission.digest = digest;
  submission.is_bundle = is_bundle;
  const auto id = commands().Submit(submission);
  INFO(id.status().ToString());
  REQUIRE(id.ok());
  return *id;
}

std::string ProcessCluster::SubmitPlanned(const std::string& program, int parallelism,
                                          const std::vector<std::string>& arguments) {
  std::string quoted;
  for (const std::string& argument : arguments) quoted += fmt::format("{}\"{}\"", quoted.empty() ? "" : ",", argument);
  const std::string command =
      fmt::format("echo '{{\"arguments\":[{}],\"parallelism\":{}}}' | '{}' plan", quoted, parallelism, program);
  const std::unique_ptr<FILE, int (*)(FILE*)> plan(popen(command.c_str(), "r"), pclose);
  REQUIRE(plan != nullptr);
  std::string json;
  char block[4096];
  for (size_t got = 0; (got = fread(block, 1, sizeof(block), plan.get())) > 0;) json.append(block, got);
  jobmanager::JobSubmission submission;
  INFO(json);
  REQUIRE(google::protobuf::util::JsonStringToMessage(json, &submission.graph).ok());
  // Several jobs of one program run in one test.
  submission.graph.set_uid(fmt::format("{}-{}", submission.graph.uid(), ++jobs_planned_));
  submission.arguments = arguments;
  submission.digest = AddProgram(program);
  const auto id = commands().Submit(submission);
  INFO(id.status().ToString());
  REQUIRE(id.ok());
  return *id;
}

std::shared_ptr<const jobmanager::JobSnapshot> ProcessCluster::Job(const std::string& id) const {
  for (const auto& job : manager_->snapshots().Get()->jobs) {
    if (job->id == id) return job;
  }
  return nullptr;
}

bool ProcessCluster::AwaitCluster(const std::function<bool(const jobmanager::ClusterSnapshot&)>& predicate) const {
  const int64_t deadline_ms = Clock::System().MonotonicMs() + kDeadlineMs;
  while (true) {
    const auto seen = manager_->snapshots().Get();
    if (predicate(*seen)) return true;
    const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
    if (left_ms <= 0) return false;
    manager_->snapshots().AwaitChange(seen, std::chrono::milliseconds(left_ms));
  }
}

bool ProcessCluster::AwaitJob(const std::string& id,
                              const std::function<bool(const jobmanager::JobSnapshot&)>& predicate) const {
  return AwaitCluster([&](const jobmanager::ClusterSnapshot& cluster) {
    for (const auto& job : cluster.jobs) {
      if (job->id == id) return predicate(*job);
    }
    return false;
  });
}

bool ProcessCluster::AwaitState(const std::string& id, jobmanager::JobState state) const {
  return AwaitJob(id, [state](const jobmanager::JobSnapshot& job) { return job.state == state; });
}

}  // namespace penstock::testing
