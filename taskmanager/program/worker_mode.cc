#include "taskmanager/program/worker_mode.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

#include <unistd.h>

#include "absl/status/statusor.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"
#include "taskmanager/program/job_graph.h"
#include "taskmanager/rpc/grpc_transport.h"
#include "taskmanager/worker/exit_codes.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::program {
namespace {

// A specification is some kilobytes; more means that something else writes to the pipe.
constexpr uint32_t kSpecBytesMax = 16 << 20;

bool ReadAll(int fd, void* to, size_t size) {
  char* out = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = read(fd, out, size);
    if (got <= 0) return false;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

absl::StatusOr<proto::WorkerSpec> ReadSpec() {
  uint32_t size = 0;
  if (!ReadAll(STDIN_FILENO, &size, sizeof size) || size > kSpecBytesMax) {
    return InvalidArgument("worker mode is for TaskManagers: standard input holds no worker specification");
  }
  std::string bytes(size, '\0');
  proto::WorkerSpec spec;
  if (!ReadAll(STDIN_FILENO, bytes.data(), size) || !spec.ParseFromString(bytes)) {
    return InvalidArgument("the worker specification on standard input was cut or is of another version");
  }
  return spec;
}

// The pipe's end means that the host is gone: nobody would watch this process any more (protocols.md D5).
void ExitWithHost() {
  std::thread([] {
    SetThreadName("host watch");
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    _exit(worker::kExitHostGone);
  }).detach();
}

}  // namespace

int RunWorkerProcess(const JobDefinition& job) {
  absl::StatusOr<proto::WorkerSpec> spec = ReadSpec();
  if (!spec.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(spec.status()).c_str());
    return worker::kExitBadSpec;
  }
  ExitWithHost();
  taskmanager::GrpcTransport transport(spec->jobmanager_address(), "");
  worker::WorkerControl control(*std::move(spec), {}, transport, Clock::System());
  const int exit_code = control.Run(MakeExecutorFactory(job));
  if (exit_code == worker::kExitTasksStuck) _exit(exit_code);  // its tasks' threads still run
  return exit_code;
}

}  // namespace penstock::program
