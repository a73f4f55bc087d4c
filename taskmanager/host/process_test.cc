// The control plane with real processes: TaskManagers and workers run, crash, and are killed.
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

#include "runtime/core/bundle.h"
#include "runtime/core/status.h"
#include "taskmanager/host/process_fixture.h"
#include "taskmanager/rpc/grpc_transport.h"

namespace penstock::testing {
namespace {

using jobmanager::JobState;

// Where the loader found a library of this process.
std::string PathOfLoadedLibrary(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    const size_t at = line.find('/');
    if (at != std::string::npos && line.find(name.substr(0, name.find(".so"))) != std::string::npos) {
      return line.substr(at);
    }
  }
  return "";
}

// What the one job's failure says.
struct Outcome {
  std::string message;
  std::string stack;
};

Outcome RunToFailure(ProcessCluster& cluster, const std::string& mode, const std::string& digest, int parallelism = 1) {
  const std::string id = cluster.Submit(mode, parallelism, {mode}, digest);
  REQUIRE(cluster.AwaitState(id, JobState::kFailed));
  const auto job = cluster.Job(id);
  REQUIRE_FALSE(job->failures.empty());
  return {job->failures[0].failure.message(), job->failures[0].failure.stack()};
}

TEST_CASE("A job runs across two TaskManager processes to FINISHED", "[process]") {
  ProcessCluster cluster;
  const auto a = cluster.StartTaskManager("a", 2);
  const auto b = cluster.StartTaskManager("b", 2);
  const std::string id = cluster.Submit("job", 4, {"finish"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  REQUIRE(cluster.AwaitState(id, JobState::kFinished));
  CHECK(cluster.Job(id)->vertices[0].subtasks[0].taskmanager_id !=
        cluster.Job(id)->vertices[0].subtasks[1].taskmanager_id);
  CHECK(cluster.AwaitCluster([](const auto& snapshot) {
    return snapshot.taskmanagers.size() == 2 && snapshot.taskmanagers[0].free_slots == 2 &&
           snapshot.taskmanagers[1].free_slots == 2;
  }));
}

TEST_CASE("The ways in which a worker dies are told apart, and the host lives on", "[process]") {
  ProcessCluster cluster;
  const auto host = cluster.StartTaskManager("a", 2);
  const std::string digest = cluster.AddProgram(FAKE_JOB_PROGRAM);
  const std::string other = cluster.Submit("undisturbed", 1, {"run"}, digest);
  REQUIRE(cluster.AwaitState(other, JobState::kRunning));

  const Outcome exited = RunToFailure(cluster, "exit", digest);
  CHECK(exited.message.find("exit code 7: the author's last words") != std::string::npos);

  const Outcome crashed = RunToFailure(cluster, "segv", digest);
  CHECK(crashed.message.find("signal 11 (SIGSEGV)") != std::string::npos);
  INFO(crashed.stack);
  CHECK(crashed.stack.find("SIGSEGV at address 0x0") == 0);
  CHECK(crashed.stack.find("CrashInUserCode") != std::string::npos);
  CHECK(crashed.stack.find("fake_job.cc:") != std::string::npos);

  const Outcome null_call = RunToFailure(cluster, "null-call", digest);
  INFO(null_call.stack);
  CHECK(null_call.stack.find("CrashInUserCode") != std::string::npos);

  const Outcome aborted = RunToFailure(cluster, "abort", digest);
  CHECK(aborted.message.find("SIGABRT") != std::string::npos);
  INFO(aborted.stack);
  CHECK(aborted.stack.find("CrashInUserCode") != std::string::npos);

  const Outcome killed = RunToFailure(cluster, "kill", digest);
  CHECK(killed.message.find("signal 9 (SIGKILL)") != std::string::npos);
  CHECK(killed.message.find("no stack") != std::string::npos);

  CHECK(cluster.Job(other)->state == JobState::kRunning);
  CHECK(cluster.Job(other)->attempt == 1);
  CHECK(cluster.Job(other)->failures.empty());
}

TEST_CASE("A program that cannot be started is refused with the reason", "[process]") {
  ProcessCluster cluster;
  const auto host = cluster.StartTaskManager("a", 2);
  const std::string text_path = cluster.path() + "/text";
  std::ofstream(text_path) << "no program at all\n";
  CHECK(RunToFailure(cluster, "text", cluster.AddProgram(text_path)).message.find("no ELF program") !=
        std::string::npos);

  std::string bytes;
  {
    std::ifstream in(FAKE_JOB_PROGRAM, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  bytes[18] = static_cast<char>(183);  // e_machine: aarch64
  const std::string foreign_path = cluster.path() + "/foreign";
  std::ofstream(foreign_path, std::ios::binary) << bytes;
  CHECK(RunToFailure(cluster, "foreign", cluster.AddProgram(foreign_path)).message.find("another machine (aarch64)") !=
        std::string::npos);

  // A library that no host has: the name of one it needs is changed in the file.
  bytes[18] = 62;
  const size_t name = bytes.find("libprotobuf.so");
  REQUIRE(name != std::string::npos);
  bytes.replace(name, 14, "libnowhere1.so");
  const std::string lacking_path = cluster.path() + "/lacking";
  std::ofstream(lacking_path, std::ios::binary) << bytes;
  const Outcome lacking = RunToFailure(cluster, "lacking", cluster.AddProgram(lacking_path));
  CHECK(lacking.message.find("libnowhere1.so") != std::string::npos);

  // What lies under a digest is something else.
  const Outcome wrong = RunToFailure(cluster, "wrong", cluster.AddProgram(FAKE_JOB_PROGRAM, std::string(64, 'a')));
  CHECK(wrong.message.find("arrived with sha256") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(cluster.path() + "/a/programs/" + std::string(64, 'a')));
}

TEST_CASE("A bundle is unpacked and its libraries are found before the host's", "[process]") {
  ProcessCluster cluster;
  const auto host = cluster.StartTaskManager("a", 1);
  // The program needs a library that no host has, and brings it: the system's own under another name.
  std::string bytes;
  {
    std::ifstream in(FAKE_JOB_PROGRAM, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const size_t name = bytes.find("libprotobuf.so");
  REQUIRE(name != std::string::npos);
  const std::string needed = bytes.substr(name, bytes.find('\0', name) - name);
  bytes.replace(name, 14, "libbrought1.so");
  const std::string brought = bytes.substr(name, needed.size());
  const std::string program_path = cluster.path() + "/program";
  std::ofstream(program_path, std::ios::binary) << bytes;
  const std::string library_path = PathOfLoadedLibrary(needed);
  REQUIRE_FALSE(library_path.empty());
  const std::string bundle_path = cluster.path() + "/job.tar.zst";
  const absl::Status written =
      WriteBundle(bundle_path, {{.name = kBundleProgram, .source = program_path, .executable = true},
                                {.name = "lib/" + brought, .source = library_path}});
  INFO(written.ToString());
  REQUIRE(written.ok());
  const std::string id = cluster.Submit("bundled", 1, {"finish"}, cluster.AddProgram(bundle_path), true);
  REQUIRE(cluster.AwaitJob(id, [](const auto& job) { return IsTerminal(job.state); }));
  CHECK(cluster.Job(id)->state == JobState::kFinished);
}

TEST_CASE("A host that asks for the rest of a program gets the rest", "[process]") {
  ProcessCluster cluster;
  const std::string path = cluster.path() + "/numbers";
  std::ofstream(path) << "0123456789";
  const std::string digest = cluster.AddProgram(path);
  taskmanager::GrpcTransport transport(cluster.address(), "");
  std::string got;
  int64_t total_bytes = 0;
  const auto take = [&](std::string_view data, int64_t total) {
    got += data;
    total_bytes = total;
    return absl::OkStatus();
  };
  CHECK(transport.FetchProgram(digest, 6, take).ok());
  CHECK(got == "6789");
  CHECK(total_bytes == 10);
  CHECK(transport.FetchProgram(digest, 11, take).code() == absl::StatusCode::kOutOfRange);
  CHECK(transport.FetchProgram(std::string(64, 'b'), 0, take).code() == absl::StatusCode::kNotFound);
}

TEST_CASE("A dead worker is the cause, though its peers complain first", "[process]") {
  ProcessCluster cluster;
  const auto a = cluster.StartTaskManager("a", 1);
  const auto b = cluster.StartTaskManager("b", 1);
  const std::string id = cluster.Submit("job", 2, {"peer-segv"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  REQUIRE(cluster.AwaitState(id, JobState::kFailed));
  const auto job = cluster.Job(id);
  REQUIRE(job->failures.size() >= 2);
  CHECK(job->failures[0].failure.message().find("SIGSEGV") != std::string::npos);
  CHECK(job->failures[1].failure.message() == "connection lost");
}

TEST_CASE("A TaskManager that gets SIGTERM ends its workers and exits 0", "[process]") {
  jobmanager::JobOptions options;
  options.restart = {.type = "fixed-delay", .fixed_delay_attempts = 3, .fixed_delay_ms = 1};
  ProcessCluster cluster(options);
  const auto a = cluster.StartTaskManager("a", 1);
  const std::string id = cluster.Submit("job", 1, {"run"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  REQUIRE(cluster.AwaitState(id, JobState::kRunning));
  a->Signal(SIGTERM);
  const int status = a->AwaitEnd();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(cluster.AwaitCluster([](const auto& snapshot) { return snapshot.taskmanagers.empty(); }));
  // The job goes on when another host comes.
  const auto b = cluster.StartTaskManager("b", 1);
  CHECK(cluster.AwaitJob(id, [](const auto& job) { return job.attempt > 1 && job.state == JobState::kRunning; }));
}

TEST_CASE("Workers die with a host that is killed, and the job fails over", "[process]") {
  jobmanager::JobOptions options;
  options.restart = {.type = "fixed-delay", .fixed_delay_attempts = 3, .fixed_delay_ms = 1};
  ProcessCluster cluster(options);
  const auto a = cluster.StartTaskManager("a", 1);
  const std::string id = cluster.Submit("job", 1, {"run"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  REQUIRE(cluster.AwaitState(id, JobState::kRunning));
  const auto b = cluster.StartTaskManager("b", 1);
  a->Signal(SIGKILL);
  a->AwaitEnd();
  CHECK(cluster.AwaitJob(id, [](const auto& job) {
    return job.attempt == 2 && job.state == JobState::kRunning && job.vertices[0].subtasks[0].taskmanager_id == "b";
  }));
  CHECK(cluster.AwaitCluster([](const auto& snapshot) { return snapshot.taskmanagers.size() == 1; }));
}

TEST_CASE("A TaskManager finds a restarted JobManager, which has its unknown workers killed", "[process]") {
  ProcessCluster cluster;
  const auto host = cluster.StartTaskManager("a", 1);
  const std::string digest = cluster.AddProgram(FAKE_JOB_PROGRAM);
  const std::string id = cluster.Submit("job", 1, {"run"}, digest);
  REQUIRE(cluster.AwaitState(id, JobState::kRunning));
  const std::string work_dir = fmt::format("{}/a/workers/{}-1", cluster.path(), id);
  REQUIRE(std::filesystem::exists(work_dir));
  cluster.RestartJobManager();
  REQUIRE(cluster.AwaitCluster([](const auto& snapshot) { return snapshot.taskmanagers.size() == 1; }));
  // Its slot serves another job, and the old worker's directory goes with it.
  const std::string next = cluster.Submit("next", 1, {"finish"}, digest);
  CHECK(cluster.AwaitState(next, JobState::kFinished));
  CHECK(cluster.AwaitCluster([&](const auto&) { return !std::filesystem::exists(work_dir); }));
}

TEST_CASE("A task that ignores cancellation costs its own worker only", "[process]") {
  jobmanager::JobOptions options;
  options.cancellation_timeout_ms = 200;
  options.worker_config["task.cancellation.timeout"] = "200 ms";
  ProcessCluster cluster(options);
  const auto host = cluster.StartTaskManager("a", 2);
  const std::string digest = cluster.AddProgram(FAKE_JOB_PROGRAM);
  const std::string other = cluster.Submit("other", 1, {"run"}, digest);
  const std::string id = cluster.Submit("stuck", 1, {"hang"}, digest);
  REQUIRE(cluster.AwaitState(id, JobState::kRunning));
  REQUIRE(cluster.AwaitState(other, JobState::kRunning));
  CHECK(cluster.commands().Cancel(id).ok());
  CHECK(cluster.AwaitState(id, JobState::kCanceled));
  CHECK(cluster.Job(other)->state == JobState::kRunning);
}

TEST_CASE("A worker's output is read through the JobManager, other files are not", "[process]") {
  ProcessCluster cluster;
  const auto host = cluster.StartTaskManager("a", 1);
  const std::string id = cluster.Submit("exit", 1, {"exit"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  REQUIRE(cluster.AwaitState(id, JobState::kFailed));
  const auto read = [&](const std::string& taskmanager, const proto::ReadLog& request) {
    std::promise<absl::StatusOr<proto::LogChunk>> answer;
    cluster.commands().ReadTaskManagerLog(taskmanager, request, [&](auto result) { answer.set_value(result); });
    return answer.get_future().get();
  };
  proto::ReadLog request;
  request.set_name(id + "-1.err");
  const auto chunk = read("a", request);
  REQUIRE(chunk.ok());
  CHECK(chunk->data().find("the author's last words") != std::string::npos);
  request.set_name("../a.out");
  CHECK(read("a", request).status().code() == absl::StatusCode::kNotFound);
  request.set_list(true);
  CHECK(read("a", request)->files_size() == 2);
  CHECK(read("nobody", request).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("A TaskManager without the cluster's token is not let in", "[process]") {
  ProcessCluster cluster({}, "sesame");
  const std::string token_path = cluster.path() + "/token";
  std::ofstream(token_path) << "sesame\n";
  const auto stranger = cluster.StartTaskManager("stranger", 1);
  const auto friendly = cluster.StartTaskManager("friend", 1, {"-Dcluster.token-file=" + token_path});
  REQUIRE(cluster.AwaitCluster([](const auto& snapshot) { return !snapshot.taskmanagers.empty(); }));
  const std::string id = cluster.Submit("job", 1, {"finish"}, cluster.AddProgram(FAKE_JOB_PROGRAM));
  CHECK(cluster.AwaitState(id, JobState::kFinished));  // fetching its program took the token too
  const std::string log_path = cluster.path() + "/stranger.out";
  CHECK(cluster.AwaitCluster([&](const auto& snapshot) {
    std::ifstream in(log_path);
    const std::string log((std::istreambuf_iterator<char>(in)), {});
    return snapshot.taskmanagers.size() == 1 && log.find("cluster token is missing or wrong") != std::string::npos;
  }));
}

}  // namespace
}  // namespace penstock::testing
