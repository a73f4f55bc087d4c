#include "taskmanager/host/exit_report.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "runtime/core/clock.h"
#include "taskmanager/host/log_directory.h"

extern char** environ;

namespace penstock::taskmanager {
namespace {

constexpr int kExitOfLoader = 127;
constexpr const char* kLoaderComplaint = "error while loading shared libraries: ";
constexpr int64_t kSymbolizeMs = 20'000;

// The loader's own line without the program's path, which says nothing to the author.
std::string LoaderComplaint(const std::string& stderr_tail) {
  const size_t at = stderr_tail.find(kLoaderComplaint);
  if (at == std::string::npos) return "";
  return stderr_tail.substr(at, stderr_tail.find('\n', at) - at);
}

// What the crashed thread was doing: the lines of the crash file that begin with the kind.
std::string CrashLine(const std::string& crash, const std::string& kind) {
  const size_t at = crash.find("\n" + kind + " ");
  if (at == std::string::npos) return "";
  const size_t begin = at + kind.size() + 2;
  return crash.substr(begin, crash.find('\n', begin) - begin);
}

std::string ReadUntilEnd(int fd) {
  std::string text;
  const int64_t deadline_ms = Clock::System().MonotonicMs() + kSymbolizeMs;
  char block[4096];
  while (static_cast<int64_t>(text.size()) < kCrashFileBytesMax) {
    pollfd ready{fd, POLLIN, 0};
    const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
    if (left_ms <= 0 || poll(&ready, 1, static_cast<int>(left_ms)) <= 0) break;
    const ssize_t got = read(fd, block, sizeof(block));
    if (got <= 0) break;
    text.append(block, static_cast<size_t>(got));
  }
  return text;
}

}  // namespace

proto::WorkerExited DescribeFailedStart(const std::string& job_id, uint32_t attempt, const std::string& why) {
  proto::WorkerExited report;
  report.set_job_id(job_id);
  report.set_attempt(attempt);
  report.set_exit_code(-1);
  report.set_start_failed(true);
  report.set_stderr_tail(why);
  return report;
}

proto::WorkerExited DescribeExit(const std::string& job_id, uint32_t attempt, ProcessEnd end,
                                 const std::string& stderr_path, const std::string& crash_path,
                                 const Symbolizer& symbolize) {
  proto::WorkerExited report;
  report.set_job_id(job_id);
  report.set_attempt(attempt);
  report.set_stderr_tail(TailOfFile(stderr_path, kStderrTailBytes));
  report.set_exit_code(end.exit_code);
  report.set_signal(end.signal);
  if (end.signal != 0) {
    const std::string crash = TailOfFile(crash_path, kCrashFileBytesMax);
    if (crash.empty()) return report;
    report.set_stack(symbolize(crash_path));
    report.set_task_name(CrashLine(crash, "task"));
    report.set_operator_name(CrashLine(crash, "operator"));
    return report;
  }
  if (report.exit_code() == kExitOfLoader) {
    const std::string complaint = LoaderComplaint(report.stderr_tail());
    if (!complaint.empty()) {
      return DescribeFailedStart(job_id, attempt,
                                 complaint + " (install the library on this host, or submit the job as a bundle)");
    }
  }
  return report;
}

std::string SymbolizeInChild(const std::string& symbolizer, const std::string& crash_path) {
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return TailOfFile(crash_path, kCrashFileBytesMax);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  std::string mode = "symbolize";
  std::string program = symbolizer;
  std::string path = crash_path;
  char* argv[] = {program.data(), mode.data(), path.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, symbolizer.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  std::string text;
  if (error == 0) {
    text = ReadUntilEnd(output[0]);
    kill(pid, SIGKILL);  // it has said all, or takes too long
    waitpid(pid, nullptr, 0);
  }
  close(output[0]);
  return text.empty() ? TailOfFile(crash_path, kCrashFileBytesMax) : text;
}

}  // namespace penstock::taskmanager
