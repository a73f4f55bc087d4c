#include "taskmanager/worker/worker_control.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "taskmanager/worker/exit_codes.h"

namespace penstock::worker {
namespace {

proto::TaskStateReport Ended(int subtask) {
  proto::TaskStateReport report;
  report.set_vertex_id("v");
  report.set_subtask(subtask);
  report.set_state(proto::FINISHED);
  return report;
}

// Two tasks: the first ends when it is deployed, the second while the figures of the first are read.
class RacingExecutor final : public TaskExecutor {
 public:
  explicit RacingExecutor(TaskEvents& events) : events_(events) {}

  std::string GraphHash() const override { return "hash"; }
  std::string DataAddress() const override { return "127.0.0.1:1"; }
  absl::Status Deploy(const proto::DeployTasks&) override {
    records_[0] = 10;
    events_.OnTaskState(Ended(0));
    return absl::OkStatus();
  }
  void Cancel() override {}
  bool AwaitEnd(int64_t) override { return true; }
  void CollectMetrics(proto::WorkerMetrics* metrics) override {
    for (int subtask = 0; subtask < 2; ++subtask) {
      proto::TaskMetrics& task = *metrics->add_tasks();
      task.set_vertex_id("v");
      task.set_subtask(subtask);
      task.set_records_in(records_[subtask]);
    }
    if (records_[0] == 0 || records_[1] != 0) return;
    records_[1] = 20;
    events_.OnTaskState(Ended(1));
  }
  void StartSources() override {}
  void TriggerCheckpoint(const proto::TriggerCheckpoint&) override {}
  void OnDecided(const proto::CheckpointDecided&) override {}
  void OnAborted(const proto::CheckpointAborted&) override {}

 private:
  TaskEvents& events_;
  int64_t records_[2] = {0, 0};
};

// Stands for the JobManager: welcomes, deploys, and sends the worker home when both tasks have ended.
class ScriptedJobManager final : public taskmanager::ControlTransport {
 public:
  std::unique_ptr<taskmanager::HostStream> ConnectHost(taskmanager::HostListener&) override { return nullptr; }
  std::unique_ptr<taskmanager::WorkerStream> ConnectWorker(taskmanager::WorkerListener& listener) override {
    return std::make_unique<Stream>(*this, listener);
  }

  int64_t last_records_in[2] = {0, 0};
  std::vector<int64_t> records_in_at_end;

 private:
  class Stream final : public taskmanager::WorkerStream {
   public:
    Stream(ScriptedJobManager& owner, taskmanager::WorkerListener& listener) : owner_(owner), listener_(listener) {}
    bool Send(const proto::WorkerToJobManager& message) override {
      if (message.has_hello()) {
        proto::JobManagerToWorker welcome = Message();
        welcome.mutable_welcome()->set_heartbeat_interval_ms(1'000'000);
        listener_.OnMessage(welcome);
        proto::JobManagerToWorker deploy = Message();
        deploy.mutable_deploy();
        listener_.OnMessage(deploy);
      }
      for (const proto::TaskMetrics& task : message.heartbeat().metrics().tasks()) {
        owner_.last_records_in[task.subtask()] = task.records_in();
      }
      if (!message.has_task_state()) return true;
      owner_.records_in_at_end.push_back(owner_.last_records_in[message.task_state().subtask()]);
      if (owner_.records_in_at_end.size() == 2) {
        proto::JobManagerToWorker leave = Message();
        leave.mutable_shut_down();
        listener_.OnMessage(leave);
      }
      return true;
    }
    void Close() override {}

   private:
    static proto::JobManagerToWorker Message() {
      proto::JobManagerToWorker message;
      message.set_job_id("job");
      message.set_attempt(1);
      return message;
    }
    ScriptedJobManager& owner_;
    taskmanager::WorkerListener& listener_;
  };
};

TEST_CASE("a task's last figures go before the report of its end, also when it ends while they are read") {
  proto::WorkerSpec spec;
  spec.set_job_id("job");
  spec.set_attempt(1);
  ScriptedJobManager job_manager;
  WorkerControl control(spec, WorkerControlOptions{}, job_manager, Clock::System());
  const int code = control.Run([](const proto::WorkerSpec&, TaskEvents& events) {
    return absl::StatusOr<std::unique_ptr<TaskExecutor>>(std::make_unique<RacingExecutor>(events));
  });
  CHECK(code == kExitDone);
  CHECK(job_manager.records_in_at_end == std::vector<int64_t>{10, 20});
}

// Says what the test wants to every worker that connects.
class SayingJobManager final : public taskmanager::ControlTransport {
 public:
  explicit SayingJobManager(std::vector<proto::JobManagerToWorker> says) : says_(std::move(says)) {}
  std::unique_ptr<taskmanager::HostStream> ConnectHost(taskmanager::HostListener&) override { return nullptr; }
  std::unique_ptr<taskmanager::WorkerStream> ConnectWorker(taskmanager::WorkerListener& listener) override {
    for (const proto::JobManagerToWorker& message : says_) listener.OnMessage(message);
    return std::make_unique<DeafStream>();
  }

 private:
  struct DeafStream final : taskmanager::WorkerStream {
    bool Send(const proto::WorkerToJobManager&) override { return true; }
    void Close() override {}
  };
  const std::vector<proto::JobManagerToWorker> says_;
};

proto::JobManagerToWorker Said(uint64_t epoch) {
  proto::JobManagerToWorker message;
  message.set_job_id("job");
  message.set_attempt(1);
  message.set_leader_epoch(epoch);
  return message;
}

TEST_CASE("a worker refuses what leaders say that another has replaced") {
  proto::WorkerSpec spec;
  spec.set_job_id("job");
  spec.set_attempt(1);
  spec.set_leader_epoch(4);
  const auto run = [&](std::vector<proto::JobManagerToWorker> says, int64_t& refused) {
    SayingJobManager job_manager(std::move(says));
    WorkerControl control(spec, WorkerControlOptions{}, job_manager, Clock::System());
    const int code = control.Run([](const proto::WorkerSpec&, TaskEvents& events) {
      return absl::StatusOr<std::unique_ptr<TaskExecutor>>(std::make_unique<RacingExecutor>(events));
    });
    refused = control.refused_messages();
    return code;
  };
  int64_t refused = 0;
  proto::JobManagerToWorker welcome = Said(5);
  welcome.mutable_welcome();
  proto::JobManagerToWorker older = Said(4);
  older.mutable_welcome()->set_refusal("you are not mine");
  proto::JobManagerToWorker leave = Said(5);
  leave.mutable_shut_down();
  CHECK(run({welcome, older, older, leave}, refused) == kExitDone);
  CHECK(refused == 2);
  proto::JobManagerToWorker older_than_its_own = Said(3);
  older_than_its_own.mutable_cancel();
  CHECK(run({older_than_its_own, leave}, refused) == kExitDone);
  CHECK(refused == 1);
  proto::JobManagerToWorker standby = Said(0);
  standby.mutable_welcome()->set_refusal("this JobManager stands by");
  CHECK(run({standby}, refused) == kExitRefused);
  CHECK(refused == 0);
}

}  // namespace
}  // namespace penstock::worker
