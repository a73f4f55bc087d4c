#include "cli/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

constexpr int kPollMs = 100;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  void CloseRead() {
    if (read_end >= 0) close(read_end);
    read_end = -1;
  }
  void CloseWrite() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& text : *strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (added.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

// One of the child's outputs: appends what has come. False at its end.
bool TakeOutput(int fd, std::string* out) {
  char piece[65536];
  const ssize_t size = read(fd, piece, sizeof(piece));
  if (size <= 0) return size < 0 && (errno == EINTR || errno == EAGAIN);
  out->append(piece, std::min<size_t>(static_cast<size_t>(size), kChildOutputBytesMax - out->size()));
  return true;
}

// Feeds the input and takes the outputs until both are closed or the time is over.
void Converse(const ChildSpec& spec, Pipe* in, Pipe* out, Pipe* err, ChildResult* result) {
  const Clock& clock = Clock::System();
  const int64_t deadline_ms = clock.MonotonicMs() + spec.timeout_ms;
  size_t written = 0;
  fcntl(in->write_end, F_SETFL, O_NONBLOCK);
  while (out->read_end >= 0 || err->read_end >= 0) {
    if (clock.MonotonicMs() >= deadline_ms) {
      result->timed_out = true;
      return;
    }
    if (written == spec.input.size()) in->CloseWrite();
    pollfd fds[] = {{in->write_end, POLLOUT, 0}, {out->read_end, POLLIN, 0}, {err->read_end, POLLIN, 0}};
    if (poll(fds, std::size(fds), kPollMs) <= 0) continue;
    if (fds[0].revents != 0) {
      const ssize_t size = write(in->write_end, spec.input.data() + written, spec.input.size() - written);
      if (size < 0 && errno != EAGAIN) {
        written = spec.input.size();  // it does not read: its own affair
      } else if (size > 0) {
        written += static_cast<size_t>(size);
      }
    }
    if (fds[1].revents != 0 && !TakeOutput(out->read_end, &result->out)) out->CloseRead();
    if (fds[2].revents != 0 && !TakeOutput(err->read_end, &result->err)) err->CloseRead();
  }
}

// Waits for the end until the deadline; kills the group after it.
void Reap(pid_t pid, int64_t deadline_ms, ChildResult* result) {
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::System().MonotonicMs() >= deadline_ms) result->timed_out = true;
    if (result->timed_out) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    PauseMs(1);
  }
  if (WIFEXITED(status)) {
    result->exit_code = WEXITSTATUS(status);
  } else {
    result->exit_code = -1;
    result->signal = WTERMSIG(status);
  }
}

}  // namespace

void PauseMs(int64_t time_ms) { poll(nullptr, 0, static_cast<int>(time_ms)); }

absl::StatusOr<ChildResult> RunChild(const ChildSpec& spec) {
  Pipe in;
  Pipe out;
  Pipe err;
  if (!in.Open() || !out.Open() || !err.Open()) return Internal("no pipes: {}", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &pipe_signal);

  std::vector<std::string> command = spec.command;
  std::vector<std::string> environment = EnvironmentWith(spec.environment);
  const int64_t deadline_ms = Clock::System().MonotonicMs() + spec.timeout_ms;
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, command[0].c_str(), &actions, &attributes, Pointers(&command).data(),
                                 Pointers(&environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return FailedPrecondition("can't start '{}': {}", spec.command[0], std::strerror(failed));
  in.CloseRead();
  out.CloseWrite();
  err.CloseWrite();
  ChildResult result;
  Converse(spec, &in, &out, &err, &result);
  in.CloseWrite();
  Reap(pid, deadline_ms, &result);
  return result;
}

absl::StatusOr<int> StartDaemon(const std::vector<std::string>& command, const std::string& output_file) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<std::string> words = command;
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, words[0].c_str(), &actions, &attributes, Pointers(&words).data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return FailedPrecondition("can't start '{}': {}", command[0], std::strerror(failed));
  return pid;
}

}  // namespace penstock::cli
