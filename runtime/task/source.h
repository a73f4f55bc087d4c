// The contract of a source: who reads records into a job.
//
// A *source description* is a copyable struct S in the user's program (kafka::Source{...}) with
//   using Output = T;                                           // what it emits
//   absl::Status Validate() const;                              // at graph build; all problems in one message
//   std::string Describe() const;                               // one line for the plan
//   std::unique_ptr<SourceReader<T>> CreateReader() const;      // one per subtask, in the worker
//   bool Replayable() const;                                    // optional; false: what was read before a failure is
//                                                               // gone, and no sink behind it may be exactly-once
// A reader is used by its task's thread alone.
#ifndef PENSTOCK_RUNTIME_TASK_SOURCE_H_
#define PENSTOCK_RUNTIME_TASK_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/record/time.h"
#include "runtime/task/function_context.h"

namespace penstock {

// Index of a split (a Kafka partition, a file) within one reader; dense, given by SourceOutput::AddSplit.
using SplitIndex = int;

enum class PollResult {
  kMore,      // something was emitted, or more may be there at once: call again
  kDry,       // nothing there now: the task flushes and sleeps until woken by the waker (or kSourcePollMax)
  kFinished,  // bounded input is at its end; Poll is not called again
};

// Where a reader puts records and what it knows about its splits. Calls may block in the task's mailbox wait
// (backpressure); after cancel they return at once and drop.
template <class T>
class SourceOutput {
 public:
  virtual ~SourceOutput() = default;
  // The record's view members must stay valid until Emit returns. timestamp: the record's own (Kafka's), or
  // kNoTimestamp.
  virtual void Emit(SplitIndex split, const T& value, TimestampMs timestamp) = 0;

  // Something waits that is served between two polls (a checkpoint). Asked after an Emit, which may have been blocked
  // for long: a batch in hand is left here, Poll returns kMore and goes on next time.
  virtual bool ShouldYield() const { return false; }

  virtual SplitIndex AddSplit(std::string name) = 0;
  // Said in Open by a reader that learns its splits later (Kafka's partitions), and taken back once it has added the
  // first of them all. Meanwhile the subtask has no time of its own, and is not idle either: others must wait for it.
  virtual void SetDiscovering(bool discovering) = 0;
  // A split is caught up when its end has been read (partition EOF at the high watermark). Only then may its idle
  // clock run (protocols.md F1). Emit makes it not caught up.
  virtual void SetCaughtUp(SplitIndex split) = 0;
  virtual void FinishSplit(SplitIndex split) = 0;  // bounded input: its end was reached
  // For lag: next position to read and the end of the split, -1 when unknown.
  virtual void SetPosition(SplitIndex split, int64_t position, int64_t end) = 0;
};

template <class T>
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual absl::Status Open(Context& context, SourceOutput<T>& output) = 0;
  // Learns the splits and where each begins, emitting nothing; false: not yet, ask again when woken. Called until it is
  // true, before Snapshot and Poll: a start position that depends on the moment is fixed once (protocols.md B5).
  virtual absl::StatusOr<bool> Prepare(SourceOutput<T>& output) { return (void)output, true; }
  // Emits at most one batch (hundreds of records, not millions) and returns without blocking for input. A non-OK
  // status fails the task. Trouble that may pass is retried by the reader and shown by set_status_note.
  virtual absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) = 0;

  // Positions behind everything emitted, one item a split, in the reader's own format. The id is kLastSnapshot at the
  // end.
  virtual absl::Status Snapshot(uint64_t checkpoint_id, std::vector<std::string>* positions) = 0;
  // Before Open, after a restore: the positions of all splits of all subtasks. The reader takes its own out of them by
  // the rule by which it deals out splits; splits without a position are new, and read from their beginning.
  virtual absl::Status Restore(const std::vector<std::string>& positions) = 0;
  // Where the record that is being emitted lies, for people: "topic orders, partition 3, offset 17". Asked inside of
  // Emit, when a function behind the source cannot make sense of the record. Empty: the reader does not know.
  virtual std::string DescribeCurrent() const { return ""; }
  // Everything up to this checkpoint will not be asked for again.
  virtual void OnDecided(uint64_t checkpoint_id) { (void)checkpoint_id; }
  virtual void Close() = 0;  // after the last Poll, also after failure
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_SOURCE_H_
