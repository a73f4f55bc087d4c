#include "taskmanager/worker/run_worker.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>

#include "runtime/core/config.h"
#include "runtime/core/crash_handler.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"
#include "runtime/metrics/metrics_server.h"
#include "taskmanager/rpc/grpc_transport.h"
#include "taskmanager/worker/exit_codes.h"

namespace penstock::worker {
namespace {

absl::Status ReadFully(int fd, char* bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd, bytes + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return InvalidArgument("standard input ends after {} of {} bytes", done, size);
    done += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

// The host keeps the pipe open for as long as it lives.
void ExitWithHost() {
  std::thread([] {
    SetThreadName("host-watch");
    char byte = 0;
    ssize_t got = 0;
    do {
      got = read(STDIN_FILENO, &byte, 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    _exit(kExitHostGone);
  }).detach();
}

// Leak checkers want to see everything freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kTakesApart = true;
#else
constexpr bool kTakesApart = false;
#endif

}  // namespace

absl::StatusOr<proto::WorkerSpec> ReadWorkerSpec(int fd) {
  unsigned char head[4];
  PENSTOCK_RETURN_IF_ERROR(ReadFully(fd, reinterpret_cast<char*>(head), sizeof(head)));
  const uint32_t size = head[0] | head[1] << 8 | head[2] << 16 | static_cast<uint32_t>(head[3]) << 24;
  if (size > kSpecBytesMax) return InvalidArgument("a specification of {} bytes is too long", size);
  std::string body(size, '\0');
  PENSTOCK_RETURN_IF_ERROR(ReadFully(fd, body.data(), body.size()));
  proto::WorkerSpec spec;
  if (!spec.ParseFromString(body) || spec.job_id().empty()) {
    return InvalidArgument("standard input holds no worker specification");
  }
  return spec;
}

int RunWorker(const ExecutorFactory& factory, const MetricRegistry& registry) {
  auto spec = ReadWorkerSpec(STDIN_FILENO);
  if (!spec.ok()) {
    std::fprintf(stderr, "%s: the worker mode is started by a TaskManager, not by hand\n",
                 MessageOf(spec.status()).c_str());
    return kExitBadSpec;
  }
  ConfigSources sources;
  for (const auto& [key, value] : spec->config()) sources.overrides.emplace_back(key, value);
  const auto config = Config::Load(sources);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(config.status()).c_str());
    return kExitBadSpec;
  }
  log::Init("worker", log::ParseLevel(config->GetString("log.level")));
  if (!spec->work_dir().empty()) {
    const absl::Status installed = InstallCrashHandler(spec->work_dir() + "/crash");
    if (!installed.ok()) PENSTOCK_LOG(warn, "{}", MessageOf(installed));
  }
  ExitWithHost();
  // On the address that its peers use anyway; the port is the kernel's, because workers come and go.
  MetricsServer metrics(registry, {.address = spec->data_host(), .insecure = config->GetBool("insecure")});
  const absl::Status served = metrics.Start();
  if (!served.ok()) PENSTOCK_LOG(warn, "no /metrics: {}", MessageOf(served));
  taskmanager::GrpcTransport transport(spec->jobmanager_address(), "");
  WorkerControl control(*spec,
                        {.cancellation_timeout_ms = config->GetDurationMs("task.cancellation.timeout"),
                         .metrics_address = served.ok() ? metrics.address() : "",
                         .leave_executor = !kTakesApart},
                        transport, Clock::System());
  const int code = control.Run(factory);
  // Destructors would wait for tasks that do not end, or take apart what they still use. Tasks have closed what they
  // opened.
  if (code == kExitTasksStuck || !kTakesApart) {
    std::fflush(nullptr);
    _exit(code);
  }
  return code;
}

}  // namespace penstock::worker
