// Workers of one attempt in this process, joined by real gRPC streams, with the test in the JobManager's place.
#ifndef PENSTOCK_TASKMANAGER_WORKER_TESTING_TEST_CLUSTER_H_
#define PENSTOCK_TASKMANAGER_WORKER_TESTING_TEST_CLUSTER_H_

#include <penstock/job.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "taskmanager/worker/job_executor.h"

namespace penstock::worker {

struct TestClusterOptions {
  int parallelism = 1;
  int workers = 1;
  int64_t network_bytes = 8 << 20;
  uint32_t attempt = 1;
  proto::CheckpointPlan checkpoints;
};

class TestCluster : public TaskEvents {
 public:
  TestCluster(const std::function<void(Environment&)>& build, int parallelism, int workers,
              int64_t network_bytes = 8 << 20)
      : TestCluster(
            build,
            {.parallelism = parallelism, .workers = workers, .network_bytes = network_bytes, .checkpoints = {}}) {}

  TestCluster(const std::function<void(Environment&)>& build, const TestClusterOptions& options) {
    proto::DeployTasks deploy;
    *deploy.mutable_checkpoints() = options.checkpoints;
    for (int i = 0; i < options.workers; ++i) {
      Environment env;
      build(env);
      auto compiled = Compile(env.shared_graph(), {.name = "test", .uid = "test", .parallelism = options.parallelism});
      INFO(compiled.status());
      REQUIRE(compiled.ok());
      graph_ = compiled->graph;
      JobExecutorOptions executor{.job = JobId(1, 2), .attempt = AttemptId(options.attempt)};
      executor.network_memory_bytes = options.network_bytes;
      executors_.push_back(
          JobExecutor::Create(*std::move(compiled), executor, *this, Clock::System(), registry_).value());
      proto::WorkerPlacement& placement = *deploy.add_placements();
      placement.set_worker_id("tm-" + std::to_string(i));
      placement.set_data_address(executors_.back()->DataAddress());
      placement.set_index(i);
    }
    for (const proto::Vertex& vertex : graph_.vertices()) {
      for (int subtask = 0; subtask < vertex.parallelism(); ++subtask) {
        proto::SubtaskRef& ref = *deploy.mutable_placements(subtask % options.workers)->add_subtasks();
        ref.set_vertex_id(vertex.id());
        ref.set_subtask(subtask);
      }
    }
    for (int i = 0; i < options.workers; ++i) {
      deploy.set_own_index(i);
      const absl::Status status = executors_[i]->Deploy(deploy);
      INFO(status);
      REQUIRE(status.ok());
    }
  }

  // TaskEvents
  void OnTaskState(const proto::TaskStateReport& report) override {
    MutexLock lock(&mutex_);
    if (report.state() == proto::FAILED) failures_.push_back(report.failure());
    ++counts_[report.state()];
    changed_.NotifyAll();
  }
  void OnCheckpointAck(proto::CheckpointAck ack) override {
    MutexLock lock(&mutex_);
    acks_[ack.checkpoint().id()].push_back(std::move(ack));
    changed_.NotifyAll();
  }
  void OnCheckpointDeclined(proto::CheckpointDeclined) override {}
  void OnDecisionAcked(proto::DecisionAcked acked) override {
    MutexLock lock(&mutex_);
    ++committed_[acked.checkpoint().id()];
    changed_.NotifyAll();
  }
  void OnOutcomeAsked(proto::OutcomeAsked asked) override {
    MutexLock lock(&mutex_);
    ++asked_[asked.checkpoint().id()];
    changed_.NotifyAll();
  }
  // Acknowledgements of the decision of `id`, and questions for its outcome.
  int committed(uint64_t id) {
    MutexLock lock(&mutex_);
    return committed_[id];
  }
  bool AwaitCommitted(uint64_t id, int count) { return AwaitCount(committed_, id, count); }
  bool AwaitAsked(uint64_t id, int count) { return AwaitCount(asked_, id, count); }

  void AwaitEnd() {
    for (auto& executor : executors_) REQUIRE(executor->AwaitEnd(60'000));
  }
  void Cancel() {
    for (auto& executor : executors_) executor->Cancel();
  }
  void StartSources() {
    for (auto& executor : executors_) executor->StartSources();
  }
  void Trigger(uint64_t id, proto::TriggerCheckpoint::Ending ending = proto::TriggerCheckpoint::GOES_ON) {
    proto::TriggerCheckpoint trigger;
    trigger.mutable_checkpoint()->set_id(id);
    trigger.set_trigger_ms(Clock::System().NowMs());
    trigger.set_ending(ending);
    for (auto& executor : executors_) executor->TriggerCheckpoint(trigger);
  }
  void Abort(uint64_t id) {
    proto::CheckpointAborted aborted;
    aborted.mutable_checkpoint()->set_id(id);
    for (auto& executor : executors_) executor->OnAborted(aborted);
  }
  void Decide(uint64_t id) {
    proto::CheckpointDecided decided;
    decided.mutable_checkpoint()->set_id(id);
    for (auto& executor : executors_) executor->OnDecided(decided);
  }
  // What all workers have handed in; nothing when they do not within the time.
  std::optional<proto::Manifest> AwaitCheckpoint(uint64_t id, int64_t timeout_ms = 30'000) {
    MutexLock lock(&mutex_);
    const int64_t deadline_ms = Clock::System().MonotonicMs() + timeout_ms;
    while (acks_[id].size() < executors_.size()) {
      const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
      if (left_ms <= 0 || !failures_.empty()) return std::nullopt;
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(left_ms));
    }
    proto::Manifest manifest;
    manifest.set_version(1);
    manifest.set_checkpoint_id(id);
    *manifest.mutable_graph() = graph_;
    for (const proto::CheckpointAck& ack : acks_[id]) {
      for (const proto::SubtaskSnapshot& subtask : ack.subtasks()) *manifest.add_subtasks() = subtask;
    }
    return manifest;
  }

  int count(proto::TaskState state) {
    MutexLock lock(&mutex_);
    return counts_[state];
  }
  std::vector<proto::Failure> failures() {
    MutexLock lock(&mutex_);
    return failures_;
  }
  proto::WorkerMetrics Metrics(int worker) {
    proto::WorkerMetrics metrics;
    executors_[worker]->CollectMetrics(&metrics);
    return metrics;
  }
  std::string PrometheusText() const { return registry_.PrometheusText(); }
  const proto::JobGraph& graph() const { return graph_; }

 private:
  bool AwaitCount(std::map<uint64_t, int>& counts, uint64_t id, int count) {
    MutexLock lock(&mutex_);
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
    while (counts[id] < count) {
      const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
      if (left_ms <= 0 || !failures_.empty()) return false;
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(left_ms));
    }
    return true;
  }

  MetricRegistry registry_;
  proto::JobGraph graph_;
  Mutex mutex_;
  CondVar changed_;
  std::map<proto::TaskState, int> counts_;
  std::vector<proto::Failure> failures_;
  std::map<uint64_t, std::vector<proto::CheckpointAck>> acks_;
  std::map<uint64_t, int> committed_;
  std::map<uint64_t, int> asked_;
  std::vector<std::unique_ptr<JobExecutor>> executors_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_TESTING_TEST_CLUSTER_H_
