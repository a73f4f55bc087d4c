// TwoPhaseSink: the way to a sink of one's own that writes exactly once; and the writer that runs it.
//
// What is written is first *prepared* (durable, but not visible to readers), then *committed* once the checkpoint that
// covers it has been decided. In between lies a crash, sooner or later: the next attempt commits again whatever the
// checkpoint says was prepared, so Commit must be able to find its work done already.
#ifndef PENSTOCK_RUNTIME_TASK_TWO_PHASE_SINK_H_
#define PENSTOCK_RUNTIME_TASK_TWO_PHASE_SINK_H_

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/status.h"
#include "runtime/task/committer.h"
#include "runtime/task/sink.h"

namespace penstock {

// Everything needed to commit (or to clean up) some prepared output, in the sink's own format; small.
using Committable = std::string;

// One per subtask. Task's thread, but for Commit.
template <class T>
class TwoPhaseSink {
 public:
  virtual ~TwoPhaseSink() = default;
  // After what was restored has been committed. What dead attempts have prepared and is in no checkpoint may be cleaned
  // up here. Names should carry origin.generation, which no other attempt has.
  virtual absl::Status Open(Context& context, const AttemptOrigin& origin, const std::string& sink_uid) = 0;
  virtual absl::Status Write(const T& value, TimestampMs timestamp) = 0;
  // Makes everything written since the last call durable. May wait by context.WaitUntil.
  virtual absl::StatusOr<std::vector<Committable>> Prepare(uint64_t checkpoint_id) = 0;
  // Makes it visible. On a thread of its own, one call at a time, in the order of Prepare, also for what other subtasks
  // of earlier attempts have prepared; before Open, too. Must do nothing for what is committed already. A non-OK status
  // fails the task, and the next attempt tries again; so an error that may pass is better retried for a while.
  virtual absl::Status Commit(const Committable& committable) = 0;
  virtual void Close() = 0;
};

// Runs a TwoPhaseSink. What is prepared and not yet committed stands in every checkpoint until it is.
template <class T>
class TwoPhaseWriter final : public SinkWriter<T>, public SinkTransactions {
 public:
  explicit TwoPhaseWriter(std::unique_ptr<TwoPhaseSink<T>> sink) : sink_(std::move(sink)) {}
  ~TwoPhaseWriter() override { Close(); }

  SinkTransactions* transactions() override { return this; }
  void Begin(SinkStart start) override { start_ = std::move(start); }

  absl::Status Open(Context& context) override {
    context_ = &context;
    if (!start_.origin.checkpoints) {
      return FailedPrecondition(
          "sink '{}' commits with checkpoints, and the job takes none: set execution.checkpointing.dir and "
          "execution.checkpointing.interval, or use at-least-once delivery",
          start_.sink_uid);
    }
    committer_ = std::make_unique<Committer>(context.clock(), context.waker());
    std::vector<Committable> restored;
    const bool committed = start_.origin.restored && start_.origin.restored->committed;
    for (size_t i = 0; i < start_.parts.size() && !committed; ++i) {
      if (static_cast<int>(i) % context.parallelism() != context.subtask()) continue;
      PENSTOCK_RETURN_IF_ERROR(Decode(start_.parts[i].state, restored));
    }
    StartCommit(std::move(restored));
    PENSTOCK_RETURN_IF_ERROR(AwaitCommit());
    return sink_->Open(context, start_.origin, start_.sink_uid);
  }

  absl::Status Write(const T& value, TimestampMs timestamp) override {
    written_ = true;
    return sink_->Write(value, timestamp);
  }
  absl::Status Flush() override { return absl::OkStatus(); }

  absl::StatusOr<SinkPart> Prepare(const Barrier& barrier) override {
    if (barrier.last_decided) OnDecided(*barrier.last_decided);
    PENSTOCK_RETURN_IF_ERROR(Settle());
    if (barrier.id != kLastSnapshot) {
      PENSTOCK_ASSIGN_OR_RETURN(std::vector<Committable> prepared, sink_->Prepare(barrier.id));
      written_ = false;
      last_barrier_ = barrier.id;
      uncovered_ = false;
      for (Committable& each : prepared) pending_.push_back({barrier.id, std::move(each)});
    }
    SinkPart part;
    for (const Pending& each : pending_) Encode(each.committable, part.state);
    return part;
  }

  void OnDecided(uint64_t checkpoint_id) override {
    decided_ = std::max(decided_.value_or(0), checkpoint_id);
    CommitDecided();
  }
  // What was prepared for it goes into the next checkpoint.
  void OnAborted(uint64_t checkpoint_id) override { uncovered_ = uncovered_ || checkpoint_id == last_barrier_; }
  absl::Status Advance() override { return Settle(); }
  bool HasUnprepared() const override { return written_ || (uncovered_ && !pending_.empty()); }
  std::optional<uint64_t> OldestUncommitted() const override {
    return pending_.empty() ? std::nullopt : std::optional(pending_.front().checkpoint_id);
  }

  void Close() override {
    if (committer_ == nullptr) return;
    committer_->Stop();  // while it is still there for the call under way
    sink_->Close();
    committer_.reset();
  }

 private:
  struct Pending {
    uint64_t checkpoint_id;
    Committable committable;
  };

  // Each as a u32 length and its bytes.
  static void Encode(const Committable& committable, std::string& out) {
    const auto length = static_cast<uint32_t>(committable.size());
    char prefix[4];
    std::memcpy(prefix, &length, 4);
    out.append(prefix, 4);
    out += committable;
  }
  absl::Status Decode(std::string_view bytes, std::vector<Committable>& out) const {
    while (!bytes.empty()) {
      uint32_t length = 0;
      if (bytes.size() >= 4) std::memcpy(&length, bytes.data(), 4);
      if (bytes.size() < 4 || bytes.size() - 4 < length) {
        return DataLoss("sink '{}': what the checkpoint says was prepared does not decode", start_.sink_uid);
      }
      out.emplace_back(bytes.substr(4, length));
      bytes.remove_prefix(4 + length);
    }
    return absl::OkStatus();
  }

  // Hands everything that is decided to the committer, unless that is busy.
  void CommitDecided() {
    if (committing_ > 0 || !decided_) return;
    std::vector<Committable> due;
    for (const Pending& each : pending_) {
      if (each.checkpoint_id <= *decided_) due.push_back(each.committable);
    }
    if (!due.empty()) StartCommit(std::move(due));
  }
  void StartCommit(std::vector<Committable> due) {
    committing_ = due.size() + 1;
    committer_->Start([this, due = std::move(due)]() -> absl::Status {
      for (const Committable& each : due) {
        if (committer_->stopping()) return Cancelled("the task is to stop");
        PENSTOCK_RETURN_IF_ERROR(sink_->Commit(each));
      }
      return absl::OkStatus();
    });
  }
  absl::Status Settle() {
    if (committing_ == 0) return failure_;
    const std::optional<absl::Status> outcome = committer_->Take();
    if (!outcome) return failure_;
    const size_t committed = std::exchange(committing_, 0) - 1;
    failure_ = *outcome;
    if (!failure_.ok()) return failure_;
    pending_.erase(pending_.begin(),
                   pending_.begin() + static_cast<std::ptrdiff_t>(std::min(committed, pending_.size())));
    CommitDecided();
    return absl::OkStatus();
  }
  absl::Status AwaitCommit() {
    absl::Status status;
    const bool go_on = context_->WaitUntil("the commit of what was restored", [&] {
      status = Settle();
      return committing_ == 0 || !status.ok();
    });
    return go_on ? status : Cancelled("the task is to stop");
  }

  const std::unique_ptr<TwoPhaseSink<T>> sink_;
  SinkStart start_;
  Context* context_ = nullptr;
  bool written_ = false;  // since the last barrier
  uint64_t last_barrier_ = kLastSnapshot;
  bool uncovered_ = false;       // the last barrier's checkpoint was given up
  std::deque<Pending> pending_;  // in order of Prepare
  std::optional<uint64_t> decided_;
  size_t committing_ = 0;  // 1 + how many of the head of pending_ are being committed; 0: none
  absl::Status failure_;
  std::unique_ptr<Committer> committer_;  // last: its thread uses the rest
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_TWO_PHASE_SINK_H_
