// The untyped part of penstock::testing::Harness: an operator chain without a task around it.
#include <penstock/testing.h>

#include <cstdlib>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/graph/compile.h"
#include "runtime/task/operator_chain.h"

namespace penstock::testing {

struct HarnessChain::Parts {
  explicit Parts(HarnessOptions options)
      : clock(options.now_ms),
        restores(options.restore_after_each_step || std::getenv("PENSTOCK_HARNESS_RESTORE") != nullptr) {
    info.job_name = info.vertex_name = "harness";
    info.subtask = options.subtask;
    info.parallelism = options.parallelism;
    info.attempt = options.attempt;
  }

  // What a harness cannot stand for, since it has one task and no exchange.
  void CheckGraph() {
    const LogicalGraph& graph = env.graph();
    for (const LogicalNode& node : graph.nodes) {
      if (node.is_source && node.id != 0) {
        env.AddError("source '" + node.name + "': a harness has inputs of its own, see add_input");
      }
      if (node.has_keyed_state() && info.parallelism > 1) {
        env.AddError("operator '" + node.name + "' keeps state by key: set the harness's parallelism to 1");
      }
    }
  }

  absl::Status Open() {
    CheckGraph();
    PENSTOCK_ASSIGN_OR_RETURN(CompiledGraph compiled,
                              Compile(env.shared_graph(), {.name = "harness",
                                                           .uid = "harness",
                                                           .parallelism = info.parallelism,
                                                           .key_groups = static_cast<int>(info.key_groups)}));
    // All operators in one chain, whatever lies between them in a cluster.
    graph.logical = compiled.logical;
    graph.vertices.emplace_back();
    for (const LogicalNode& node : graph.logical->nodes) graph.vertices[0].nodes.push_back(node.id);
    return OpenChain();
  }

  absl::Status OpenChain() {
    KeyedBackendOptions keyed;
    keyed.key_groups = info.key_groups;
    keyed.range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
    keyed.clock = &clock;
    keyed.file_prefix = fmt::format("attempt-{}", attempts++);
    keyed.track_changes = restores;
    chain = std::make_unique<OperatorChain>(graph, graph.vertices[0], info, clock, mailbox, registry, partitions,
                                            restored.get(), std::move(keyed), std::make_shared<AttemptOrigin>());
    return chain->Open();
  }

  // A failure between two records: everything begins again from what is handed in at a barrier.
  absl::Status Restore() {
    TaskSnapshot snapshot;
    snapshot.barrier.id = next_checkpoint++;
    PENSTOCK_RETURN_IF_ERROR(chain->PrepareBarrier(snapshot.barrier));
    PENSTOCK_RETURN_IF_ERROR(chain->Snapshot(snapshot));
    chain->Close();
    TaskStats stats;
    chain->ReadStats(stats);
    late_before += stats.late_records;
    malformed_before += stats.malformed_records;
    chain.reset();
    auto next = std::make_unique<TaskRestore>();
    for (auto& [uid, states] : snapshot.operators) {
      for (auto& [name, state] : states) next->operators[uid].Add(name, std::move(state.items));
    }
    if (snapshot.keyed) next->keyed = PartsForRange({*snapshot.keyed}, snapshot.keyed->range);
    restored = std::move(next);
    PENSTOCK_RETURN_IF_ERROR(OpenChain());
    for (const auto& tell : on_restored) tell();
    RunPending();
    return chain->TakeFailure();
  }

  void RunPending() {
    while (chain->HasPending() && !chain->failed()) chain->ContinuePending();
  }

  // As the task does after a batch.
  void Settle() {
    RunPending();
    if (!chain->failed()) {
      chain->OnTick(clock.MonotonicMs());
      RunPending();
    }
    TakeFailure();
  }

  void TakeFailure() {
    if (absl::Status status = chain->TakeFailure(); failure.ok()) failure = std::move(status);
  }

  void FinishAll() {
    absl::Status status;
    while (failure.ok() && !chain->FinishNext(status)) {
      RunPending();
      TakeFailure();
      if (failure.ok()) failure = status;
    }
  }

  template <class Fn>
  void CallUserCode(Fn fn) {
    try {
      fn();
    } catch (...) {
      failure = absl::AbortedError("user code threw an exception");
      throw;
    }
  }

  ManualClock clock;
  TaskInfo info;
  Environment env;
  CompiledGraph graph;
  MetricRegistry registry;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(clock);
  const std::vector<std::unique_ptr<ResultPartition>> partitions;
  const bool restores;
  std::vector<std::function<void()>> on_restored;
  std::unique_ptr<const TaskRestore> restored;  // what the chain began from
  std::unique_ptr<OperatorChain> chain;
  int64_t late_before = 0;  // counted by chains before this one
  int64_t malformed_before = 0;
  int attempts = 0;
  uint64_t next_checkpoint = 0;
  absl::Status failure;
  bool opened = false;
  bool over = false;
};

HarnessChain::HarnessChain(HarnessOptions options) : parts_(std::make_unique<Parts>(options)) {}

HarnessChain::~HarnessChain() {
  try {
    Close();
  } catch (...) {  // a test that cares calls close()
  }
}

Environment& HarnessChain::environment() { return parts_->env; }

bool HarnessChain::Open() {
  Parts& parts = *parts_;
  if (!parts.opened && !parts.over) {
    parts.opened = true;
    parts.CallUserCode([&] { parts.failure = parts.Open(); });
  }
  return parts.failure.ok() && !parts.over;
}

void HarnessChain::Run(const std::function<void()>& step) {
  if (!Open()) return;
  parts_->CallUserCode([&] {
    step();
    parts_->Settle();
    if (parts_->restores && parts_->failure.ok()) parts_->failure = parts_->Restore();
  });
}

void HarnessChain::OnRestored(std::function<void()> fn) { parts_->on_restored.push_back(std::move(fn)); }

bool HarnessChain::outputs_are_slow() const { return parts_->restores; }

void HarnessChain::Advance(int64_t by_ms) {
  Run([&] { parts_->clock.AdvanceMs(by_ms); });
}

void HarnessChain::Finish() {
  if (!Open()) return;
  parts_->over = true;
  parts_->CallUserCode([&] { parts_->FinishAll(); });
}

void HarnessChain::Close() {
  parts_->over = true;
  if (parts_->chain != nullptr) parts_->chain->Close();
}

int64_t HarnessChain::now_ms() const { return parts_->clock.NowMs(); }
const absl::Status& HarnessChain::failure() const { return parts_->failure; }

const std::string& HarnessChain::failing_operator() const {
  static const std::string none;
  return parts_->chain == nullptr ? none : parts_->chain->failing_operator();
}

Operator* HarnessChain::Find(const std::string& uid) const {
  if (parts_->chain == nullptr) return nullptr;
  const auto& nodes = parts_->graph.logical->nodes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].uid == uid || nodes[i].name == uid) return &parts_->chain->at(i);
  }
  return nullptr;
}

namespace {

TaskStats StatsOf(const OperatorChain* chain) {
  TaskStats stats;
  if (chain != nullptr) chain->ReadStats(stats);
  return stats;
}

}  // namespace

std::map<std::string, double> HarnessChain::Metrics() const { return StatsOf(parts_->chain.get()).user; }
int64_t HarnessChain::late_records() const { return parts_->late_before + StatsOf(parts_->chain.get()).late_records; }
int64_t HarnessChain::malformed_records() const {
  return parts_->malformed_before + StatsOf(parts_->chain.get()).malformed_records;
}

}  // namespace penstock::testing
