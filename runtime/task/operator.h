// The contract between the task loop and the operators of a chain. The loop knows nothing else of operators, and
// operators know nothing of threads, network or storage.
//
// Owner: the task's thread. Life: constructed → SetOutput for each output → Open → records, watermarks, ticks →
// Finish (end of input only) → Close. User code throws only inside the calls marked "user"; the chain catches it.
#ifndef PENSTOCK_RUNTIME_TASK_OPERATOR_H_
#define PENSTOCK_RUNTIME_TASK_OPERATOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "runtime/record/key_hash.h"
#include "runtime/record/receiver.h"
#include "runtime/task/function_context.h"

namespace penstock {

class KeyedBackend;
class SplitTable;

// What an operator gets when it opens, beyond the user's context.
class OperatorContext : public Context {
 public:
  virtual SplitTable& splits() = 0;              // of the chain's source; one split 0 when there is none
  virtual KeyGroupRange key_groups() const = 0;  // of this subtask
  virtual uint32_t key_group_count() const = 0;
  virtual const std::string& operator_uid() const = 0;  // its state lives under it; empty for operators without
  virtual KeyedBackend& keyed_backend() = 0;            // the task's
  // Tells the chain which operator's user code is failing; called on the way of an exception.
  virtual void NoteFailingOperator() = 0;
  virtual void count_late(TimestampMs timestamp) = 0;
  // What crosses the job's border counts as the task's input or output: records of a source, records of a sink.
  virtual Counter& source_records() = 0;
  virtual Counter& sink_records() = 0;
  virtual void sample_malformed(const std::string& reason) = 0;  // counts and logs at a bounded rate
  virtual void Fail(absl::Status status) = 0;                    // the task fails after the current record
};

// The outputs of an operator besides its main one.
inline constexpr int kMainOutput = 0;
inline constexpr int kMalformedOutput = 1;

class Operator {
 public:
  virtual ~Operator() = default;

  virtual ReceiverBase* Input(int index) = 0;  // null for sources
  // receiver is a Receiver<Out> of the output's type.
  virtual void SetOutput(int output, ReceiverBase* receiver) = 0;

  virtual absl::Status Open(OperatorContext& context) = 0;  // user
  // A fire in progress (protocols.md D3): the loop calls Continue in slices and takes no input until it is done, but
  // serves its mailbox in between.
  virtual bool HasPending() const { return false; }
  virtual void Continue() {}  // user
  // Between records: after each source batch and at the automatic watermark interval. now_ms is monotonic.
  virtual void OnTick(int64_t now_ms) { (void)now_ms; }
  // All input has ended: emit what is left. Waits like any emission.
  virtual absl::Status Finish() { return absl::OkStatus(); }  // user
  virtual void Close() {}                                     // user
};

// Rows a fire handles before the loop looks at its mailbox.
inline constexpr int kFireSliceRows = 256;

enum class SourceStep { kMore, kDry, kFinished };

// The head of a source chain.
class SourceOperator : public Operator {
 public:
  ReceiverBase* Input(int) final { return nullptr; }
  virtual absl::StatusOr<SourceStep> Poll() = 0;  // user
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_OPERATOR_H_
