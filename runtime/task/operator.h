// The contract between the task loop and the operators of a chain. The loop knows nothing else of operators, and
// operators know nothing of threads, network or storage.
//
// Owner: the task's thread. Life: constructed → SetOutput for each output → Open → records, watermarks, ticks, barriers
// → Finish (end of input only) → Close. User code throws only inside the calls marked "user"; the chain catches it.
#ifndef PENSTOCK_RUNTIME_TASK_OPERATOR_H_
#define PENSTOCK_RUNTIME_TASK_OPERATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "runtime/checkpoint/barrier.h"
#include "runtime/record/key_hash.h"
#include "runtime/record/receiver.h"
#include "runtime/task/attempt_origin.h"
#include "runtime/task/function_context.h"
#include "runtime/task/operator_state.h"

namespace penstock {

class KeyedBackend;
class SplitTable;

// What an operator gets when it opens, beyond the user's context.
class OperatorContext : public Context {
 public:
  // What this operator handed in at the checkpoint the attempt began from; null when it began without state.
  virtual const RestoredState* restored() const = 0;
  virtual const AttemptOrigin& origin() const = 0;
  virtual SplitTable& splits() = 0;              // of the chain's source; one split 0 when there is none
  virtual KeyGroupRange key_groups() const = 0;  // of this subtask
  virtual uint32_t key_group_count() const = 0;
  virtual const std::string& operator_uid() const = 0;  // its state lives under it; empty for operators without
  virtual KeyedBackend& keyed_backend() = 0;            // the task's
  // What state that lies in no table takes of the memory for state, as the difference to what was said before.
  virtual void charge_state(int64_t delta_bytes) = 0;
  // Tells the chain which operator's user code is failing; called on the way of an exception.
  virtual void NoteFailingOperator() = 0;
  virtual void count_late(TimestampMs timestamp, int64_t records = 1) = 0;
  // What crosses the job's border counts as the task's input or output: records of a source, records of a sink.
  virtual Counter& source_records() = 0;
  virtual Counter& sink_records() = 0;
  virtual void sample_malformed(const std::string& reason) = 0;  // counts and logs at a bounded rate
  // As WaitUntil; it also returns true when so long has passed. INT64_MAX: no limit.
  virtual bool WaitUntilFor(std::string_view why, const std::function<bool()>& ready, int64_t timeout_ms) = 0;
  virtual bool mail_waits() const = 0;                           // to be served between records
  virtual void Fail(absl::Status status) = 0;                    // the task fails after the current record
};

// The outputs of an operator: the main one, and from 1 on its side outputs.
inline constexpr int kMainOutput = 0;

class Operator {
 public:
  virtual ~Operator() = default;

  // Null for sources. With several inputs: each takes its own records, but time is told for all of them together,
  // through input 0.
  virtual ReceiverBase* Input(int index) = 0;
  // receiver is a Receiver<Out> of the output's type.
  virtual void SetOutput(int output, ReceiverBase* receiver) = 0;

  virtual absl::Status Open(OperatorContext& context) = 0;  // user
  // A fire in progress (protocols.md D3): the loop calls Continue in slices and takes no input until it is done, but
  // serves its mailbox in between.
  virtual bool HasPending() const { return false; }
  virtual void Continue() {}  // user
  // Between records: after each source batch and at the automatic watermark interval. now_ms is monotonic.
  virtual void OnTick(int64_t now_ms) { (void)now_ms; }
  // Between records: the input has run dry, or the buffer timeout is over. Emit what was held back to make it smaller.
  virtual void Flush() {}  // user
  // All input has ended: emit what is left. Waits like any emission.
  virtual absl::Status Finish() { return absl::OkStatus(); }  // user
  virtual void Close() {}                                     // user

  // ---- at a barrier, between records, producers first ----
  // Before the barrier goes downstream: emit what must be on this side of it. May wait.
  virtual absl::Status PrepareBarrier(const Barrier& barrier) { return (void)barrier, absl::OkStatus(); }
  // What the operator needs to go on from here, beside its keyed state. May wait (a sink for its deliveries).
  virtual absl::Status Snapshot(const Barrier& barrier, OperatorStateWriter& state) {
    return (void)barrier, (void)state, absl::OkStatus();
  }
  // All checkpoints up to this one are decided; a notice may be missing, or come twice. Called inside any wait
  // (protocols.md D2): take note, do not emit.
  virtual void OnDecided(uint64_t checkpoint_id) { (void)checkpoint_id; }
  virtual void OnAborted(uint64_t checkpoint_id) { (void)checkpoint_id; }
  // What Finish has written is not out yet: the task waits for one more checkpoint to be decided before it ends.
  virtual bool NeedsFinalCheckpoint() const { return false; }
  // What decided checkpoints cover is not out yet either: the task waits for that, too.
  // The oldest checkpoint whose output it has made ready and not committed.
  virtual std::optional<uint64_t> OldestUncommitted() const { return std::nullopt; }
};

// Rows a fire handles before the loop looks at its mailbox.
inline constexpr int kFireSliceRows = 256;

enum class SourceStep { kMore, kDry, kFinished };

// The head of a source chain.
class SourceOperator : public Operator {
 public:
  ReceiverBase* Input(int) final { return nullptr; }
  // Learns where it begins, without emitting. Called until true, before the first snapshot and the first Poll.
  virtual absl::StatusOr<bool> Prepare() = 0;     // user
  virtual absl::StatusOr<SourceStep> Poll() = 0;  // user
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_OPERATOR_H_
