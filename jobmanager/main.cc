// penstock-jobmanager: the JobManager process.
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include "absl/synchronization/mutex.h"
#include "jobmanager/server.h"
#include "runtime/core/log.h"
#include "runtime/core/process_main.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "penstock-jobmanager: %s\n", MessageOf(status).c_str());
  return code;
}

// At once, without a drain: whatever this process still did, it would do beside another leader.
void ExitDeposed(const absl::Status& why) {
  PENSTOCK_LOG(error, "this JobManager does not lead any more: {}", MessageOf(why));
  _exit(kExitLeadershipLost);
}

int Run(int argc, char** argv) {
  BlockTerminationSignals();
  const auto config = ConfigFromCommandLine(argc, argv, "penstock-jobmanager");
  if (absl::IsCancelled(config.status())) return kExitOk;
  if (!config.ok()) return Fail(config.status(), kExitUsage);
  log::Init("jobmanager", log::ParseLevel(config->GetString("log.level")));
  const auto server = JobManagerServer::Start(*config, Clock::System(), ExitDeposed);
  if (!server.ok()) {
    return Fail(server.status(), absl::IsInvalidArgument(server.status()) ? kExitUsage : kExitStartFailed);
  }
  const std::map<std::string, std::string> ports = (*server)->ports();
  std::printf("penstock-jobmanager: rpc at %s, rest at http://%s, metrics at %s\n", ports.at("rpc").c_str(),
              ports.at("rest").c_str(), ports.at("metrics").c_str());
  std::fflush(stdout);
  if (const std::string path = config->GetString("io.ports-file"); !path.empty()) {
    const absl::Status written = WritePortsFile(path, ports);
    if (!written.ok()) return Fail(written, kExitStartFailed);
  }
  AwaitTerminationSignal();
  PENSTOCK_LOG(info, "shutting down");
  (*server)->Stop();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::jobmanager

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return penstock::jobmanager::Run(argc, argv);
}
