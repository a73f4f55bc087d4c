// The operators of one task: built from the vertex's factories, wired from tail to head, and run by the loop.
//
// Owner: the task's thread, but for ReadStats (any thread). Lifetime: the task's.
#ifndef PENSTOCK_RUNTIME_TASK_OPERATOR_CHAIN_H_
#define PENSTOCK_RUNTIME_TASK_OPERATOR_CHAIN_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/graph/compile.h"
#include "runtime/metrics/metrics.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/task/factories.h"
#include "runtime/task/mailbox.h"
#include "runtime/task/operator.h"
#include "runtime/task/task_info.h"
#include "runtime/task/task_snapshot.h"
#include "runtime/time/split_table.h"
#include "runtime/time/time_merge.h"

namespace penstock {

class ChainOperatorContext;

// Lines about malformed and late records that a task may log per second.
inline constexpr int kSampleLinesPerSecond = 5;

class OperatorChain {
 public:
  // partitions: by position in vertex.out_edges. restore: null when the attempt begins without state; outlives the
  // chain.
  OperatorChain(const CompiledGraph& graph, const CompiledVertex& vertex, const TaskInfo& info, const Clock& clock,
                std::shared_ptr<Mailbox> mailbox, MetricRegistry& registry,
                const std::vector<std::unique_ptr<ResultPartition>>& partitions, const TaskRestore* restore,
                KeyedBackendOptions keyed, std::shared_ptr<const AttemptOrigin> origin);
  ~OperatorChain();

  absl::Status Open();
  // Null when the chain does not begin with a source.
  SourceOperator* source() const { return source_; }
  Operator& head() const { return *operators_.front(); }
  Operator& at(size_t position) const { return *operators_[position]; }  // in vertex.nodes

  bool HasPending() const;
  // One slice of the furthest pending fire downstream.
  void ContinuePending();
  void OnTick(int64_t now_ms);
  void Flush();
  // At a barrier, in this order; the barrier goes downstream between them.
  absl::Status PrepareBarrier(const Barrier& barrier);
  absl::Status Snapshot(TaskSnapshot& snapshot);
  // Between records: a bounded amount of work for keyed state.
  absl::Status Trickle() { return has_keyed_state_ ? keyed_backend_.Trickle() : absl::OkStatus(); }
  KeyedBackend& keyed_backend() { return keyed_backend_; }
  void OnDecided(uint64_t checkpoint_id);
  void OnAborted(uint64_t checkpoint_id);
  bool NeedsFinalCheckpoint() const;
  std::optional<uint64_t> OldestUncommitted() const;
  // The next operator's Finish, producers first; true when all have finished. Pending fires are run by the loop
  // between.
  bool FinishNext(absl::Status& status);
  void Close();

  // The first failure an operator reported, once.
  absl::Status TakeFailure();
  bool failed() const { return !failure_.ok(); }
  const std::string& failing_operator() const { return failing_operator_; }
  void CountRecordIn() { records_in_.Add(); }

  SplitTable& splits() { return splits_; }
  void ReadStats(TaskStats& stats) const;  // any thread

 private:
  friend class ChainOperatorContext;
  void Wire(const CompiledGraph& graph, const CompiledVertex& vertex,
            const std::vector<std::unique_ptr<ResultPartition>>& partitions);
  std::vector<ReceiverBase*> ReceiversOf(const CompiledGraph& graph, const CompiledVertex& vertex, int node, int output,
                                         const std::vector<std::unique_ptr<ResultPartition>>& partitions);
  ReceiverBase* InputOf(const CompiledGraph& graph, const CompiledVertex& vertex, size_t position,
                        const LogicalEdge& edge);
  bool MayLogSample();

  const TaskInfo& info_;
  const Clock& clock_;
  const std::shared_ptr<Mailbox> mailbox_;
  SplitTable splits_;
  KeyedBackend keyed_backend_;
  const TaskRestore* const restore_;
  const std::shared_ptr<const AttemptOrigin> origin_;
  bool has_keyed_state_ = false;
  std::vector<std::unique_ptr<MetricGroup>> groups_;  // by position in vertex.nodes
  std::vector<std::unique_ptr<ChainOperatorContext>> contexts_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<std::string> uids_;  // by operator
  std::vector<std::unique_ptr<FanOutBase>> fan_outs_;
  std::vector<std::unique_ptr<ReceiverBase>> writers_;
  std::map<int, std::shared_ptr<TimeMerge>> merges_;  // by node, where it has several inputs inside the chain
  std::vector<std::unique_ptr<ReceiverBase>> merged_inputs_;
  SourceOperator* source_ = nullptr;
  size_t opened_ = 0;
  size_t finished_ = 0;
  absl::Status failure_;
  std::string failing_operator_;
  int64_t sample_window_ms_ = 0;
  int samples_in_window_ = 0;

  Counter records_in_;
  Counter sink_records_;
  Counter late_;
  Counter malformed_;
  mutable Mutex note_mutex_;
  std::string status_note_ ABSL_GUARDED_BY(note_mutex_);
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_OPERATOR_CHAIN_H_
