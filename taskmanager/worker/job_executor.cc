#include "taskmanager/worker/job_executor.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/listen_address.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::worker {
namespace {

proto::TaskState ToProto(TaskState state) {
  switch (state) {
    case TaskState::kCreated:
      return proto::CREATED;
    case TaskState::kInitializing:
      return proto::INITIALIZING;
    case TaskState::kRunning:
      return proto::RUNNING;
    case TaskState::kFinished:
      return proto::FINISHED;
    case TaskState::kCanceling:
      return proto::CANCELING;
    case TaskState::kCanceled:
      return proto::CANCELED;
    case TaskState::kFailed:
      return proto::FAILED;
  }
  return proto::FAILED;
}

bool IsEnd(TaskState state) {
  return state == TaskState::kFinished || state == TaskState::kCanceled || state == TaskState::kFailed;
}

bool HasKeyedState(const CompiledGraph& graph, const CompiledVertex& vertex) {
  return std::any_of(vertex.nodes.begin(), vertex.nodes.end(),
                     [&](int node) { return graph.logical->nodes[node].has_keyed_state(); });
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

// Where everything runs, and how channels are numbered: by edge, producer and consumer, alike in all workers.
struct JobExecutor::Deployment {
  int own_index = 0;
  std::vector<std::string> addresses;  // by worker index
  std::vector<std::string> worker_ids;
  std::vector<std::vector<int>> worker_of;  // by vertex index and subtask
  std::vector<uint32_t> first_channel;      // by edge

  static absl::StatusOr<Deployment> From(const proto::DeployTasks& deploy, const CompiledGraph& graph) {
    Deployment result;
    result.own_index = deploy.own_index();
    std::map<std::string, int> vertex_index;
    for (size_t i = 0; i < graph.vertices.size(); ++i) {
      vertex_index[graph.vertices[i].id] = static_cast<int>(i);
      result.worker_of.emplace_back(graph.vertices[i].parallelism, -1);
    }
    result.addresses.resize(deploy.placements_size());
    result.worker_ids.resize(deploy.placements_size());
    for (const proto::WorkerPlacement& placement : deploy.placements()) {
      if (placement.index() < 0 || placement.index() >= deploy.placements_size()) {
        return InvalidArgument("worker index {} of a deployment of {} workers", placement.index(),
                               deploy.placements_size());
      }
      result.addresses[placement.index()] = placement.data_address();
      result.worker_ids[placement.index()] = placement.worker_id();
      for (const proto::SubtaskRef& subtask : placement.subtasks()) {
        const auto vertex = vertex_index.find(subtask.vertex_id());
        if (vertex == vertex_index.end() || subtask.subtask() < 0 ||
            subtask.subtask() >= static_cast<int>(result.worker_of[vertex->second].size())) {
          return InvalidArgument("the deployment names subtask {} of vertex {}, which this program's graph lacks",
                                 subtask.subtask(), subtask.vertex_id());
        }
        result.worker_of[vertex->second][subtask.subtask()] = placement.index();
      }
    }
    uint32_t channel = 0;
    for (const CompiledEdge& edge : graph.edges) {
      result.first_channel.push_back(channel);
      channel += static_cast<uint32_t>(graph.vertices[edge.from].parallelism) * graph.vertices[edge.to].parallelism;
    }
    return result;
  }
};

absl::StatusOr<std::unique_ptr<JobExecutor>> JobExecutor::Create(CompiledGraph graph, JobExecutorOptions options,
                                                                 TaskEvents& events, const Clock& clock,
                                                                 MetricRegistry& registry) {
  std::unique_ptr<JobExecutor> executor(new JobExecutor(std::move(graph), std::move(options), events, clock, registry));
  PENSTOCK_RETURN_IF_ERROR(
      CheckListenAddress("the data port", executor->options_.data_host, executor->options_.insecure));
  PENSTOCK_ASSIGN_OR_RETURN(
      executor->endpoint_,
      ExchangeEndpoint::Listen(executor->options_.data_host, executor->options_.job, executor->options_.attempt));
  return executor;
}

JobExecutor::JobExecutor(CompiledGraph graph, JobExecutorOptions options, TaskEvents& events, const Clock& clock,
                         MetricRegistry& registry)
    : graph_(std::move(graph)),
      options_(std::move(options)),
      events_(events),
      clock_(clock),
      registry_(registry),
      buffers_group_(registry.CreateGroup("penstock_worker", {{"job", graph_.graph.name()}})),
      pool_(BufferPool::Create(
          options_.segment_bytes,
          static_cast<int>(std::max<int64_t>(8, options_.network_memory_bytes / options_.segment_bytes)))),
      backends_(options_.state, options_.work_dir, clock_) {
  buffers_group_->SetGauge("network_buffers_total", [this] { return pool_->buffer_count(); });
  buffers_group_->SetGauge("network_buffers_used", [this] { return pool_->used(); });
}

JobExecutor::~JobExecutor() {
  Cancel();
  {
    MutexLock lock(&mutex_);
    while (running_ > 0) ended_.Wait(&mutex_);
  }
  if (endpoint_ != nullptr) endpoint_->Shutdown();  // before the links go
  collector_.reset();                               // what it still uploads speaks to tasks
  MutexLock lock(&mutex_);
  tasks_.clear();
}

absl::Status JobExecutor::Deploy(const proto::DeployTasks& deploy) {
  PENSTOCK_ASSIGN_OR_RETURN(const Deployment deployment, Deployment::From(deploy, graph_));
  MutexLock lock(&mutex_);
  if (cancelled_) return Cancelled("the attempt was cancelled before it was deployed");
  PENSTOCK_RETURN_IF_ERROR(CreateTasks(deployment, deploy.checkpoints()));
  for (size_t edge = 0; edge < graph_.edges.size(); ++edge) {
    if (absl::Status status = ConnectEdge(deployment, static_cast<int>(edge)); !status.ok()) {
      tasks_.clear();  // nothing was started
      return status;
    }
  }
  for (const auto& [worker, link] : links_) {
    endpoint_->Serve(*link, deployment.own_index, worker, deployment.addresses[worker]);
  }
  running_ = static_cast<int>(tasks_.size());
  for (auto task = tasks_.rbegin(); task != tasks_.rend(); ++task) task->second->Start();  // consumers first
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RestoreSource>> JobExecutor::ReadRestore(const proto::CheckpointPlan& plan,
                                                                      std::shared_ptr<Storage> storage,
                                                                      AttemptOrigin& origin) const {
  if (plan.restore_manifest().empty()) return std::nullopt;
  const absl::StatusOr<std::string> read = storage->ReadAll(plan.restore_manifest());
  if (absl::IsNotFound(read.status())) return DataLoss("manifest {} is gone", plan.restore_manifest());
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, read);
  PENSTOCK_ASSIGN_OR_RETURN(const proto::Manifest manifest, DecodeManifest(bytes, plan.restore_manifest()));
  if (manifest.checkpoint_id() != plan.restore_id() || manifest.generation() != plan.restore_generation()) {
    return FailedPrecondition("manifest {} is of checkpoint {} of generation {}, but {} of {} is to be restored",
                              plan.restore_manifest(), manifest.checkpoint_id(), manifest.generation(),
                              plan.restore_id(), plan.restore_generation());
  }
  origin.restored = {.id = manifest.checkpoint_id(),
                     .generation = manifest.generation(),
                     .parent_generation = manifest.parent_generation(),
                     .cluster_id = manifest.cluster_id(),
                     .job_uid = manifest.job_uid(),
                     .committed = plan.restore_committed()};
  PENSTOCK_ASSIGN_OR_RETURN(RestoreSource source,
                            RestoreSource::From(manifest, std::move(storage), options_.copies_dir));
  return std::optional<RestoreSource>(std::move(source));
}

absl::StatusOr<std::vector<std::unique_ptr<ResultPartition>>> JobExecutor::CreatePartitions(
    const CompiledVertex& vertex, int subtask, const std::shared_ptr<Mailbox>& mailbox) {
  const ChannelLimit starting_limit =
      BufferDebloater::StartingLimit(options_.task.debloat, static_cast<uint32_t>(options_.segment_bytes));
  std::vector<std::unique_ptr<ResultPartition>> partitions;
  for (const int edge : vertex.out_edges) {
    const CompiledVertex& to = graph_.vertices[graph_.edges[edge].to];
    const bool forward = graph_.edges[edge].partitioning == Partitioning::kForward;
    PENSTOCK_ASSIGN_OR_RETURN(auto partition, ResultPartition::Create(
                                                  *pool_, forward ? 1 : to.parallelism, *mailbox,
                                                  [mailbox] { mailbox->Wake(); }, starting_limit));
    partition->DescribeConsumers(graph_.logical->nodes[to.nodes.front()].name, forward ? subtask : 0);
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

absl::Status JobExecutor::CreateTasks(const Deployment& deployment, const proto::CheckpointPlan& plan) {
  std::shared_ptr<Storage> storage;
  if (plan.enabled()) {
    PENSTOCK_ASSIGN_OR_RETURN(storage, OpenStorage(plan.storage(), options_.storage));
  }
  std::shared_ptr<Storage> restored_from = storage;
  // What another job has written is that job's to delete: as if it lay in another storage, the first checkpoint writes
  // all of it into our own directory.
  const bool of_another_job = !plan.restore_manifest().empty() && plan.restore_directory() != plan.job_directory();
  if (!plan.restore_storage().empty() || of_another_job) {
    const std::string& from = plan.restore_storage().empty() ? plan.storage() : plan.restore_storage();
    PENSTOCK_ASSIGN_OR_RETURN(restored_from, OpenStorage(from, options_.storage));
  }
  AttemptOrigin began{.checkpoints = plan.enabled(),
                      .cluster_id = plan.cluster_id(),
                      .job_uid = plan.job_uid(),
                      .generation = plan.generation(),
                      .allow_duplicates = plan.allow_duplicates(),
                      .missing_marker = options_.missing_marker,
                      .widest_parallelism = plan.widest_parallelism(),
                      .checkpoint_interval_ms = plan.interval_ms(),
                      .checkpoint_timeout_ms = plan.timeout_ms(),
                      .local_directory = options_.work_dir};
  PENSTOCK_ASSIGN_OR_RETURN(const std::optional<RestoreSource> source,
                            ReadRestore(plan, std::move(restored_from), began));
  const auto origin = std::make_shared<const AttemptOrigin>(std::move(began));
  const MemoryRequest needs = MemoryNeeds(deployment);
  PENSTOCK_ASSIGN_OR_RETURN(const MemoryBytes shares, SplitGrant(needs));
  memory_ = std::make_unique<WorkerMemory>(needs.grant_bytes, shares, *pool_, options_.segment_bytes, backends_);
  backends_.SetMemory(shares, needs.stateful_tasks);
  const auto checkpointing = plan.enabled() ? Checkpointing::kOn : Checkpointing::kOff;
  std::set<CheckpointCollector::Subtask> subtasks;
  for (size_t v = 0; v < graph_.vertices.size(); ++v) {
    const CompiledVertex& vertex = graph_.vertices[v];
    for (int subtask = 0; subtask < vertex.parallelism; ++subtask) {
      if (deployment.worker_of[v][subtask] != deployment.own_index) continue;
      auto mailbox = std::make_shared<Mailbox>(clock_);
      PENSTOCK_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<ResultPartition>> partitions,
                                CreatePartitions(vertex, subtask, mailbox));
      TaskInfo info{graph_.graph.name(),
                    vertex.id,
                    graph_.graph.vertices(static_cast<int>(v)).name(),
                    subtask,
                    vertex.parallelism,
                    options_.attempt.value,
                    static_cast<uint32_t>(graph_.graph.key_groups()),
                    shares[MemoryHolder::kClientQueues] / std::max(needs.clients, 1)};
      std::unique_ptr<const TaskRestore> restore;
      if (source) {
        std::vector<std::string> uids;
        for (const int node : vertex.nodes) uids.push_back(graph_.logical->nodes[node].uid);
        PENSTOCK_ASSIGN_OR_RETURN(restore, source->For(info, uids));
      }
      subtasks.emplace(vertex.id, subtask);
      KeyedBackendOptions keyed = backends_.For(info, HasKeyedState(graph_, vertex), plan.enabled(), plan.generation());
      tasks_[{static_cast<int>(v), subtask}] =
          std::make_unique<Task>(graph_, vertex, std::move(info),
                                 Task::Environment{clock_, registry_, *this, options_.task, options_.throw_stack,
                                                   checkpointing, origin, pool_->buffer_bytes()},
                                 std::move(mailbox), std::move(partitions), std::move(restore), std::move(keyed));
    }
  }
  if (plan.enabled()) MakeCollector(deployment, plan, std::move(subtasks), std::move(storage));
  return absl::OkStatus();
}

MemoryRequest JobExecutor::MemoryNeeds(const Deployment& deployment) const {
  MemoryRequest request{.grant_bytes = options_.memory_grant_bytes,
                        .network_bytes = options_.network_memory_bytes,
                        .state_bytes = options_.state.memory_bytes,
                        .rocksdb = options_.state.rocksdb && !options_.work_dir.empty(),
                        .block_cache_bytes = options_.state.block_cache_bytes};
  for (size_t v = 0; v < graph_.vertices.size(); ++v) {
    const std::vector<int>& workers = deployment.worker_of[v];
    const auto here = static_cast<int>(std::count(workers.begin(), workers.end(), deployment.own_index));
    const proto::Vertex& vertex = graph_.graph.vertices(static_cast<int>(v));
    request.clients += here * (vertex.is_source() + vertex.is_sink());
    if (HasKeyedState(graph_, graph_.vertices[v])) request.stateful_tasks += here;
  }
  return request;
}

void JobExecutor::MakeCollector(const Deployment& deployment, const proto::CheckpointPlan& plan,
                                std::set<CheckpointCollector::Subtask> subtasks, std::shared_ptr<Storage> storage) {
  // The generation is new with every attempt, so no name is ever written twice.
  std::string prefix = fmt::format("{}/data/{}/w{}", plan.job_directory(), plan.generation(), deployment.own_index);
  generation_ = plan.generation();
  commits_ = std::make_unique<CommitTracker>(subtasks);
  collector_ = std::make_unique<CheckpointCollector>(
      plan.generation(), std::move(subtasks), std::move(storage), std::move(prefix), options_.copies_dir,
      [this](const TaskInfo& info, uint64_t base_id, bool durable) { OnBaseDone(info, base_id, durable); }, events_,
      clock_);
}

absl::Status JobExecutor::ConnectEdge(const Deployment& deployment, int edge) {
  const CompiledEdge& compiled = graph_.edges[edge];
  const int producers = graph_.vertices[compiled.from].parallelism;
  const int consumers = graph_.vertices[compiled.to].parallelism;
  for (int from = 0; from < producers; ++from) {
    for (int to = 0; to < consumers; ++to) {
      if (compiled.partitioning == Partitioning::kForward && from != to) continue;
      PENSTOCK_RETURN_IF_ERROR(ConnectChannel(deployment, edge, from, to));
    }
  }
  return absl::OkStatus();
}

absl::Status JobExecutor::ConnectChannel(const Deployment& deployment, int edge, int from, int to) {
  const CompiledEdge& compiled = graph_.edges[edge];
  const int producer_worker = deployment.worker_of[compiled.from][from];
  const int consumer_worker = deployment.worker_of[compiled.to][to];
  const bool produced_here = producer_worker == deployment.own_index;
  const bool consumed_here = consumer_worker == deployment.own_index;
  if (!produced_here && !consumed_here) return absl::OkStatus();
  const uint32_t channel =
      deployment.first_channel[edge] + static_cast<uint32_t>(from) * graph_.vertices[compiled.to].parallelism + to;
  std::shared_ptr<Subpartition> subpartition;
  if (produced_here) {
    const std::vector<int>& out_edges = graph_.vertices[compiled.from].out_edges;
    const auto position = std::find(out_edges.begin(), out_edges.end(), edge) - out_edges.begin();
    const int index = compiled.partitioning == Partitioning::kForward ? 0 : to;
    subpartition = tasks_.at({compiled.from, from})->partitions()[position]->subpartition(index);
  }
  if (produced_here && consumed_here) {
    tasks_.at({compiled.to, to})->AddInput(std::make_shared<LocalInputChannel>(subpartition), edge, from);
  } else if (produced_here) {
    LinkTo(deployment, consumer_worker).AddOutgoing(channel, subpartition);
  } else {
    PENSTOCK_ASSIGN_OR_RETURN(auto input, LinkTo(deployment, producer_worker).AddIncoming(channel, *pool_));
    tasks_.at({compiled.to, to})->AddInput(std::move(input), edge, from);
  }
  return absl::OkStatus();
}

PeerLink& JobExecutor::LinkTo(const Deployment& deployment, int worker) {
  std::unique_ptr<PeerLink>& link = links_[worker];
  if (link == nullptr) {
    link = std::make_unique<PeerLink>(deployment.worker_ids[worker],
                                      [this](const absl::Status& status) { OnLinkBroken(status); });
  }
  return *link;
}

void JobExecutor::OnLinkBroken(const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (running_ == 0 || cancelled_) return;  // peers may leave before us once the job has ended
  PENSTOCK_LOG(warn, "{}", MessageOf(status));
  for (const auto& [key, task] : tasks_) {
    if (!task->ended()) task->FailFromOutside(status, TaskFailure::Domain::kExternal);
  }
}

void JobExecutor::Cancel() {
  MutexLock lock(&mutex_);
  cancelled_ = true;
  for (const auto& [key, task] : tasks_) task->Cancel();
}

bool JobExecutor::AwaitEnd(int64_t timeout_ms) {
  const int64_t deadline_ns = clock_.MonotonicNs() + timeout_ms * 1'000'000;
  MutexLock lock(&mutex_);
  while (running_ > 0) {
    const int64_t left_ns = deadline_ns - clock_.MonotonicNs();
    if (left_ns <= 0) return false;
    ended_.WaitFor(&mutex_, std::chrono::nanoseconds(left_ns));
  }
  return true;
}

void JobExecutor::OnTaskState(const TaskInfo& info, TaskState state, const TaskFailure* failure) {
  proto::TaskStateReport report;
  report.set_job_id(options_.job.ToString());
  report.set_attempt(options_.attempt.value);
  report.set_vertex_id(info.vertex_id);
  report.set_subtask(info.subtask);
  report.set_state(ToProto(state));
  report.set_time_ms(clock_.NowMs());
  if (failure != nullptr) {
    PENSTOCK_LOG(error, "task {} failed in operator '{}': {}", info.Label(), failure->operator_name, failure->message);
    proto::Failure& out = *report.mutable_failure();
    out.set_message(failure->message);
    out.set_exception_type(failure->exception_type);
    out.set_operator_name(failure->operator_name);
    if (options_.symbolize && !failure->stack.empty()) out.set_stack(options_.symbolize(failure->stack));
    switch (failure->domain) {
      case TaskFailure::Domain::kUser:
        out.set_domain(proto::Failure::USER);
        break;
      case TaskFailure::Domain::kExternal:
        out.set_domain(proto::Failure::EXTERNAL);
        break;
      case TaskFailure::Domain::kInternal:
        out.set_domain(proto::Failure::INTERNAL);
        break;
    }
    out.set_retryable(!failure->refused);
    out.set_checkpoint_damaged(failure->checkpoint_damaged);
    if (failure->exception_type == absl::StatusCodeToString(absl::StatusCode::kDataLoss)) DropCopies();
  }
  events_.OnTaskState(report);
  if (!IsEnd(state)) return;
  if (state == TaskState::kFinished && commits_ != nullptr) {
    AckDecision(commits_->OnFinished({info.vertex_id, info.subtask}));
  }
  MutexLock lock(&mutex_);
  --running_;
  ended_.NotifyAll();
}

void JobExecutor::OnSnapshot(const TaskInfo& info, TaskSnapshot snapshot, bool last) {
  collector_->OnSnapshot(info, std::move(snapshot), last);
}

void JobExecutor::OnNewBase(const TaskInfo& info, ChainPart base) { collector_->OnNewBase(info, std::move(base)); }

// Perhaps it is a copy that is damaged: the next attempt reads checkpoint storage.
void JobExecutor::DropCopies() {
  std::error_code ignored;
  if (!options_.copies_dir.empty()) std::filesystem::remove_all(options_.copies_dir, ignored);
}

void JobExecutor::OnCommitted(const TaskInfo& info, uint64_t checkpoint_id) {
  AckDecision(commits_->OnCommitted({info.vertex_id, info.subtask}, checkpoint_id));
}

void JobExecutor::AckDecision(std::optional<uint64_t> id) {
  if (!id) return;
  proto::DecisionAcked acked;
  acked.mutable_checkpoint()->set_id(*id);
  acked.mutable_checkpoint()->set_generation(generation_);
  events_.OnDecisionAcked(std::move(acked));
}

void JobExecutor::OnBaseDone(const TaskInfo& info, uint64_t base_id, bool durable) {
  MutexLock lock(&mutex_);
  for (const auto& [key, task] : tasks_) {
    if (task->info().vertex_id == info.vertex_id && task->info().subtask == info.subtask) {
      task->OnBaseDurable(base_id, durable);
    }
  }
}

void JobExecutor::StartSources() {
  MutexLock lock(&mutex_);
  for (const auto& [key, task] : tasks_) task->StartSources();
}

void JobExecutor::TriggerCheckpoint(const proto::TriggerCheckpoint& trigger) {
  MutexLock lock(&mutex_);
  if (collector_ == nullptr) return;
  Barrier barrier;
  barrier.id = trigger.checkpoint().id();
  if (trigger.has_last_decided()) barrier.last_decided = trigger.last_decided_id();
  barrier.ending = static_cast<BarrierEnding>(trigger.ending());
  barrier.trigger_ms = trigger.trigger_ms();
  collector_->OnTrigger(barrier.id);
  for (const auto& [key, task] : tasks_) task->TriggerCheckpoint(barrier);
}

void JobExecutor::OnDecided(const proto::CheckpointDecided& decided) {
  MutexLock lock(&mutex_);
  if (collector_ == nullptr) return;
  collector_->OnDecided(decided.checkpoint().id());
  for (const auto& [key, task] : tasks_) task->OnDecided(decided.checkpoint().id());
  AckDecision(commits_->OnDecided(decided.checkpoint().id()));
}

void JobExecutor::OnAborted(const proto::CheckpointAborted& aborted) {
  MutexLock lock(&mutex_);
  if (collector_ == nullptr) return;
  collector_->OnAborted(aborted.checkpoint().id());
  for (const auto& [key, task] : tasks_) task->OnAborted(aborted.checkpoint().id());
}

void JobExecutor::CollectMetrics(proto::WorkerMetrics* metrics) {
  metrics->set_rss_bytes(ResidentBytes());
  metrics->set_buffers_total(pool_->buffer_count());
  metrics->set_buffers_used(pool_->used());
  MutexLock lock(&mutex_);
  if (memory_ != nullptr) memory_->Watch(metrics);
  for (const auto& [key, task] : tasks_) {
    const TaskStats stats = task->ReadStats();
    proto::TaskMetrics& out = *metrics->add_tasks();
    out.set_vertex_id(task->info().vertex_id);
    out.set_subtask(task->info().subtask);
    out.set_records_in(stats.records_in);
    out.set_records_out(stats.records_out);
    out.set_bytes_in(stats.bytes_in);
    out.set_bytes_out(stats.bytes_out);
    out.set_busy_ms(stats.busy_ms);
    out.set_idle_ms(stats.idle_ms);
    out.set_backpressured_ms(stats.backpressured_ms);
    out.set_input_watermark_ms(stats.input_watermark);
    out.set_output_watermark_ms(stats.output_watermark);
    out.set_late_records(stats.late_records);
    out.set_malformed_records(stats.malformed_records);
    out.set_status_note(stats.status_note);
    out.set_watermark_holder(stats.watermark_holder);
    out.set_debloated_buffer_bytes(stats.debloated_buffer_bytes);
    out.set_consume_buffers_ms(stats.consume_buffers_ms);
    for (const SplitTable::View& split : stats.splits) {
      proto::SplitStatus& status = *out.add_splits();
      status.set_name(split.name);
      status.set_position(split.position);
      status.set_end(split.end);
      status.set_watermark_ms(split.watermark);
      status.set_idle(split.idle);
      status.set_finished(split.finished);
    }
    for (const auto& [name, value] : stats.user) (*out.mutable_user())[name] = value;
  }
}

}  // namespace penstock::worker
