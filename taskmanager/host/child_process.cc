#include "taskmanager/host/child_process.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string_view>

#include "runtime/core/status.h"
#include "runtime/core/version.h"

extern char** environ;

namespace penstock::taskmanager {
namespace {

constexpr char kOomScoreAdj[] = "500";  // of 1000; the host keeps what it was given

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

const char* MachineName(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    default:
      return "an unknown machine";
  }
}

std::string WhyNotExecutable(const std::string& program, int error) {
  if (error != ENOEXEC) return std::strerror(error);
  Elf64_Ehdr header{};
  std::ifstream in(program, std::ios::binary);
  in.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (in.gcount() < static_cast<std::streamsize>(EI_NIDENT + 4) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return "it is no ELF program";
  }
  return fmt::format("it is a program for another machine ({}), this host is {}", MachineName(header.e_machine),
                     kMachine);
}

// What the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* program;
  const char* work_dir;
  int stdin_fd;
  int stdout_fd;
  int stderr_fd;
  int error_fd;
  pid_t parent;
};

[[noreturn]] void FailChild(const Prepared& prepared) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(prepared.error_fd, &error, sizeof(error));
  _exit(127);
}

[[noreturn]] void RunChild(const Prepared& prepared) {
  if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) FailChild(prepared);
  if (getppid() != prepared.parent) _exit(127);  // it died before the line above
  if (dup2(prepared.stdin_fd, 0) < 0 || dup2(prepared.stdout_fd, 1) < 0 || dup2(prepared.stderr_fd, 2) < 0) {
    FailChild(prepared);
  }
  if (chdir(prepared.work_dir) != 0) FailChild(prepared);
  // Nothing of the host's is inherited: no socket of it, no other worker's standard input.
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    for (int fd = 3; fd < 4096; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  // When memory runs out the kernel takes a worker, not the host: that costs one job a restart. Not fatal where it is
  // not allowed.
  if (const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const ssize_t written = write(fd, kOomScoreAdj, sizeof(kOomScoreAdj) - 1);
    close(fd);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal_number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP}) signal(signal_number, SIG_DFL);
  execve(prepared.program, prepared.argv.data(), prepared.envp.data());
  FailChild(prepared);
}

// Whether one of these NAME=value has the entry's name. Of two of a name the loader takes another one than getenv.
bool IsNamedIn(const std::vector<std::string>& environment, std::string_view entry) {
  const std::string_view name = entry.substr(0, entry.find('=') + 1);
  return std::ranges::any_of(environment, [&](const std::string& own) { return own.starts_with(name); });
}

absl::Status OpenOutput(const std::string& path, Fd* fd) {
  fd->Reset(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (fd->get() < 0) return FailedPrecondition("cannot open {}: {}", path, std::strerror(errno));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Child> StartChild(const ChildSpec& spec) {
  int stdin_pipe[2];
  int error_pipe[2];
  if (pipe2(stdin_pipe, O_CLOEXEC) != 0) return ResourceExhausted("no pipe: {}", std::strerror(errno));
  Fd stdin_read(stdin_pipe[0]);
  Fd stdin_write(stdin_pipe[1]);
  if (pipe2(error_pipe, O_CLOEXEC) != 0) return ResourceExhausted("no pipe: {}", std::strerror(errno));
  Fd error_read(error_pipe[0]);
  Fd error_write(error_pipe[1]);
  Fd out;
  Fd err;
  PENSTOCK_RETURN_IF_ERROR(OpenOutput(spec.stdout_path, &out));
  PENSTOCK_RETURN_IF_ERROR(OpenOutput(spec.stderr_path, &err));

  Prepared prepared{{},
                    {},
                    spec.program.c_str(),
                    spec.work_dir.c_str(),
                    stdin_read.get(),
                    out.get(),
                    err.get(),
                    error_write.get(),
                    getpid()};
  prepared.argv.push_back(const_cast<char*>(spec.program.c_str()));
  for (const std::string& argument : spec.arguments) prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (const std::string& entry : spec.environment) prepared.envp.push_back(const_cast<char*>(entry.c_str()));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!IsNamedIn(spec.environment, *entry)) prepared.envp.push_back(*entry);
  }
  prepared.envp.push_back(nullptr);

  const pid_t pid = fork();
  if (pid < 0) return ResourceExhausted("cannot fork: {}", std::strerror(errno));
  if (pid == 0) RunChild(prepared);
  error_write.Reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(error_read.get(), &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(error)) {
    waitpid(pid, nullptr, 0);
    if (error == ETXTBSY) return Unavailable("{} is still open for writing", spec.program);
    return FailedPrecondition("cannot execute {}: {}", spec.program, WhyNotExecutable(spec.program, error));
  }
  return Child{pid, stdin_write.Release()};
}

}  // namespace penstock::taskmanager
