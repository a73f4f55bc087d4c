// The control part of a worker: its connection to the JobManager, and what the JobManager asks of its tasks.
//
// Owner: the thread that calls Run(); it alone calls the executor. Stop() may come from any thread. Errors end Run()
// with an exit code of exit_codes.h. Limits: a worker that no JobManager has welcomed for its lease
// (runtime/core/lease.h) ends, because after it a new attempt may write; reconnects back off to kReconnectMaxMs. What a
// leader says that another has replaced is refused and counted (protocols.md B2).
#ifndef PENSTOCK_TASKMANAGER_WORKER_WORKER_CONTROL_H_
#define PENSTOCK_TASKMANAGER_WORKER_WORKER_CONTROL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proto/control.pb.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "taskmanager/rpc/control_stream.h"
#include "taskmanager/worker/task_executor.h"

namespace penstock::worker {

// Builds the job's graph and the engine for one attempt. The events outlive the executor.
using ExecutorFactory =
    std::function<absl::StatusOr<std::unique_ptr<TaskExecutor>>(const proto::WorkerSpec&, TaskEvents&)>;

inline constexpr int64_t kReconnectMinMs = 50;
inline constexpr int64_t kReconnectMaxMs = 1'000;
inline constexpr size_t kOutboxMax = 64;

struct WorkerControlOptions {
  int64_t cancellation_timeout_ms = 10'000;  // task.cancellation.timeout
  std::string metrics_address;
  // The process ends right after Run: taking gigabytes of state apart, which nobody needs any more, would hold up the
  // next attempt. The executor is leaked.
  bool leave_executor = false;
};

class WorkerControl final : private TaskEvents, private taskmanager::WorkerListener {
 public:
  // transport and clock outlive this.
  WorkerControl(proto::WorkerSpec spec, WorkerControlOptions options, taskmanager::ControlTransport& transport,
                const Clock& clock);
  ~WorkerControl() override;

  // Blocks until the worker is to leave; returns its exit code. With kExitTasksStuck the executor is leaked, because
  // its tasks still run: a process must then _exit.
  int Run(const ExecutorFactory& factory);
  // Run() cancels the tasks and returns without the JobManager's word.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Messages of leaders that another has replaced. Any thread.
  int64_t refused_messages() const { return refused_messages_; }

 private:
  // TaskEvents; any thread.
  void OnTaskState(const proto::TaskStateReport& report) override;
  void OnCheckpointAck(proto::CheckpointAck ack) override;
  void OnCheckpointDeclined(proto::CheckpointDeclined declined) override;
  void OnDecisionAcked(proto::DecisionAcked acked) override;
  void OnOutcomeAsked(proto::OutcomeAsked asked) override;
  // WorkerListener; threads of the transport.
  void OnMessage(proto::JobManagerToWorker message) override;
  void OnClosed(const absl::Status& why) override;

  // Run()'s thread.
  void Loop();
  void WaitForWork(int64_t until_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  void Handle(const proto::JobManagerToWorker& message);
  void OnWelcome(const proto::WorkerWelcome& welcome);
  bool IsOfOlderLeader(const proto::JobManagerToWorker& message);
  void Connect();
  void SendHello();
  void FlushReports() ABSL_LOCKS_EXCLUDED(mutex_);
  void PostToJobManager(proto::WorkerToJobManager message) ABSL_LOCKS_EXCLUDED(mutex_);
  void FlushOutbox() ABSL_LOCKS_EXCLUDED(mutex_);
  void Deploy(const proto::DeployTasks& deploy);
  void BeginCancel();
  void CheckCancel(int64_t now_ms);
  void CheckConnection(int64_t now_ms);
  void Heartbeat(int64_t now_ms);
  void SendMetrics();
  // `reports` = how many there were when it looked.
  bool HasUnsentEnd(size_t& reports) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReportStartFailure(const absl::Status& status);
  void ReportFailure(const absl::Status& status, proto::Failure::Domain domain, bool retryable);
  int Leave();
  std::string StuckTasks() ABSL_LOCKS_EXCLUDED(mutex_);
  proto::WorkerToJobManager Message() const;
  void Finish(int exit_code) {
    if (!exit_code_) exit_code_ = exit_code;
  }

  // Constant after construction.
  const proto::WorkerSpec spec_;
  const WorkerControlOptions options_;
  taskmanager::ControlTransport& transport_;
  const Clock& clock_;

  // Run()'s thread only.
  std::unique_ptr<TaskExecutor> executor_;
  std::unique_ptr<taskmanager::WorkerStream> stream_;
  std::optional<int> exit_code_;
  std::optional<proto::Failure> failure_;  // of the worker as a whole; sent after each welcome
  bool failure_unsent_ = false;
  bool welcomed_ = false;
  bool deployed_ = false;
  std::optional<int64_t> cancel_deadline_ms_;
  int64_t heard_ms_ = 0;
  int64_t next_heartbeat_ms_ = 0;
  int64_t next_connect_ms_ = 0;
  int64_t reconnect_ms_ = kReconnectMinMs;
  int64_t heartbeat_interval_ms_ = 1'000;
  int64_t heartbeat_timeout_ms_ = 5'000;
  uint64_t leader_epoch_;  // the largest that was heard

  std::atomic<int64_t> refused_messages_ = 0;

  Mutex mutex_;
  CondVar wake_;
  std::deque<proto::JobManagerToWorker> inbox_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::string closed_why_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  // The history of each task's states is short (at most six); after a reconnect all of it is sent again.
  std::deque<proto::TaskStateReport> reports_ ABSL_GUARDED_BY(mutex_);
  size_t reports_sent_ ABSL_GUARDED_BY(mutex_) = 0;
  // What is said once: about checkpoints. The oldest goes first when it is full, for that checkpoint is long given up.
  std::deque<proto::WorkerToJobManager> outbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_WORKER_CONTROL_H_
