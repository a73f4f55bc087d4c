// The contract of a sink: who writes records out of a job.
//
// A *sink description* is a copyable struct S (kafka::Sink{...}) with
//   absl::Status Validate() const;                              // at graph build
//   std::string Describe() const;
//   Delivery DeliveryGuarantee() const;
//   template <class T> std::unique_ptr<SinkWriter<T>> CreateWriter() const;   // constrained to the T it can write
// A writer is used by its task's thread alone. penstock/two_phase_sink.h is the way to one that writes exactly once.
#ifndef PENSTOCK_RUNTIME_TASK_SINK_H_
#define PENSTOCK_RUNTIME_TASK_SINK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/checkpoint/barrier.h"
#include "runtime/record/time.h"
#include "runtime/task/attempt_origin.h"
#include "runtime/task/function_context.h"
#include "runtime/task/sink_log.h"

namespace penstock {

enum class Delivery { none, at_least_once, exactly_once };

// What one subtask's writer hands in with a checkpoint: state of its own format, and logs.
struct SinkPart {
  std::string state;
  std::vector<SealedLog> logs;
};

struct SinkStart {
  AttemptOrigin origin;
  std::string sink_uid;
  // Of all subtasks of the checkpoint that the attempt begins from. Each writer takes the parts that are its own by a
  // rule that gives every part to exactly one of them.
  std::vector<SinkPart> parts;
};

// The part of a writer whose output becomes visible with the checkpoint that covers it. Task's thread.
class SinkTransactions {
 public:
  virtual ~SinkTransactions() = default;
  // Before SinkWriter::Open. Open returns when everything that the restored checkpoint covers is committed, once and
  // only once: sources start after that (protocols.md B6).
  virtual void Begin(SinkStart start) = 0;
  // Everything written so far is made ready to be committed with this barrier's checkpoint. May wait.
  virtual absl::StatusOr<SinkPart> Prepare(const Barrier& barrier) = 0;
  // Called inside any wait (protocols.md D2): take note, wake the task, do not write.
  virtual void OnDecided(uint64_t checkpoint_id) = 0;
  virtual void OnAborted(uint64_t checkpoint_id) = 0;
  // Between records, every now and then: what the notices have made possible. A non-OK status fails the task.
  virtual absl::Status Advance() = 0;
  // Written, and behind no barrier yet: one more checkpoint is needed before the task may end.
  virtual bool HasUnprepared() const = 0;
  // The oldest checkpoint whose output is behind its barrier, and not committed yet. Everything older is committed.
  virtual std::optional<uint64_t> OldestUncommitted() const = 0;
};

template <class T>
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual absl::Status Open(Context& context) = 0;
  // May wait for room by context.WaitUntil. View members of value are valid until it returns. A background failure
  // (a delivery report) surfaces at the next call. A non-OK status fails the task.
  virtual absl::Status Write(const T& value, TimestampMs timestamp) = 0;
  // Returns when everything written so far is delivered (waits by context.WaitUntil). Called at end of input and
  // before a barrier is acknowledged, of writers without transactions.
  virtual absl::Status Flush() = 0;
  // Between records, every now and then (pipeline.auto-watermark-interval): what has waited for company may go. Does
  // not wait. A non-OK status fails the task.
  virtual absl::Status Tick() { return absl::OkStatus(); }
  virtual void Close() = 0;  // also after failure; does not wait for deliveries
  // Null: what is written is visible at once.
  virtual SinkTransactions* transactions() { return nullptr; }
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_SINK_H_
