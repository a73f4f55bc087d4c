// Checkpoints as a task sees them: when its source may begin, its barriers, what it hands in.
#include <utility>

#include "runtime/core/status.h"
#include "runtime/task/task.h"

namespace penstock {

void Task::StartSources() {
  mailbox_->PostBetweenRecords([this] { sources_started_ = true; });
}

void Task::TriggerCheckpoint(const Barrier& barrier) {
  const int64_t posted_ns = environment_.clock.MonotonicNs();
  mailbox_->PostBetweenRecords([this, barrier, posted_ns] { OnTriggerMail(barrier, posted_ns); });
}

void Task::OnDecided(uint64_t checkpoint_id) {
  mailbox_->PostAnytime([this, checkpoint_id] {
    decided_ = std::max(decided_.value_or(0), checkpoint_id);
    chain_.OnDecided(checkpoint_id);
    ReportCommitted();
  });
}

// Once for each decision: that nothing it covers waits to be committed here any more (protocols.md B4).
void Task::ReportCommitted() {
  if (!decided_ || (reported_ && *reported_ >= *decided_)) return;
  const std::optional<uint64_t> oldest = chain_.OldestUncommitted();
  if (oldest && *oldest <= *decided_) return;
  reported_ = decided_;
  environment_.listener.OnCommitted(info_, *decided_);
}

void Task::OnAborted(uint64_t checkpoint_id) {
  mailbox_->PostAnytime([this, checkpoint_id] {
    const BarrierAligner::Decision decision = aligner_.OnAborted(checkpoint_id);
    if (decision.release) first_barrier_ns_ = 0;
    Act(decision, -1);
    chain_.OnAborted(checkpoint_id);
  });
}

void Task::OnBaseDurable(uint64_t base_id, bool durable) {
  mailbox_->PostBetweenRecords([this, base_id, durable] {
    if (durable) {
      chain_.keyed_backend().OnBaseDurable(base_id);
    } else {
      chain_.keyed_backend().OnBaseFailed(base_id);
    }
  });
}

void Task::TrickleState() {
  if (absl::Status status = chain_.Trickle(); !status.ok()) {
    return FailWith(status, TaskFailure::Domain::kInternal);
  }
  if (environment_.checkpointing == Checkpointing::kOff) return;
  if (std::optional<ChainPart> base = chain_.keyed_backend().TakeNewBase()) {
    environment_.listener.OnNewBase(info_, *std::move(base));
  }
}

bool Task::PrepareSource() {
  const absl::StatusOr<bool> prepared = chain_.source()->Prepare();
  if (!prepared.ok()) {
    FailWith(prepared.status(), TaskFailure::Domain::kExternal);
    return false;
  }
  source_prepared_ = *prepared;
  if (source_prepared_ && deferred_trigger_) {
    Act(aligner_.OnTrigger(*std::exchange(deferred_trigger_, std::nullopt)), -1);
  }
  return source_prepared_;
}

void Task::OnTriggerMail(const Barrier& barrier, int64_t posted_ns) {
  if (chain_.source() != nullptr) held_up_ = mailbox_->LastWaitSince(posted_ns);
  if (chain_.source() != nullptr && !source_prepared_) {
    deferred_trigger_ = barrier;  // its snapshot must say where it begins
    return;
  }
  Act(aligner_.OnTrigger(barrier), -1);
}

void Task::OnBarrierFrame(int channel, std::string_view payload) {
  const std::optional<Barrier> barrier = DecodeBarrier(payload);
  if (!barrier) {
    return FailWith(DataLoss("a barrier from subtask {} does not decode", inputs_[channel].producer_subtask),
                    TaskFailure::Domain::kInternal);
  }
  const bool was_aligning = aligner_.aligning();
  const BarrierAligner::Decision decision = aligner_.OnBarrier(channel, *barrier);
  const bool stale = !decision.block && !decision.complete;
  if (!stale && (!was_aligning || (decision.block && decision.release))) {
    first_barrier_ns_ = environment_.clock.MonotonicNs();
    start_delay_us_ = StartDelayUs(*barrier);
  }
  Act(decision, channel);
}

void Task::Act(const BarrierAligner::Decision& decision, int channel) {
  if (decision.release) gate_.ReleaseAll();
  if (decision.block) gate_.Block(channel);
  if (decision.complete) TakeSnapshot(*decision.complete, channel);
}

int64_t Task::StartDelayUs(const Barrier& barrier) const {
  if (barrier.trigger_ms <= 0) return 0;
  return std::max<int64_t>(0, environment_.clock.NowMs() - barrier.trigger_ms) * 1000;  // of two machines' clocks
}

void Task::NoteWaits(TaskSnapshot& snapshot, int channel, int64_t began_ns) {
  snapshot.sync_us = (environment_.clock.MonotonicNs() - began_ns) / 1000;
  snapshot.start_delay_us = start_delay_us_;
  if (gate_.size() > 1 && first_barrier_ns_ > 0 && channel >= 0) {
    snapshot.alignment_us = (began_ns - first_barrier_ns_) / 1000;
    snapshot.waited_for = ProducerOf(inputs_[channel]);
    snapshot.waited_us = snapshot.alignment_us;
  }
  for (const Mailbox::OutputWait& wait : {held_up_, mailbox_->longest_wait()}) {
    if (wait.took_ns / 1000 <= snapshot.waited_us) continue;
    snapshot.waited_for = wait.why;
    snapshot.waited_us = wait.took_ns / 1000;
  }
  first_barrier_ns_ = 0;
  held_up_ = {};
}

void Task::TakeSnapshot(const Barrier& barrier, int channel) {
  const int64_t began_ns = environment_.clock.MonotonicNs();
  if (first_barrier_ns_ == 0) start_delay_us_ = StartDelayUs(barrier);
  mailbox_->WatchWaits();
  if (chain_.source() != nullptr && barrier.ending == BarrierEnding::kDrain) DrainSource();
  absl::Status status = chain_.PrepareBarrier(barrier);
  if (!status.ok()) return FailWith(status, TaskFailure::Domain::kUser);
  // The barrier goes first: those behind us need not wait for our snapshot. It ends its buffer, so that a consumer that
  // aligns holds no half-read one.
  const std::string payload = EncodeBarrier(barrier);
  for (const auto& partition : partitions_) partition->AppendToAll(FrameKind::kBarrier, payload);
  Flush();
  TaskSnapshot snapshot;
  snapshot.barrier = barrier;
  snapshot.watermark = tracker_.watermark();
  status = chain_.Snapshot(snapshot);
  if (status.ok()) status = chain_.TakeFailure();
  if (!status.ok()) return FailWith(status, TaskFailure::Domain::kUser);
  if (Stopping()) return;  // what was waited for did not come
  NoteWaits(snapshot, channel, began_ns);
  if (barrier.ending != BarrierEnding::kGoesOn) ends_with_ = barrier.id;
  if (chain_.source() != nullptr && barrier.ending != BarrierEnding::kGoesOn) {
    source_finished_ = true;
    suspended_ = barrier.ending == BarrierEnding::kSuspend;
  }
  if (barrier.last_decided) decided_ = std::max(decided_.value_or(0), *barrier.last_decided);
  ReportCommitted();
  environment_.listener.OnSnapshot(info_, std::move(snapshot), false);
}

// stop --drain: everything the windows hold comes out before the barrier.
void Task::DrainSource() {
  if (drained_) return;
  drained_ = true;
  absl::Status status;
  chain_.FinishNext(status);  // the source's own: the maximum watermark
  while (!Stopping() && chain_.HasPending()) chain_.ContinuePending();
}

bool Task::MayEnd() const {
  return !chain_.NeedsFinalCheckpoint() && !chain_.OldestUncommitted() &&
         (!ends_with_ || (decided_ && *decided_ >= *ends_with_));
}

// End of input: what was written since the last barrier waits for a checkpoint of its own and for its commit, and a
// task that was stopped with a checkpoint for its decision. The wait is one for input, because the trigger comes as
// mail; the ticks let sinks go on.
void Task::AwaitFinalCheckpoint() {
  while (!Stopping()) {
    mailbox_->RunBetweenRecords();
    if (Stopping()) return;
    const int64_t now_ns = environment_.clock.MonotonicNs();
    mailbox_->ClearNudge();
    chain_.OnTick(now_ns / 1'000'000);
    if (absl::Status status = chain_.TakeFailure(); !status.ok()) {
      return FailWith(status, TaskFailure::Domain::kExternal);
    }
    ReportCommitted();
    if (MayEnd()) return;
    mailbox_->WaitUntilDeadline(
        WaitKind::kInput, "the last checkpoint", [&] { return MayEnd() || mailbox_->nudged(); },
        now_ns + environment_.options.auto_watermark_interval_ms * 1'000'000);
  }
}

void Task::HandInLast() {
  TaskSnapshot snapshot;
  snapshot.barrier.id = kLastSnapshot;
  snapshot.watermark = tracker_.watermark();
  if (absl::Status status = chain_.Snapshot(snapshot); !status.ok()) {
    return FailWith(status, TaskFailure::Domain::kUser);
  }
  environment_.listener.OnSnapshot(info_, std::move(snapshot), true);
}

}  // namespace penstock
