#include "taskmanager/worker/testing/fake_executor.h"

#include <chrono>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::worker {
namespace {

std::string ModeOf(const proto::WorkerSpec& spec) { return spec.arguments_size() == 0 ? "finish" : spec.arguments(0); }

}  // namespace

FakeExecutor::FakeExecutor(proto::WorkerSpec spec, TaskEvents& events, CrashFunction crash)
    : spec_(std::move(spec)), events_(events), crash_(std::move(crash)) {}

FakeExecutor::~FakeExecutor() {
  {
    MutexLock lock(&mutex_);
    canceled_ = released_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string FakeExecutor::GraphHash() const { return ModeOf(spec_) == "bad-hash" ? "dead" : "feed"; }
std::string FakeExecutor::DataAddress() const { return "127.0.0.1:1"; }

absl::Status FakeExecutor::Deploy(const proto::DeployTasks& deploy) {
  if (ModeOf(spec_) == "no-deploy") return ResourceExhausted("no buffers for these tasks");
  const auto& subtasks = deploy.placements(deploy.own_index()).subtasks();
  refs_.assign(subtasks.begin(), subtasks.end());
  for (size_t i = 0; i < refs_.size(); ++i) threads_.emplace_back([this, i] { RunTask(refs_[i], i == 0); });
  return absl::OkStatus();
}

void FakeExecutor::Report(const proto::SubtaskRef& ref, proto::TaskState state, const std::string& message) {
  proto::TaskStateReport report;
  report.set_vertex_id(ref.vertex_id());
  report.set_subtask(ref.subtask());
  report.set_state(state);
  if (state == proto::FAILED) {
    report.mutable_failure()->set_message(message);
    report.mutable_failure()->set_domain(message == "connection lost" ? proto::Failure::EXTERNAL
                                                                      : proto::Failure::USER);
    if (message == "connection lost") report.mutable_failure()->set_exception_type("PeerLost");
    report.mutable_failure()->set_retryable(ModeOf(spec_) != "fail-final");
    report.mutable_failure()->set_operator_name("fake");
  }
  events_.OnTaskState(report);
}

void FakeExecutor::RunTask(const proto::SubtaskRef& ref, bool first) {
  const std::string mode = ModeOf(spec_);
  Report(ref, proto::INITIALIZING);
  Report(ref, proto::RUNNING);
  const bool fails = mode == "fail" || mode == "fail-final" || (mode == "fail-once" && spec_.attempt() == 1);
  if (fails) {
    Report(ref, proto::FAILED, "boom in user code");
  } else if (mode == "finish" || mode == "fail-once") {
    Report(ref, proto::FINISHED);
  } else if (mode == "peer-segv" && ref.subtask() != 0) {
    Report(ref, proto::FAILED, "connection lost");
  } else {
    const bool known = mode == "run" || mode == "hang";
    if (!known && first && crash_) crash_(mode);
    MutexLock lock(&mutex_);
    while (!(mode == "hang" ? released_ : canceled_)) changed_.Wait(&mutex_);
    Report(ref, proto::CANCELED);
  }
  MutexLock lock(&mutex_);
  ++ended_;
  changed_.NotifyAll();
}

void FakeExecutor::Cancel() {
  MutexLock lock(&mutex_);
  canceled_ = true;
  changed_.NotifyAll();
}

bool FakeExecutor::AwaitEnd(int64_t timeout_ms) {
  MutexLock lock(&mutex_);
  const int64_t deadline_ms = Clock::System().MonotonicMs() + timeout_ms;
  while (ended_ < threads_.size()) {
    const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
    if (left_ms <= 0) return false;
    changed_.WaitFor(&mutex_, std::chrono::milliseconds(left_ms));
  }
  return true;
}

void FakeExecutor::CollectMetrics(proto::WorkerMetrics* metrics) {
  for (const proto::SubtaskRef& ref : refs_) {
    proto::TaskMetrics* task = metrics->add_tasks();
    task->set_vertex_id(ref.vertex_id());
    task->set_subtask(ref.subtask());
    task->set_records_in(7);
  }
}

void FakeExecutor::TriggerCheckpoint(const proto::TriggerCheckpoint& trigger) {
  proto::CheckpointAck ack;
  *ack.mutable_checkpoint() = trigger.checkpoint();
  for (const proto::SubtaskRef& ref : refs_) {
    proto::SubtaskSnapshot* subtask = ack.add_subtasks();
    subtask->set_vertex_id(ref.vertex_id());
    subtask->set_subtask(ref.subtask());
  }
  events_.OnCheckpointAck(std::move(ack));
}

ExecutorFactory MakeFakeFactory(CrashFunction crash) {
  return [crash](const proto::WorkerSpec& spec, TaskEvents& events) -> absl::StatusOr<std::unique_ptr<TaskExecutor>> {
    if (ModeOf(spec) == "no-executor") return InvalidArgument("the job needs --brokers");
    return std::make_unique<FakeExecutor>(spec, events, crash);
  };
}

proto::JobGraph FakeGraph(const std::string& name, int32_t parallelism) {
  proto::JobGraph graph;
  graph.set_graph_version(kGraphVersion);
  graph.set_control_version(kControlVersion);
  graph.set_machine(std::string(kMachine));
  graph.set_engine_version(std::string(kEngineVersion));
  graph.set_name(name);
  graph.set_uid(name);
  graph.set_parallelism(parallelism);
  graph.set_key_groups(720);
  graph.set_hash("feed");
  for (int i = 1; i <= 2; ++i) {
    proto::Vertex* vertex = graph.add_vertices();
    vertex->set_id(fmt::format("{:032x}", i));
    vertex->set_name(i == 1 ? "Source" : "Sink");
    vertex->set_parallelism(parallelism);
  }
  proto::Edge* edge = graph.add_edges();
  edge->set_id("e");
  edge->set_from(graph.vertices(0).id());
  edge->set_to(graph.vertices(1).id());
  edge->set_partitioning("hash");
  return graph;
}

}  // namespace penstock::worker
