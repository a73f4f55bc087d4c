// The server programs as their operators meet them: what they print, what they write, how they end.
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "runtime/core/clock.h"
#include "taskmanager/host/process_fixture.h"

namespace penstock::testing {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// The file appears whole or not at all, so there is nothing else to wait for.
std::string AwaitFile(const std::string& path, const Process& writer) {
  const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
  while (!std::filesystem::exists(path)) {
    if (Clock::System().MonotonicMs() > deadline_ms || kill(writer.pid(), 0) != 0) return "";
    sched_yield();
  }
  return ReadFile(path);
}

std::string PortOf(const std::string& ports, const std::string& key) {
  const size_t at = ports.find(key + "=");
  if (at == std::string::npos) return "";
  const std::string address = ports.substr(at, ports.find('\n', at) - at);
  return address.substr(address.rfind(':') + 1);
}

struct JobManagerRun {
  explicit JobManagerRun(const TemporaryDirectory& directory, std::vector<std::string> extra = {}) {
    const std::string path = directory.path();
    std::vector<std::string> arguments{"-Djobmanager.rpc.port=0",
                                       "-Drest.port=0",
                                       "-Dmetrics.port=0",
                                       "-Dio.ports-file=" + path + "/ports",
                                       "-Dweb.upload.dir=" + path + "/programs",
                                       "-Drest.local-token-file=" + path + "/rest-token"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    output = path + "/jobmanager.out";
    process = std::make_unique<Process>(JOBMANAGER_PROGRAM, arguments, output);
  }
  std::unique_ptr<Process> process;
  std::string output;
};

TEST_CASE("A JobManager says where it listens and ends with 0 on SIGTERM", "[process]") {
  TemporaryDirectory directory;
  JobManagerRun run(directory);
  const std::string ports = AwaitFile(directory.path() + "/ports", *run.process);
  REQUIRE_FALSE(PortOf(ports, "rpc").empty());
  CHECK(ReadFile(run.output).find("127.0.0.1:" + PortOf(ports, "rpc")) != std::string::npos);
  run.process->Signal(SIGTERM);
  const int status = run.process->AwaitEnd();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("A taken port and a wrong key are one clear line each, and an exit code", "[process]") {
  TemporaryDirectory directory;
  JobManagerRun first(directory);
  const std::string ports = AwaitFile(directory.path() + "/ports", *first.process);
  REQUIRE_FALSE(ports.empty());

  TemporaryDirectory other;
  JobManagerRun second(other, {"-Djobmanager.rpc.port=" + PortOf(ports, "rpc")});
  CHECK(WEXITSTATUS(second.process->AwaitEnd()) == 1);
  CHECK(ReadFile(second.output).find("cannot listen on 127.0.0.1:" + PortOf(ports, "rpc")) != std::string::npos);

  JobManagerRun third(other, {"-Djobmanager.rpc.prot=1"});
  CHECK(WEXITSTATUS(third.process->AwaitEnd()) == 2);
  CHECK(ReadFile(third.output).find("jobmanager.rpc.port") != std::string::npos);

  JobManagerRun fourth(other, {"--nonsense"});
  CHECK(WEXITSTATUS(fourth.process->AwaitEnd()) == 2);
}

TEST_CASE("A TaskManager ends with 0 on SIGTERM, whether or not it found a JobManager", "[process]") {
  TemporaryDirectory directory;
  const std::vector<std::string> arguments{"-Djobmanager.rpc.port=1", "-Dtaskmanager.tmp.dir=" + directory.path(),
                                           "-Dmetrics.port=0", "-Dio.ports-file=" + directory.path() + "/ports"};
  Process process(TASKMANAGER_PROGRAM, arguments, directory.path() + "/out");
  REQUIRE_FALSE(AwaitFile(directory.path() + "/ports", process).empty());
  process.Signal(SIGTERM);
  const int status = process.AwaitEnd();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace penstock::testing
