#include "runtime/task/operator_chain.h"

#include <algorithm>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock {

namespace {

// After a restore every operator has state, if only an empty one: what is new in the job must not take itself for a
// start without state.
const RestoredState* StateOf(const TaskRestore* restore, const std::string& uid) {
  static const RestoredState none;
  if (restore == nullptr) return nullptr;
  const auto found = restore->operators.find(uid);
  return found != restore->operators.end() ? &found->second : &none;
}

}  // namespace

// The context of one operator of the chain.
class ChainOperatorContext final : public OperatorContext {
 public:
  ChainOperatorContext(OperatorChain& chain, std::string name, std::string uid, MetricGroup& group,
                       const RestoredState* restored)
      : chain_(chain), name_(std::move(name)), uid_(std::move(uid)), group_(group), restored_(restored) {}

  int subtask() const override { return chain_.info_.subtask; }
  int parallelism() const override { return chain_.info_.parallelism; }
  uint32_t attempt() const override { return chain_.info_.attempt; }
  const std::string& job_name() const override { return chain_.info_.job_name; }
  const std::string& operator_name() const override { return name_; }
  const Clock& clock() const override { return chain_.clock_; }

  Counter& counter(std::string_view name) override { return group_.GetCounter(name); }
  Histogram& histogram(std::string_view name) override { return group_.GetHistogram(name); }
  void gauge(std::string_view name, std::function<double()> read) override { group_.SetGauge(name, std::move(read)); }
  void log_info(std::string_view line) override {
    PENSTOCK_LOG(info, "[{}] [{}] {}", chain_.info_.Label(), name_, line);
  }
  void log_warn(std::string_view line) override {
    PENSTOCK_LOG(warn, "[{}] [{}] {}", chain_.info_.Label(), name_, line);
  }
  bool cancelled() const override { return chain_.mailbox_->cancelled(); }
  std::shared_ptr<Waker> waker() override { return chain_.mailbox_; }
  bool WaitUntil(std::string_view why, const std::function<bool()>& ready) override {
    return chain_.mailbox_->WaitUntil(WaitKind::kOutput, why, ready);
  }
  bool WaitUntilFor(std::string_view why, const std::function<bool()>& ready, int64_t timeout_ms) override {
    const int64_t now_ns = chain_.clock_.MonotonicNs();
    const bool limited = timeout_ms < (kNoDeadline - now_ns) / 1'000'000;
    return chain_.mailbox_->WaitUntilDeadline(WaitKind::kOutput, why, ready,
                                              limited ? now_ns + timeout_ms * 1'000'000 : kNoDeadline);
  }
  void set_status_note(std::string note) override {
    MutexLock lock(&chain_.note_mutex_);
    chain_.status_note_ = std::move(note);
  }
  void count_malformed() override { chain_.malformed_.Add(); }

  int64_t client_queue_bytes() const override { return chain_.info_.client_queue_bytes; }

  const RestoredState* restored() const override { return restored_; }
  const AttemptOrigin& origin() const override { return *chain_.origin_; }
  SplitTable& splits() override { return chain_.splits_; }
  KeyGroupRange key_groups() const override { return RangeOfSubtask(subtask(), parallelism(), key_group_count()); }
  uint32_t key_group_count() const override { return chain_.info_.key_groups; }
  const std::string& operator_uid() const override { return uid_; }
  KeyedBackend& keyed_backend() override { return chain_.keyed_backend_; }
  void charge_state(int64_t delta_bytes) override { chain_.keyed_backend_.ChargeState(delta_bytes); }
  void NoteFailingOperator() override {
    if (chain_.failing_operator_.empty()) chain_.failing_operator_ = name_;
  }
  void count_late(TimestampMs timestamp, int64_t records) override {
    chain_.late_.Add(records);
    if (chain_.MayLogSample()) log_warn(fmt::format("dropped a late record of event time {} ms", timestamp));
  }
  Counter& source_records() override { return chain_.records_in_; }
  Counter& sink_records() override { return chain_.sink_records_; }
  void sample_malformed(const std::string& reason) override {
    chain_.malformed_.Add();
    if (chain_.MayLogSample()) log_warn("malformed record: " + reason);
  }
  bool mail_waits() const override { return chain_.mailbox_->has_between_records(); }
  void Fail(absl::Status status) override {
    if (chain_.failure_.ok()) chain_.failure_ = std::move(status);
  }

 private:
  OperatorChain& chain_;
  const std::string name_;
  const std::string uid_;
  MetricGroup& group_;
  const RestoredState* const restored_;
};

OperatorChain::OperatorChain(const CompiledGraph& graph, const CompiledVertex& vertex, const TaskInfo& info,
                             const Clock& clock, std::shared_ptr<Mailbox> mailbox, MetricRegistry& registry,
                             const std::vector<std::unique_ptr<ResultPartition>>& partitions,
                             const TaskRestore* restore, KeyedBackendOptions keyed,
                             std::shared_ptr<const AttemptOrigin> origin)
    : info_(info),
      clock_(clock),
      mailbox_(std::move(mailbox)),
      keyed_backend_(std::move(keyed)),
      restore_(restore),
      origin_(std::move(origin)) {
  for (const int id : vertex.nodes) {
    const LogicalNode& node = graph.logical->nodes[id];
    groups_.push_back(registry.CreateGroup("penstock_operator", {{"job", info.job_name},
                                                                 {"task", info.vertex_name},
                                                                 {"operator", node.name},
                                                                 {"subtask", std::to_string(info.subtask)}}));
    contexts_.push_back(std::make_unique<ChainOperatorContext>(*this, node.name, node.uid, *groups_.back(),
                                                               StateOf(restore, node.uid)));
    uids_.push_back(node.uid);
    has_keyed_state_ = has_keyed_state_ || node.has_keyed_state();
    operators_.push_back(node.factory->create());
  }
  if (graph.logical->nodes[vertex.nodes.front()].is_source) {
    source_ = static_cast<SourceOperator*>(operators_.front().get());
  } else {
    splits_.Add("");  // watermarks made behind an exchange have one split: the task's input
  }
  Wire(graph, vertex, partitions);
}

// Gauges look at what the operators own, on another thread: they go first.
OperatorChain::~OperatorChain() { groups_.clear(); }

std::vector<ReceiverBase*> OperatorChain::ReceiversOf(const CompiledGraph& graph, const CompiledVertex& vertex,
                                                      int node, int output,
                                                      const std::vector<std::unique_ptr<ResultPartition>>& partitions) {
  std::vector<ReceiverBase*> receivers;
  const auto& edges = graph.logical->edges;
  for (size_t i = 0; i < vertex.nodes.size(); ++i) {  // chained consumers
    for (const LogicalEdge& edge : edges) {
      const bool chained = edge.from == node && edge.from_output == output && edge.to == vertex.nodes[i] && i > 0;
      if (chained) receivers.push_back(InputOf(graph, vertex, i, edge));
    }
  }
  for (size_t i = 0; i < vertex.out_edges.size(); ++i) {
    const CompiledEdge& compiled = graph.edges[vertex.out_edges[i]];
    const LogicalEdge& edge = edges[compiled.logical];
    if (edge.from != node || edge.from_output != output) continue;
    const bool rebalanced =
        compiled.partitioning == Partitioning::kRebalance && edge.partitioning != compiled.partitioning;
    const EdgeFactory& factory = rebalanced ? *edge.rebalance_factory : *edge.factory;
    writers_.push_back(factory.create_writer(*partitions[i], info_.subtask, info_.key_groups));
    receivers.push_back(writers_.back().get());
  }
  return receivers;
}

// Whoever has several inputs inside the chain is told their time together, as a task merges that of its channels.
ReceiverBase* OperatorChain::InputOf(const CompiledGraph& graph, const CompiledVertex& vertex, size_t position,
                                     const LogicalEdge& edge) {
  ReceiverBase* const input = operators_[position]->Input(edge.to_input);
  const auto& edges = graph.logical->edges;
  const auto inputs = std::count_if(edges.begin(), edges.end(), [&](const LogicalEdge& other) {
    return other.to == edge.to && std::find(vertex.nodes.begin(), vertex.nodes.end(), other.from) != vertex.nodes.end();
  });
  if (inputs < 2) return input;
  std::shared_ptr<TimeMerge>& merge = merges_[edge.to];
  if (merge == nullptr) merge = std::make_shared<TimeMerge>(operators_[position]->Input(0));
  const OutputFactory& factory = *graph.logical->nodes[edge.from].outputs[edge.from_output];
  merged_inputs_.push_back(factory.create_merged_input(input, merge));
  return merged_inputs_.back().get();
}

void OperatorChain::Wire(const CompiledGraph& graph, const CompiledVertex& vertex,
                         const std::vector<std::unique_ptr<ResultPartition>>& partitions) {
  for (size_t i = 0; i < vertex.nodes.size(); ++i) {
    const LogicalNode& node = graph.logical->nodes[vertex.nodes[i]];
    for (size_t output = 0; output < node.outputs.size(); ++output) {
      std::vector<ReceiverBase*> receivers = ReceiversOf(graph, vertex, node.id, static_cast<int>(output), partitions);
      if (receivers.empty() && output != kMainOutput) continue;  // nobody asked for it
      if (receivers.size() == 1) {
        operators_[i]->SetOutput(static_cast<int>(output), receivers.front());
        continue;
      }
      fan_outs_.push_back(node.outputs[output]->create_fan_out(std::move(receivers)));
      operators_[i]->SetOutput(static_cast<int>(output), fan_outs_.back()->receiver());
    }
  }
}

absl::Status OperatorChain::Open() {
  // Consumers first, so that a source that emits while it opens finds them open.
  for (size_t i = operators_.size(); i > 0; --i) {
    ++opened_;
    if (absl::Status status = operators_[i - 1]->Open(*contexts_[i - 1]); !status.ok()) {
      contexts_[i - 1]->NoteFailingOperator();
      return status;
    }
  }
  // The JobManager has looked for state of operators that are gone; a chain that is cut otherwise now sees tables of
  // its old neighbours, and leaves them to those.
  return keyed_backend_.Start(restore_ != nullptr ? restore_->keyed : std::vector<ChainPart>(), true);
}

bool OperatorChain::HasPending() const {
  for (const auto& op : operators_) {
    if (op->HasPending()) return true;
  }
  return false;
}

void OperatorChain::ContinuePending() {
  for (size_t i = operators_.size(); i > 0; --i) {
    if (!operators_[i - 1]->HasPending()) continue;
    operators_[i - 1]->Continue();
    return;
  }
}

void OperatorChain::Flush() {
  for (const auto& op : operators_) op->Flush();
}

void OperatorChain::OnTick(int64_t now_ms) {
  for (const auto& op : operators_) op->OnTick(now_ms);
}

absl::Status OperatorChain::PrepareBarrier(const Barrier& barrier) {
  for (size_t i = 0; i < operators_.size(); ++i) {
    if (absl::Status status = operators_[i]->PrepareBarrier(barrier); !status.ok()) {
      contexts_[i]->NoteFailingOperator();
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status OperatorChain::Snapshot(TaskSnapshot& snapshot) {
  for (size_t i = 0; i < operators_.size(); ++i) {
    OperatorStateWriter writer;
    if (absl::Status status = operators_[i]->Snapshot(snapshot.barrier, writer); !status.ok()) {
      contexts_[i]->NoteFailingOperator();
      return status;
    }
    if (!writer.states().empty()) snapshot.operators[uids_[i]] = writer.states();
  }
  if (!has_keyed_state_) return absl::OkStatus();
  absl::StatusOr<KeyedSnapshot> keyed = keyed_backend_.Cut(snapshot.barrier.id);
  if (keyed.ok()) snapshot.keyed = *std::move(keyed);
  return keyed.status();
}

void OperatorChain::OnDecided(uint64_t checkpoint_id) {
  for (const auto& op : operators_) op->OnDecided(checkpoint_id);
}

void OperatorChain::OnAborted(uint64_t checkpoint_id) {
  for (const auto& op : operators_) op->OnAborted(checkpoint_id);
}

bool OperatorChain::NeedsFinalCheckpoint() const {
  return std::any_of(operators_.begin(), operators_.end(), [](const auto& op) { return op->NeedsFinalCheckpoint(); });
}

std::optional<uint64_t> OperatorChain::OldestUncommitted() const {
  std::optional<uint64_t> oldest;
  for (const auto& op : operators_) {
    const std::optional<uint64_t> of_operator = op->OldestUncommitted();
    if (of_operator && (!oldest || *of_operator < *oldest)) oldest = of_operator;
  }
  return oldest;
}

bool OperatorChain::FinishNext(absl::Status& status) {
  if (finished_ == operators_.size()) return true;
  status = operators_[finished_]->Finish();
  if (!status.ok()) contexts_[finished_]->NoteFailingOperator();
  ++finished_;
  return false;
}

void OperatorChain::Close() {
  for (; opened_ > 0; --opened_) operators_[operators_.size() - opened_]->Close();
}

absl::Status OperatorChain::TakeFailure() { return std::exchange(failure_, absl::OkStatus()); }

bool OperatorChain::MayLogSample() {
  const int64_t now_ms = clock_.MonotonicMs();
  if (now_ms - sample_window_ms_ >= 1000) {
    sample_window_ms_ = now_ms;
    samples_in_window_ = 0;
  }
  return ++samples_in_window_ <= kSampleLinesPerSecond;
}

void OperatorChain::ReadStats(TaskStats& stats) const {
  stats.records_in = records_in_.value();
  stats.records_out = sink_records_.value();
  stats.late_records = late_.value();
  stats.malformed_records = malformed_.value();
  if (source_ != nullptr) stats.splits = splits_.Snapshot();
  for (size_t i = 0; i < groups_.size(); ++i) {
    for (const auto& [name, value] : groups_[i]->Read()) stats.user[contexts_[i]->operator_name() + "." + name] = value;
  }
  MutexLock lock(&note_mutex_);
  stats.status_note = status_note_;
}

}  // namespace penstock
