// The life of a job, stepped: no thread, no process, and time moves only when told.
#include "jobmanager/job/job.h"

#include <catch2/catch.hpp>
#include <csignal>

#include "runtime/core/lease.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {
namespace {

constexpr uint64_t kEpoch = 7;

struct RecordingGateway final : WorkerGateway {
  void Send(const proto::JobManagerToWorker& message) override { sent.push_back(message); }
  void Close() override { closed = true; }
  // How many messages of a kind came.
  int Count(proto::JobManagerToWorker::KindCase kind) const {
    int count = 0;
    for (const auto& message : sent) count += message.kind_case() == kind ? 1 : 0;
    return count;
  }
  std::vector<proto::JobManagerToWorker> sent;
  bool closed = false;
};

struct RecordingEffects final : JobEffects {
  void RequestSlots(int32_t slots) override { requested.push_back(slots); }
  void ReleaseSlots() override { ++released; }
  void StartWorker(const std::string& id, proto::StartWorker start) override { started.emplace_back(id, start); }
  void KillWorker(const std::string& id, proto::KillWorker kill) override { killed.emplace_back(id, kill); }
  void DecideCheckpoint(uint64_t id, std::string name, std::string) override { decisions.emplace_back(id, name); }
  void DeleteObjects(std::vector<std::string> names) override { deleted = std::move(names); }
  void RecordCommits(uint64_t request, std::string, std::string) override { recorded.push_back(request); }
  void CopySavepoint(uint64_t, RestorePoint, std::string) override {}
  void ReadCheckpoints() override { ++reads; }
  void DecisionLost() override {}
  void RecordEnd() override { ++ends; }
  void Changed(bool) override {}
  std::vector<uint64_t> recorded;
  int reads = 0;
  int ends = 0;
  std::vector<std::pair<uint64_t, std::string>> decisions;
  std::vector<std::string> deleted;
  std::vector<int32_t> requested;
  int released = 0;
  std::vector<std::pair<std::string, proto::StartWorker>> started;
  std::vector<std::pair<std::string, proto::KillWorker>> killed;
};

// A job of two vertices of parallelism 2 on hosts "a" and "b", and verbs for what happens to it.
struct Scenario {
  explicit Scenario(RestartOptions restart = {}, const std::string& storage = "", bool unfenced = false,
                    uint32_t attempts_before = 0, bool exactly_once = false) {
    JobSubmission submission;
    submission.graph = Graph(2, unfenced);
    if (exactly_once) submission.graph.mutable_vertices(1)->mutable_operators(0)->set_delivery("exactly_once");
    JobOptions options{.leader_epoch = kEpoch, .attempts_before = attempts_before};
    options.checkpoints.storage = storage;
    options.checkpoints.interval_ms = 10'000;
    job = std::make_unique<Job>("j", submission, options, *MakeRestartStrategy(restart), CheckpointStart{}, clock,
                                effects);
    job->Start();
  }
  static proto::JobGraph Graph(int parallelism, bool unfenced = false) {
    proto::JobGraph graph;
    graph.set_name("job");
    graph.set_uid("job");
    graph.set_hash("feed");
    graph.set_parallelism(parallelism);
    for (const char* id : {"v1", "v2"}) {
      proto::Vertex* vertex = graph.add_vertices();
      vertex->set_id(id);
      vertex->set_name(id);
      vertex->set_parallelism(parallelism);
      vertex->add_operators()->set_unfenced(unfenced);
    }
    return graph;
  }

  void Grant() {
    SlotGrant grant;
    grant.shares = {{"a", {0}}, {"b", {1}}};
    grant.hosts = {{"a", {}}, {"b", {}}};
    job->OnSlotsGranted(grant);
  }
  std::string Token() const { return effects.started.back().second.spec().token(); }
  std::shared_ptr<RecordingGateway> Hello(const std::string& host, const std::string& hash = "feed",
                                          std::string token = "", uint32_t attempt = 0, int version = kControlVersion) {
    auto gateway = std::make_shared<RecordingGateway>();
    proto::WorkerToJobManager message;
    message.set_attempt(job->attempt());
    proto::WorkerHello& hello = *message.mutable_hello();
    hello.set_control_version(version);
    hello.set_attempt(attempt == 0 ? job->attempt() : attempt);
    hello.set_token(token.empty() ? Token() : token);
    hello.set_taskmanager_id(host);
    hello.set_data_address(host + ":1");
    hello.set_graph_hash(hash);
    job->OnWorkerMessage(gateway, message);
    gateways[host] = gateway;
    return gateway;
  }
  void Task(const std::string& host, const std::string& vertex, int subtask, proto::TaskState state,
            uint32_t attempt = 0) {
    proto::WorkerToJobManager message;
    message.set_attempt(attempt == 0 ? job->attempt() : attempt);
    proto::TaskStateReport& report = *message.mutable_task_state();
    report.set_attempt(message.attempt());
    report.set_vertex_id(vertex);
    report.set_subtask(subtask);
    report.set_state(state);
    report.mutable_failure()->set_retryable(true);
    job->OnWorkerMessage(gateways.at(host), message);
  }
  // The first task of "a" cannot read its state; the workers leave.
  void CannotRestore() {
    proto::WorkerToJobManager message;
    message.set_attempt(job->attempt());
    proto::TaskStateReport& report = *message.mutable_task_state();
    report.set_attempt(job->attempt());
    report.set_vertex_id("v1");
    report.set_state(proto::FAILED);
    report.mutable_failure()->set_retryable(true);
    report.mutable_failure()->set_message("base-1: byte 7 differs");
    report.mutable_failure()->set_checkpoint_damaged(true);
    job->OnWorkerMessage(gateways.at("a"), message);
    Exit("a", 0);
    Exit("b", 0);
  }
  // The first task of "a" says that it has lost the connection to another worker.
  void PeerLost() {
    proto::WorkerToJobManager message;
    message.set_attempt(job->attempt());
    proto::TaskStateReport& report = *message.mutable_task_state();
    report.set_attempt(job->attempt());
    report.set_vertex_id("v1");
    report.set_state(proto::FAILED);
    report.mutable_failure()->set_domain(proto::Failure::EXTERNAL);
    report.mutable_failure()->set_exception_type(kPeerLost);
    job->OnWorkerMessage(gateways.at("a"), message);
    REQUIRE(job->state() == JobState::kFailing);
  }
  void AllTasks(proto::TaskState state) {
    for (const char* vertex : {"v1", "v2"}) {
      Task("a", vertex, 0, state);
      Task("b", vertex, 1, state);
    }
  }
  void Exit(const std::string& host, int exit_code, int signal = 0, uint32_t attempt = 0) {
    proto::WorkerExited report;
    report.set_attempt(attempt == 0 ? job->attempt() : attempt);
    report.set_exit_code(exit_code);
    report.set_signal(signal);
    job->OnWorkerExited(host, report);
  }
  void Run(JobState state = JobState::kRunning) {
    Grant();
    Hello("a");
    Hello("b");
    AllTasks(proto::RUNNING);
    REQUIRE(job->state() == state);
  }
  // The checkpoint that was triggered last: all tasks hand in, and storage takes it.
  void CompleteCheckpoint() {
    proto::WorkerToJobManager message;
    message.set_attempt(job->attempt());
    for (const auto& sent : gateways.at("a")->sent) {
      if (sent.has_trigger_checkpoint()) {
        *message.mutable_checkpoint_ack()->mutable_checkpoint() = sent.trigger_checkpoint().checkpoint();
      }
    }
    for (const char* vertex : {"v1", "v2"}) {
      for (int i = 0; i < 2; ++i) {
        proto::SubtaskSnapshot& subtask = *message.mutable_checkpoint_ack()->add_subtasks();
        subtask.set_vertex_id(vertex);
        subtask.set_subtask(i);
      }
    }
    job->OnWorkerMessage(gateways.at("a"), message);
    AnswerStorage();
  }
  void Beat(const std::string& host) {
    proto::WorkerToJobManager beat;
    beat.set_attempt(job->attempt());
    beat.mutable_heartbeat();
    job->OnWorkerMessage(gateways.at(host), beat);
  }
  void AnswerStorage() { job->OnCheckpointDecided(effects.decisions.back().first, true); }
  void Advance(int64_t ms) {
    clock.AdvanceMs(ms);
    job->Tick();
  }
  std::string RootMessage() const { return job->Snapshot()->failures.at(0).failure.message(); }

  ManualClock clock{1'000};
  RecordingEffects effects;
  std::unique_ptr<Job> job;
  std::map<std::string, std::shared_ptr<RecordingGateway>> gateways;
};

using Kind = proto::JobManagerToWorker;

TEST_CASE("Tasks are deployed once all workers have said hello", "[job]") {
  Scenario s;
  CHECK(s.effects.requested == std::vector<int32_t>{2});
  s.Grant();
  REQUIRE(s.effects.started.size() == 2);
  CHECK(s.effects.started[0].second.spec().slots() == 1);
  const auto a = s.Hello("a");
  CHECK(a->Count(Kind::kWelcome) == 1);
  CHECK(a->Count(Kind::kDeploy) == 0);
  const auto b = s.Hello("b");
  REQUIRE(a->Count(Kind::kDeploy) == 1);
  REQUIRE(b->Count(Kind::kDeploy) == 1);
  const proto::DeployTasks& deploy = b->sent.back().deploy();
  CHECK(deploy.own_index() == 1);
  REQUIRE(deploy.placements_size() == 2);
  CHECK(deploy.placements(0).data_address() == "a:1");
  CHECK(deploy.placements(1).subtasks_size() == 2);
  CHECK(deploy.placements(1).subtasks(0).subtask() == 1);
}

TEST_CASE("A finished job shuts its workers down and is drained when they are gone", "[job]") {
  Scenario s;
  s.Run();
  s.AllTasks(proto::FINISHED);
  CHECK(s.job->state() == JobState::kFinished);
  CHECK(s.gateways["a"]->Count(Kind::kShutDown) == 1);
  CHECK_FALSE(s.job->Drained());
  CHECK(s.effects.released == 0);
  s.Exit("a", 0);
  s.Exit("b", 139, SIGSEGV);      // crashes on its way out: the job has finished all the same
  CHECK_FALSE(s.job->Drained());  // its end is not durable yet
  CHECK(s.effects.ends == 1);
  s.job->OnEndRecorded();
  CHECK(s.job->Drained());
  CHECK(s.effects.released == 1);
  CHECK(s.job->Snapshot()->failures.empty());
}

TEST_CASE("A hello that does not belong is refused and changes nothing", "[job]") {
  Scenario s;
  s.Grant();
  for (const auto& gateway : {s.Hello("a", "feed", "wrong"), s.Hello("a", "feed", "", 7), s.Hello("c")}) {
    CHECK_FALSE(gateway->sent.at(0).welcome().refusal().empty());
    CHECK(gateway->closed);
  }
  CHECK(s.job->state() == JobState::kCreated);
  CHECK(s.job->stale_messages() >= 2);
  CHECK(s.Hello("a")->sent.at(0).welcome().refusal().empty());
}

TEST_CASE("Another control version fails the job for good, with both named", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 9});
  s.Grant();
  s.Hello("a", "feed", "", 0, 77);
  CHECK(s.job->state() == JobState::kFailing);
  CHECK(s.RootMessage().find("77") != std::string::npos);
}

TEST_CASE("Messages of an older attempt are dropped and counted", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 1, .fixed_delay_ms = 10});
  s.Run();
  const auto old_gateway = s.gateways["a"];
  s.Task("a", "v1", 0, proto::FAILED);
  CHECK(s.job->state() == JobState::kRestarting);
  s.Exit("a", 0);
  s.Exit("b", 0);
  s.Advance(10);
  REQUIRE(s.job->attempt() == 2);
  s.Run();
  const int64_t before = s.job->stale_messages();
  s.Exit("a", -1, SIGSEGV, 1);
  s.Task("a", "v1", 0, proto::FAILED, 1);
  s.gateways["a"] = old_gateway;
  s.Task("a", "v1", 0, proto::FAILED, 2);  // the right number over a connection of the old attempt
  CHECK(s.job->stale_messages() == before + 3);
  CHECK(s.job->state() == JobState::kRunning);
}

TEST_CASE("A worker that comes back after a broken connection gets what it may have missed", "[job]") {
  Scenario s;
  s.Run();
  s.job->OnWorkerClosed(s.gateways["a"]);
  CHECK(s.job->state() == JobState::kRunning);
  CHECK(s.Hello("a")->Count(Kind::kDeploy) == 1);
  s.job->Cancel();
  CHECK(s.gateways["a"]->Count(Kind::kCancel) == 1);
  s.job->OnWorkerClosed(s.gateways["a"]);
  CHECK(s.Hello("a")->Count(Kind::kCancel) == 1);
}

TEST_CASE("A silent worker is killed and the job fails", "[job]") {
  Scenario s;
  s.Run();
  s.Advance(4'000);
  proto::WorkerToJobManager beat;
  beat.set_attempt(1);
  beat.mutable_heartbeat();
  s.job->OnWorkerMessage(s.gateways["b"], beat);
  s.Advance(1'001);
  CHECK(s.job->state() == JobState::kFailing);
  REQUIRE(s.effects.killed.size() == 1);
  CHECK(s.effects.killed[0].first == "a");
  CHECK(s.effects.killed[0].second.force());
  CHECK(s.RootMessage() == "no heartbeat from the worker on a for 5000 ms");
}

TEST_CASE("The dead worker's own report becomes the cause, though the silence was seen first", "[job]") {
  Scenario s;
  s.Run();
  s.Advance(5'001);
  s.Exit("a", -1, SIGSEGV);
  CHECK(s.RootMessage().find("SIGSEGV") != std::string::npos);
}

TEST_CASE("Workers that do not leave are killed after the deadline, and given up after another", "[job]") {
  Scenario s;
  s.Run();
  s.job->Cancel();
  CHECK(s.effects.killed.empty());
  s.Advance(10'000 + kEndSlackMs);
  CHECK(s.effects.killed.size() == 2);
  CHECK(s.job->state() == JobState::kCancelling);
  s.Advance(kEndSlackMs);
  CHECK(s.job->state() == JobState::kCanceled);
  s.job->OnEndRecorded();
  CHECK(s.job->Drained());
  CHECK(s.effects.released == 1);
}

TEST_CASE("Slots that come after a cancel are given back", "[job]") {
  Scenario s;
  s.job->Cancel();
  CHECK(s.job->state() == JobState::kCanceled);
  const int released = s.effects.released;
  s.Grant();
  CHECK(s.effects.started.empty());
  CHECK(s.effects.released == released + 1);
}

TEST_CASE("A cancel while the job waits for its restart ends it at once", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 1, .fixed_delay_ms = 1'000});
  s.Run();
  s.Exit("a", 3);
  s.Exit("b", -1, SIGKILL);
  CHECK(s.job->state() == JobState::kRestarting);
  s.job->Cancel();
  CHECK(s.job->state() == JobState::kCanceled);
  s.Advance(2'000);
  CHECK(s.job->attempt() == 1);
}

TEST_CASE("A lost host ends the attempt without waiting for its worker", "[job]") {
  Scenario s;
  s.Run();
  s.job->OnHostLost("b", "no heartbeat for 5000 ms");
  CHECK(s.job->state() == JobState::kFailing);
  s.Task("a", "v1", 0, proto::CANCELED);
  CHECK(s.gateways["a"]->Count(Kind::kShutDown) == 0);
  s.Task("a", "v2", 0, proto::CANCELED);
  CHECK(s.gateways["a"]->Count(Kind::kShutDown) == 1);
  s.Exit("a", 0);
  CHECK(s.job->state() == JobState::kFailed);
  CHECK(s.RootMessage() == "TaskManager b is lost: no heartbeat for 5000 ms");
}

TEST_CASE("What ended a worker from outside is the cause, though its peers complain first", "[job]") {
  Scenario s;
  s.Run();
  s.PeerLost();
  s.Exit("b", -1, SIGKILL);
  CHECK(s.RootMessage().find("signal 9 (SIGKILL)") != std::string::npos);

  Scenario left;
  left.Run();
  left.PeerLost();
  proto::WorkerExited report;
  report.set_attempt(left.job->attempt());
  report.set_exit_code(-1);
  report.set_signal(SIGTERM);
  report.set_host_leaves(true);
  left.job->OnWorkerExited("b", report);
  CHECK(left.RootMessage() == "TaskManager b is lost: it was shut down");
}

TEST_CASE("A worker that exits by itself while its tasks run is a failure, even with code 0", "[job]") {
  Scenario s;
  s.Run();
  s.Exit("a", 0);
  CHECK(s.job->state() == JobState::kFailing);
  CHECK(s.RootMessage() == "worker process ended with exit code 0");
}

TEST_CASE("A worker that never says hello is given up", "[job]") {
  Scenario s;
  s.Grant();
  s.Hello("a");
  proto::WorkerToJobManager beat;
  beat.set_attempt(1);
  beat.mutable_heartbeat();
  for (int seconds = 0; seconds < 120; seconds += 4) {
    CHECK(s.job->state() == JobState::kCreated);
    s.Advance(4'000);
    s.job->OnWorkerMessage(s.gateways["a"], beat);
  }
  s.Advance(1);
  CHECK(s.job->state() == JobState::kFailing);
  CHECK(s.RootMessage() == "no hello from the worker on b for 120000 ms");
}

TEST_CASE("A rescale ends the attempt with a checkpoint and begins the next with the new graph", "[job]") {
  Scenario s({}, "s");  // no restart strategy: it is no failure
  s.Run();
  s.CompleteCheckpoint();
  REQUIRE(s.job->Rescale(Scenario::Graph(1)).ok());
  CHECK_FALSE(s.job->Rescale(Scenario::Graph(4)).ok());
  s.CompleteCheckpoint();
  s.AllTasks(proto::FINISHED);
  CHECK(s.job->state() == JobState::kRestarting);
  s.Exit("a", 0);
  s.Exit("b", 0);
  s.Advance(50);
  CHECK(s.job->state() == JobState::kCreated);
  CHECK(s.job->attempt() == 2);
  CHECK(s.effects.requested == std::vector<int32_t>{2, 1});
  CHECK(s.job->Snapshot()->parallelism == 1);
  CHECK(s.job->Snapshot()->vertices[0].subtasks.size() == 1);
  CHECK(s.job->Snapshot()->checkpoints->restored->id == 1);
  CHECK(s.job->Snapshot()->failures.empty());
}

TEST_CASE("A rescale whose checkpoint comes to nothing is given up, and a later stop is a stop", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 5, .fixed_delay_ms = 1}, "s");
  s.Run();
  s.CompleteCheckpoint();
  const auto number = s.job->Rescale(Scenario::Graph(1));
  REQUIRE(number.ok());
  s.Exit("b", -1, SIGKILL);
  s.AnswerStorage();  // the tombstone
  s.Task("a", "v1", 0, proto::CANCELED);
  s.Task("a", "v2", 0, proto::CANCELED);
  s.Exit("a", 0);
  s.Advance(1);
  s.Advance(50);
  REQUIRE(s.job->attempt() == 2);
  CHECK(s.effects.requested == std::vector<int32_t>{2, 2});
  CHECK(s.job->Snapshot()->checkpoints->requests.front().outcome == CheckpointOutcome::kAborted);
  s.Run();
  REQUIRE(s.job->RequestCheckpoint({.ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  s.CompleteCheckpoint();
  s.AllTasks(proto::FINISHED);
  CHECK(s.job->state() == JobState::kFinished);
}

TEST_CASE("A stop that is decided though a worker died meanwhile ends the job", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 5, .fixed_delay_ms = 1}, "s");
  s.Run();
  s.CompleteCheckpoint();
  REQUIRE(
      s.job->RequestCheckpoint({.kind = proto::Manifest::SAVEPOINT, .ending = proto::TriggerCheckpoint::SUSPEND}).ok());
  s.CompleteCheckpoint();
  s.Exit("b", -1, SIGKILL);
  s.Task("a", "v1", 0, proto::CANCELED);
  s.Task("a", "v2", 0, proto::CANCELED);
  s.Exit("a", 0);
  s.Advance(1);
  s.Advance(50);
  REQUIRE(s.job->attempt() == 2);
  CHECK(s.effects.recorded.empty());
  // Its sinks commit what the savepoint covers, and that is all there is to do.
  s.Run(JobState::kFinished);
  CHECK(s.effects.recorded.size() == 1);
  for (const auto& sent : s.gateways.at("a")->sent) CHECK_FALSE(sent.has_start_sources());
  CHECK_FALSE(s.job->Drained());
  s.job->OnCommitsRecorded(s.effects.recorded.front());
  CHECK(s.job->Snapshot()->checkpoints->requests.front().outcome == CheckpointOutcome::kCompleted);
}

TEST_CASE("A rescale that is decided though a worker died meanwhile takes place with the restart", "[job]") {
  Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 5, .fixed_delay_ms = 1}, "s");
  s.Run();
  s.CompleteCheckpoint();
  REQUIRE(s.job->Rescale(Scenario::Graph(1)).ok());
  const size_t decisions = s.effects.decisions.size();
  s.CompleteCheckpoint();
  REQUIRE(s.effects.decisions.size() == decisions + 1);
  s.Exit("b", -1, SIGKILL);
  s.Task("a", "v1", 0, proto::CANCELED);
  s.Task("a", "v2", 0, proto::CANCELED);
  s.Exit("a", 0);
  s.Advance(1);
  s.Advance(50);
  CHECK(s.job->attempt() == 2);
  CHECK(s.job->Snapshot()->parallelism == 1);
}

TEST_CASE("With a sink that cannot fence, the next attempt waits out the lease of lost workers", "[job]") {
  for (const bool unfenced : {false, true}) {
    INFO("unfenced " << unfenced);
    Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 5, .fixed_delay_ms = 100}, "", unfenced);
    s.Run();
    s.job->OnHostLost("b", "no heartbeat for 5000 ms");
    s.Exit("a", 0);
    REQUIRE(s.job->state() == JobState::kRestarting);
    s.Advance(WorkerLeaseMs(5'000) - 1);
    CHECK(s.job->attempt() == (unfenced ? 1 : 2));
    s.Advance(1);
    CHECK(s.job->attempt() == 2);
  }
}

TEST_CASE("A job that was taken over numbers its attempts after those of its JobManager before", "[job]") {
  Scenario s({}, "", true, 100'000);
  CHECK(s.job->attempt() == 100'000);
  CHECK(s.effects.requested.empty());  // the workers of before may still write
  s.Advance(WorkerLeaseMs(5'000));
  CHECK(s.job->attempt() == 100'001);
  CHECK(s.effects.requested.size() == 1);
}

TEST_CASE("Every message carries the leader's epoch", "[job]") {
  Scenario s;
  s.Run();
  s.job->Cancel();
  for (const auto& message : s.gateways["a"]->sent) CHECK(message.leader_epoch() == kEpoch);
  CHECK(s.effects.started.back().second.spec().leader_epoch() == kEpoch);
}

TEST_CASE("With an exactly-once sink, a damaged checkpoint ends the job and says what can be done", "[job]") {
  for (const bool exactly_once : {false, true}) {
    INFO("exactly once " << exactly_once);
    Scenario s({.type = "fixed-delay", .fixed_delay_attempts = 9, .fixed_delay_ms = 50}, "storage", false, 0,
               exactly_once);
    s.Run();
    s.CompleteCheckpoint();
    for (int seconds = 0; seconds < 12; seconds += 4) {
      s.Advance(4'000);
      s.Beat("a");
      s.Beat("b");
    }
    s.CompleteCheckpoint();
    s.Exit("a", 0, SIGKILL);
    s.Exit("b", 0);
    for (const uint32_t attempt : {2, 3}) {
      REQUIRE(s.job->state() == JobState::kRestarting);
      s.Advance(50);
      REQUIRE(s.job->attempt() == attempt);
      s.Grant();
      s.Hello("a");
      s.Hello("b");
      s.CannotRestore();
    }
    if (exactly_once) {
      REQUIRE(s.job->state() == JobState::kFailed);
      CHECK_THAT(s.RootMessage(), Catch::Contains("checkpoint 1 cannot be read: base-1: byte 7 differs") &&
                                      Catch::Contains("--allow-duplicates"));
    } else {
      REQUIRE(s.job->state() == JobState::kRestarting);
      s.Advance(50);
      s.Run();
      CHECK(s.job->Snapshot()->checkpoints->restored->id == 0);
    }
  }
}

}  // namespace
}  // namespace penstock::jobmanager
