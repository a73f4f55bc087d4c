#include "taskmanager/host/worker_supervisor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"
#include "taskmanager/host/child_process.h"

namespace penstock::taskmanager {
namespace {

constexpr int64_t kBusyProgramPauseMs = 50;

// A bundle brings its libraries in lib/ beside the program; they stand before the host's.
std::vector<std::string> LibraryPathOf(const std::string& program) {
  const std::filesystem::path libraries = std::filesystem::path(program).parent_path() / "lib";
  if (!std::filesystem::is_directory(libraries)) return {};
  const char* inherited = std::getenv("LD_LIBRARY_PATH");
  return {fmt::format("LD_LIBRARY_PATH={}{}{}", libraries.string(), inherited == nullptr ? "" : ":",
                      inherited == nullptr ? "" : inherited)};
}

// A worker reads its specification first; if it never does, this blocks until it ends.
void WriteSpec(int fd, const proto::WorkerSpec& spec) {
  const std::string body = spec.SerializeAsString();
  const auto size = static_cast<uint32_t>(body.size());
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(size >> shift & 0xff);
  bytes += body;
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;  // it ended before it read all: its exit says more
    done += static_cast<size_t>(wrote);
  }
}

// Leaves the zombie: its pid, and its group's number, stay taken until the supervisor has used them.
ProcessEnd AwaitZombie(pid_t pid) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  if (info.si_code == CLD_EXITED) return {.exit_code = info.si_status, .signal = 0};
  return {.exit_code = -1, .signal = info.si_status};
}

}  // namespace

WorkerSupervisor::WorkerSupervisor(SupervisorOptions options, ProgramCache& cache, const Clock& clock,
                                   Reporter reporter)
    : options_(std::move(options)),
      cache_(cache),
      reporter_(std::move(reporter)),
      fetcher_("fetcher", clock),
      cleaner_("cleaner", clock),
      actor_("supervisor", clock) {}

std::string WorkerSupervisor::PathOf(const Key& key, const char* suffix) const {
  return fmt::format("{}/{}-{}{}", options_.log_dir, key.first, key.second, suffix);
}

void WorkerSupervisor::Start(proto::StartWorker start) {
  actor_.Post([this, start = std::move(start)]() mutable {
    const Key key(start.job_id(), start.attempt());
    if (stopping_ || workers_.size() >= kWorkersMax) {
      return Report(key, DescribeFailedStart(key.first, key.second, "this TaskManager takes no more workers"));
    }
    const auto [at, added] = workers_.try_emplace(key);
    if (!added) return;
    at->second.start = std::move(start);
    Remember();
    FetchThenSpawn(key);
  });
}

void WorkerSupervisor::FetchThenSpawn(const Key& key) {
  const proto::StartWorker& start = workers_.at(key).start;
  fetcher_.Post([this, key, digest = start.digest(), is_bundle = start.is_bundle()] {
    auto program = cache_.Get(digest, is_bundle);
    actor_.Post([this, key, program = std::move(program)] {
      if (workers_.at(key).killed) {
        proto::WorkerExited report;
        report.set_job_id(key.first);
        report.set_attempt(key.second);
        report.set_exit_code(-1);
        report.set_signal(SIGTERM);
        return Report(key, report);
      }
      if (program.ok()) return Spawn(key, *program);
      Report(key, DescribeFailedStart(key.first, key.second, MessageOf(program.status())));
    });
  });
}

// Copies lie on the disk of the state, so that they can be hard links.
void WorkerSupervisor::SetDirectories(const Key& key, proto::WorkerSpec& spec) {
  const std::string worker = fmt::format("workers/{}-{}", key.first, key.second);
  const auto local = spec.config().find("state.backend.local-dir");
  const std::string base = local == spec.config().end() || local->second.empty() ? options_.tmp_dir : local->second;
  spec.set_work_dir(options_.tmp_dir + "/" + worker);
  spec.set_state_dir(base + "/" + worker + "/state");
  spec.set_copies_dir(fmt::format("{}/copies/{}", base, key.first));
  copies_[key.first] = spec.copies_dir();
  std::error_code error;
  std::filesystem::create_directories(spec.work_dir(), error);
  std::filesystem::create_directories(spec.state_dir(), error);
}

void WorkerSupervisor::ForgetJob(const std::string& job_id) {
  actor_.Post([this, job_id] {
    const auto at = copies_.find(job_id);
    if (at == copies_.end()) return;
    std::error_code ignored;
    std::filesystem::remove_all(at->second, ignored);
    copies_.erase(at);
  });
}

void WorkerSupervisor::Spawn(const Key& key, const std::string& program) {
  Worker& worker = workers_.at(key);
  SetDirectories(key, *worker.start.mutable_spec());
  const std::string& work_dir = worker.start.spec().work_dir();
  const auto child = StartChild({.program = program,
                                 .arguments = {"worker"},
                                 .work_dir = work_dir,
                                 .stdout_path = PathOf(key, ".out"),
                                 .stderr_path = PathOf(key, ".err"),
                                 .environment = LibraryPathOf(program)});
  if (absl::IsUnavailable(child.status()) && ++worker.tries < kBusyProgramTriesMax) {
    actor_.PostAfter(std::chrono::milliseconds(kBusyProgramPauseMs), [this, key, program] { Spawn(key, program); });
    return;
  }
  if (!child.ok()) return Report(key, DescribeFailedStart(key.first, key.second, MessageOf(child.status())));
  worker.pid = child->pid;
  Remember();
  proto::HostToJobManager message;
  message.mutable_worker_started()->set_job_id(key.first);
  message.mutable_worker_started()->set_attempt(key.second);
  message.mutable_worker_started()->set_pid(child->pid);
  reporter_(std::move(message));
  worker.waiter = std::thread([this, key, child = *child, spec = worker.start.spec()] {
    SetThreadName("wait-" + std::to_string(child.pid));
    WriteSpec(child.stdin_fd, spec);
    const ProcessEnd end = AwaitZombie(child.pid);
    close(child.stdin_fd);  // open until here: its end would tell the worker that the host is gone
    // Here and not on the actor's thread, because symbols take their time.
    proto::WorkerExited report =
        DescribeExit(key.first, key.second, end, PathOf(key, ".err"), spec.work_dir() + "/crash", options_.symbolize);
    actor_.Post([this, key, report = std::move(report)]() mutable { OnEnded(key, std::move(report)); });
  });
  if (worker.killed) KillNow(key, false);  // while it was tried again
}

void WorkerSupervisor::Kill(const proto::KillWorker& kill) {
  actor_.Post([this, key = Key(kill.job_id(), kill.attempt()), force = kill.force()] { KillNow(key, force); });
}

void WorkerSupervisor::KillNow(const Key& key, bool force) {
  const auto at = workers_.find(key);
  if (at == workers_.end()) return;
  at->second.killed = true;
  if (at->second.pid < 0 || at->second.ended) return;
  kill(-at->second.pid, force ? SIGKILL : SIGTERM);
  if (force) return;
  actor_.PostAfter(std::chrono::milliseconds(options_.kill_grace_ms), [this, key] { KillNow(key, true); });
}

void WorkerSupervisor::OnEnded(const Key& key, proto::WorkerExited report) {
  Worker& worker = workers_.at(key);
  worker.ended = true;
  kill(-worker.pid, SIGKILL);  // what it left behind in its group, while the zombie keeps the group's number
  waitpid(worker.pid, nullptr, 0);
  worker.waiter.join();
  PENSTOCK_LOG(info, "worker of job {} attempt {} (process {}) ended: exit code {}, signal {}", key.first, key.second,
               worker.pid, report.exit_code(), report.signal());
  // On a thread of its own: gigabytes of files take their time, and the next attempt waits for the report.
  cleaner_.Post([work_dir = worker.start.spec().work_dir(), state_dir = worker.start.spec().state_dir()] {
    std::error_code ignored;
    std::filesystem::remove_all(work_dir, ignored);
    std::filesystem::remove_all(state_dir, ignored);
  });
  report.set_host_leaves(stopping_);
  Report(key, std::move(report));
}

void WorkerSupervisor::Report(const Key& key, proto::WorkerExited exited) {
  proto::HostToJobManager message;
  *message.mutable_worker_exited() = std::move(exited);
  reporter_(std::move(message));
  workers_.erase(key);
  Remember();
}

// After the report was handed on, so that a host that registers anew names each worker until its end is on its way.
void WorkerSupervisor::Remember() {
  std::vector<proto::RunningWorker> running;
  for (const auto& [key, worker] : workers_) {
    proto::RunningWorker& entry = running.emplace_back();
    entry.set_job_id(key.first);
    entry.set_attempt(key.second);
    entry.set_pid(worker.pid);
  }
  MutexLock lock(&mutex_);
  running_ = std::move(running);
  if (running_.empty()) none_left_.NotifyAll();
}

std::vector<proto::RunningWorker> WorkerSupervisor::Running() const {
  MutexLock lock(&mutex_);
  return running_;
}

void WorkerSupervisor::Stop() {
  cache_.Stop();
  actor_.Call([this] {
    stopping_ = true;
    std::vector<Key> keys;
    for (const auto& [key, worker] : workers_) keys.push_back(key);
    for (const Key& key : keys) KillNow(key, false);
  });
  {
    MutexLock lock(&mutex_);
    while (!running_.empty()) none_left_.Wait(&mutex_);
  }
  fetcher_.Stop();
  actor_.Stop();
  cleaner_.Call([] {});  // behind all folders
  cleaner_.Stop();
}

}  // namespace penstock::taskmanager
