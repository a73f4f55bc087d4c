#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "runtime/core/mutex.h"
#include "runtime/core/status.h"
#include "taskmanager/host/exit_report.h"
#include "taskmanager/host/host_agent.h"
#include "taskmanager/host/log_directory.h"
#include "taskmanager/host/program_cache.h"

namespace penstock::taskmanager {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    std::string name = "/tmp/penstock-test-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string path;
};

// sha256 of kBody.
constexpr std::string_view kBody = "0123456789";
constexpr const char* kDigest = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";

TEST_CASE("A broken download goes on where it stopped", "[host]") {
  Directory directory;
  std::vector<int64_t> offsets;
  ProgramCache cache(directory.path, [&](const std::string&, int64_t offset, const auto& sink) -> absl::Status {
    offsets.push_back(offset);
    const std::string_view rest = kBody.substr(static_cast<size_t>(offset));
    PENSTOCK_RETURN_IF_ERROR(sink(rest.substr(0, 4), kBody.size()));
    if (rest.size() <= 4) return absl::OkStatus();
    return Unavailable("the connection broke");
  });
  const auto path = cache.Get(kDigest, false);
  REQUIRE(path.ok());
  CHECK(offsets == std::vector<int64_t>{0, 4, 8});
  CHECK((fs::status(*path).permissions() & fs::perms::owner_exec) != fs::perms::none);
  CHECK(cache.Get(kDigest, false).ok());  // from the directory
  CHECK(offsets.size() == 3);
}

TEST_CASE("A program with another digest is refused and thrown away", "[host]") {
  Directory directory;
  int calls = 0;
  ProgramCache cache(directory.path, [&](const std::string&, int64_t offset, const auto& sink) -> absl::Status {
    ++calls;
    CHECK(offset == 0);
    return sink("something else", 14);
  });
  CHECK(cache.Get(kDigest, false).status().code() == absl::StatusCode::kDataLoss);
  CHECK(cache.Get(kDigest, false).status().code() == absl::StatusCode::kDataLoss);
  CHECK(calls == 2);
  CHECK(fs::is_empty(directory.path));
  CHECK_FALSE(cache.Get("../../etc/passwd", false).ok());
}

TEST_CASE("A fetch that brings nothing gives up after kFetchTriesMax", "[host]") {
  Directory directory;
  int calls = 0;
  ProgramCache cache(directory.path, [&](const std::string&, int64_t, const auto&) -> absl::Status {
    ++calls;
    return Unavailable("nobody there");
  });
  cache.Stop();
  CHECK(cache.Get(kDigest, false).status().code() == absl::StatusCode::kCancelled);  // stopped: no waiting
  CHECK(calls == 1);
  ProgramCache missing(directory.path, [&](const std::string&, int64_t, const auto&) -> absl::Status {
    ++calls;
    return NotFound("no such program");
  });
  CHECK(missing.Get(kDigest, false).status().code() == absl::StatusCode::kNotFound);
  CHECK(calls == 2);
}

TEST_CASE("Only listed log files are read, within their size", "[host]") {
  Directory directory;
  std::ofstream(directory.path + "/job-1.err") << "one\ntwo\nthree\n";
  std::ofstream(directory.path + "/../outside-of-logs") << "secret";
  fs::create_symlink("/etc/passwd", directory.path + "/link");
  proto::ReadLog request;
  request.set_request_id(9);
  request.set_name("job-1.err");
  request.set_offset(4);
  request.set_max_bytes(3);
  proto::LogChunk chunk = ReadLogDirectory(directory.path, request);
  CHECK(chunk.request_id() == 9);
  CHECK(chunk.data() == "two");
  request.set_offset(-6);
  request.set_max_bytes(0);
  CHECK(ReadLogDirectory(directory.path, request).data() == "three\n");
  request.set_offset(1'000);
  CHECK(ReadLogDirectory(directory.path, request).data().empty());
  for (const char* name : {"../outside-of-logs", "link", "/etc/passwd", "", "absent"}) {
    request.set_name(name);
    CHECK_FALSE(ReadLogDirectory(directory.path, request).error().empty());
  }
  request.set_list(true);
  chunk = ReadLogDirectory(directory.path, request);
  REQUIRE(chunk.files_size() == 1);
  CHECK(chunk.files(0).size_bytes() == 14);
  fs::remove(directory.path + "/../outside-of-logs");
}

TEST_CASE("The tail of a file begins with a whole line", "[host]") {
  Directory directory;
  const std::string path = directory.path + "/log";
  std::ofstream(path) << "first line\nsecond line\n";
  CHECK(TailOfFile(path, 15) == "second line\n");
  CHECK(TailOfFile(path, 1'000) == "first line\nsecond line\n");
  CHECK(TailOfFile(directory.path + "/absent", 10).empty());
}

TEST_CASE("A missing library is a failed start that names it", "[host]") {
  Directory directory;
  const std::string path = directory.path + "/err";
  std::ofstream(path) << "./job: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No "
                         "such file or directory\n";
  const auto never = [](const std::string&) -> std::string {
    FAIL("nothing crashed");
    return "";
  };
  const auto report = DescribeExit("j", 3, {.exit_code = 127}, path, directory.path + "/crash", never);
  CHECK(report.start_failed());
  CHECK(report.stderr_tail().find("libfoo.so.1") != std::string::npos);
  CHECK(report.attempt() == 3);
  // The same words and another exit code are the program's own.
  CHECK_FALSE(DescribeExit("j", 3, {.exit_code = 1}, path, directory.path + "/crash", never).start_failed());
}

TEST_CASE("A signal without a crash file has no stack", "[host]") {
  Directory directory;
  const auto symbolize = [](const std::string& crash_path) { return "from " + crash_path; };
  const std::string crash = directory.path + "/crash";
  CHECK(DescribeExit("j", 1, {.signal = 9}, "", crash, symbolize).stack().empty());
  std::ofstream(crash) << "signal 11 1 0\n";
  const auto report = DescribeExit("j", 1, {.signal = 11}, "", crash, symbolize);
  CHECK(report.stack() == "from " + crash);
  CHECK(report.task_name().empty());
  std::ofstream(crash) << "signal 11 1 0\nframe 1 1 ?\ntask numbers -> look up (2/4)\noperator look up\n";
  const auto placed = DescribeExit("j", 1, {.signal = 11}, "", crash, symbolize);
  CHECK(placed.task_name() == "numbers -> look up (2/4)");
  CHECK(placed.operator_name() == "look up");
  CHECK(report.signal() == 11);
  CHECK(report.exit_code() == -1);
}

// A JobManager that takes every connection and keeps the last, for the test to speak on.
class HeldTransport final : public ControlTransport {
 public:
  std::unique_ptr<HostStream> ConnectHost(HostListener& listener) override {
    MutexLock lock(&mutex_);
    listener_ = &listener;
    ++connections_;
    changed_.NotifyAll();
    return std::make_unique<DeafStream>();
  }
  std::unique_ptr<WorkerStream> ConnectWorker(WorkerListener&) override { return nullptr; }
  void Prefer(const std::string& address) override {
    MutexLock lock(&mutex_);
    preferred_ = address;
  }

  void Say(const proto::JobManagerToHost& message) {
    HostListener* listener = nullptr;
    {
      MutexLock lock(&mutex_);
      listener = listener_;
    }
    listener->OnMessage(message);
  }
  bool AwaitConnections(int count) {
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
    MutexLock lock(&mutex_);
    while (connections_ < count && Clock::System().MonotonicMs() < deadline_ms) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(100));
    }
    return connections_ >= count;
  }
  std::string preferred() {
    MutexLock lock(&mutex_);
    return preferred_;
  }

 private:
  struct DeafStream final : HostStream {
    bool Send(const proto::HostToJobManager&) override { return true; }
    void Close() override {}
  };
  Mutex mutex_;
  CondVar changed_;
  HostListener* listener_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string preferred_ ABSL_GUARDED_BY(mutex_);
};

TEST_CASE("A host starts nothing for a leader that another has replaced, and goes to the one it is sent to", "[host]") {
  HeldTransport transport;
  std::atomic<int> started = 0;
  HostAgent agent({},
                  {.start_worker = [&](proto::StartWorker) { ++started; },
                   .kill_worker = [](const proto::KillWorker&) {},
                   .forget_job = [](const std::string&) {},
                   .running = [] { return std::vector<proto::RunningWorker>(); }},
                  transport, Clock::System());
  agent.Start();
  REQUIRE(transport.AwaitConnections(1));
  proto::JobManagerToHost message;
  message.set_leader_epoch(5);
  message.mutable_welcome();
  transport.Say(message);
  message.mutable_start_worker();
  transport.Say(message);
  message.set_leader_epoch(4);
  transport.Say(message);
  REQUIRE(transport.AwaitConnections(2));  // it has left the old one
  CHECK(started == 1);
  CHECK(agent.refused_messages() == 1);
  message.Clear();
  message.mutable_welcome()->set_refusal("this JobManager stands by");
  message.mutable_welcome()->set_leader_address("leader:1");
  transport.Say(message);
  REQUIRE(transport.AwaitConnections(3));
  CHECK(transport.preferred() == "leader:1");
  agent.Stop();
}

}  // namespace
}  // namespace penstock::taskmanager
