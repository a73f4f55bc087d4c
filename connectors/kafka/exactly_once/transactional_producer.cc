#include "connectors/kafka/exactly_once/transactional_producer.h"

#include <cstring>
#include <utility>

#include "connectors/kafka/exactly_once/log_record.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr size_t kLengthBytes = 4;

absl::Status Stopped() { return Cancelled("kafka sink: the task is to stop"); }

}  // namespace

absl::Status TransactionalProducer::Open(Context& context) {
  context_ = &context;
  if (!start_.origin.checkpoints) {
    return FailedPrecondition(
        "kafka sink '{}': exactly-once delivery commits with checkpoints, and the job takes none: set "
        "execution.checkpointing.dir and execution.checkpointing.interval, or use Delivery::at_least_once",
        start_.sink_uid);
  }
  name_ = SlotIdentity{start_.origin.cluster_id, start_.origin.job_uid, start_.sink_uid, context.subtask()}.Name();
  committer_ = std::make_unique<Committer>(context.clock(), context.waker());
  const auto stop = [committer = committer_.get()] { return committer->stopping(); };
  std::unique_ptr<Sender> sender;
  PENSTOCK_RETURN_IF_ERROR(Call("the recovery of the Kafka sink", [&]() -> absl::Status {
    const auto note = [this](std::string text) { committer_->SetNote(std::move(text)); };
    PENSTOCK_ASSIGN_OR_RETURN(limits_, preflight_(sink_, start_.origin, note, stop));
    SlotRecovery recovery(sink_, start_, limits_, context.subtask(), context.parallelism(), context.clock(), stop,
                          failpoint_);
    PENSTOCK_ASSIGN_OR_RETURN(sender, recovery.Run());
    gauges_->rewritten_epochs = recovery.rewritten_epochs();
    return absl::OkStatus();
  }));
  if (!limits_.warning.empty()) context.log_warn(limits_.warning);
  client_.emplace(sink_, name_, sender->client(), stop);
  producer_.Adopt(context, std::move(sender));
  start_.parts.clear();  // their logs may go
  MakeGauges(limits_);
  NewLog();
  return absl::OkStatus();
}

void TransactionalProducer::MakeGauges(const TransactionLimits& limits) {
  const Clock* clock = &context_->clock();
  const auto age_ms = [gauges = gauges_, clock]() -> double {
    const int64_t opened_ms = gauges->opened_ms;
    return opened_ms == 0 ? 0 : static_cast<double>(clock->MonotonicMs() - opened_ms);
  };
  context_->gauge("oldestOpenTransactionMs", age_ms);
  context_->gauge("openTransactionShareOfTimeout",
                  [age_ms, timeout_ms = limits.timeout_ms] { return age_ms() / static_cast<double>(timeout_ms); });
  context_->gauge("waitingBytes", [gauges = gauges_] { return static_cast<double>(gauges->waiting_bytes); });
  context_->gauge("logBytes", [gauges = gauges_] { return static_cast<double>(gauges->log_bytes); });
  context_->gauge("rewrittenEpochs", [gauges = gauges_] { return static_cast<double>(gauges->rewritten_epochs); });
}

// Runs `call` on the committer's thread and waits for it.
absl::Status TransactionalProducer::Call(const char* why, std::function<absl::Status()> call) {
  committer_->Start(std::move(call));
  std::optional<absl::Status> outcome;
  const bool go_on = context_->WaitUntil(why, [&] {
    context_->set_status_note(committer_->note());
    outcome = committer_->Take();
    return outcome.has_value();
  });
  context_->set_status_note("");
  if (!go_on) {
    committer_->Interrupt();  // what the call refers to must outlive it
    return Stopped();
  }
  return *outcome;
}

void TransactionalProducer::NewLog() {
  const std::string name = fmt::format("{}-{}-{}", start_.origin.generation, name_, logs_made_++);
  log_ = MakeSinkLog(name, start_.origin.local_directory, kLogBytesMax);
}

absl::Status TransactionalProducer::BeginWhenNone() {
  if (in_transaction_) return absl::OkStatus();
  PENSTOCK_RETURN_IF_ERROR(client_->Begin());
  in_transaction_ = true;
  gauges_->opened_ms = context_->clock().MonotonicMs();
  return absl::OkStatus();
}

absl::Status TransactionalProducer::Produce(const Outgoing& record) {
  PENSTOCK_RETURN_IF_ERROR(BeginWhenNone());
  return Explained(producer_.Send(record));
}

// A delivery that fails with its transaction says that it was purged, and not what happened to the transaction.
absl::Status TransactionalProducer::Explained(absl::Status delivery) const {
  if (!absl::IsUnavailable(delivery) || !in_transaction_) return delivery;
  absl::Status trouble = client_->Trouble();
  return trouble.ok() ? delivery : trouble;
}

absl::Status TransactionalProducer::Send(const Outgoing& record) {
  if (phase_ == Phase::kCommitting) PENSTOCK_RETURN_IF_ERROR(Settle());
  EncodeLogRecord(record, scratch_);
  PENSTOCK_RETURN_IF_ERROR(log_->Append(scratch_));
  if (phase_ == Phase::kWriting) {
    if (!waiting_.empty()) PENSTOCK_RETURN_IF_ERROR(DrainWaiting());
    return Produce(record);
  }
  const auto length = static_cast<uint32_t>(scratch_.size());
  char prefix[kLengthBytes];
  std::memcpy(prefix, &length, kLengthBytes);
  waiting_.append(prefix, kLengthBytes);
  waiting_.append(scratch_);
  gauges_->waiting_bytes = static_cast<int64_t>(waiting_.size());
  if (waiting_.size() < kWaitingBytesMax) return absl::OkStatus();
  PENSTOCK_RETURN_IF_ERROR(AwaitCommit());
  return DrainWaiting();
}

absl::Status TransactionalProducer::DrainWaiting() {
  LogRecord record;
  while (waiting_at_ < waiting_.size()) {
    uint32_t length = 0;
    std::memcpy(&length, waiting_.data() + waiting_at_, kLengthBytes);
    const std::string_view bytes = std::string_view(waiting_).substr(waiting_at_ + kLengthBytes, length);
    if (!DecodeLogRecord(bytes, record)) return Internal("a waiting record does not decode");
    PENSTOCK_RETURN_IF_ERROR(Produce(record.record));
    waiting_at_ += kLengthBytes + length;
  }
  waiting_.clear();
  waiting_at_ = 0;
  gauges_->waiting_bytes = 0;
  return absl::OkStatus();
}

// Takes note of a commit that has ended.
absl::Status TransactionalProducer::Settle() {
  if (phase_ != Phase::kCommitting) return failure_;
  const std::optional<absl::Status> outcome = committer_->Take();
  if (!outcome) return failure_;
  failure_ = *outcome;
  if (!failure_.ok()) return failure_;
  phase_ = Phase::kWriting;
  in_transaction_ = false;
  sealed_.clear();  // a barrier comes after the commit, so all of them are of this transaction
  gauges_->opened_ms = 0;
  gauges_->log_bytes = 0;
  return absl::OkStatus();
}

absl::Status TransactionalProducer::Advance() {
  PENSTOCK_RETURN_IF_ERROR(Settle());
  if (phase_ != Phase::kWriting || waiting_.empty()) return absl::OkStatus();
  return DrainWaiting();
}

void TransactionalProducer::StartCommit() {
  phase_ = Phase::kCommitting;
  committer_->Start([this, client = *client_]() -> absl::Status {
    PENSTOCK_RETURN_IF_ERROR(At("before the commit"));
    PENSTOCK_RETURN_IF_ERROR(client.Commit());
    committed_ms_ = context_->clock().MonotonicMs();
    return At("after the commit");
  });
}

absl::Status TransactionalProducer::AwaitCommit() {
  absl::Status status;
  const bool go_on = context_->WaitUntil(fmt::format("checkpoint {} and its commit", prepared_id_), [&] {
    status = Settle();
    return phase_ == Phase::kWriting || !status.ok();
  });
  return go_on ? status : Stopped();
}

void TransactionalProducer::OnDecided(uint64_t checkpoint_id) {
  if (phase_ == Phase::kPrepared && prepared_id_ <= checkpoint_id) StartCommit();
}

void TransactionalProducer::OnAborted(uint64_t checkpoint_id) {
  if (phase_ == Phase::kPrepared && prepared_id_ == checkpoint_id) phase_ = Phase::kWriting;
}

// The barrier tells the outcome of every checkpoint before it, should the notice have been lost.
absl::Status TransactionalProducer::ResolvePrepared(const Barrier& barrier) {
  if (phase_ == Phase::kPrepared) {
    if (barrier.last_decided && *barrier.last_decided >= prepared_id_) {
      StartCommit();
    } else {
      phase_ = Phase::kWriting;
    }
  }
  return phase_ == Phase::kCommitting ? AwaitCommit() : absl::OkStatus();
}

absl::Status TransactionalProducer::SealLog() {
  if (log_->size_bytes() == 0) return absl::OkStatus();
  PENSTOCK_ASSIGN_OR_RETURN(SealedLog sealed, log_->Seal());
  gauges_->log_bytes += sealed.size_bytes();
  sealed_.push_back(std::move(sealed));
  NewLog();
  return absl::OkStatus();
}

absl::StatusOr<SinkPart> TransactionalProducer::Prepare(const Barrier& barrier) {
  SinkPart part{.state = SlotState{context_->subtask(), sink_.topic}.Encode()};
  if (barrier.id == kLastSnapshot) return part;  // everything is committed
  PENSTOCK_RETURN_IF_ERROR(ResolvePrepared(barrier));
  PENSTOCK_RETURN_IF_ERROR(DrainWaiting());
  PENSTOCK_RETURN_IF_ERROR(At("before the flush"));
  PENSTOCK_RETURN_IF_ERROR(Explained(producer_.Flush()));
  PENSTOCK_RETURN_IF_ERROR(At("before the marker"));
  PENSTOCK_RETURN_IF_ERROR(BeginWhenNone());
  PENSTOCK_RETURN_IF_ERROR(
      Call("the marker of the transaction", [&, client = *client_] { return SendMarker(client, barrier.id); }));
  PENSTOCK_RETURN_IF_ERROR(At("after the marker"));
  PENSTOCK_RETURN_IF_ERROR(SealLog());
  part.logs = sealed_;
  phase_ = Phase::kPrepared;
  prepared_id_ = barrier.id;
  return part;
}

// On the committer's thread.
absl::Status TransactionalProducer::SendMarker(const TransactionClient& client, uint64_t checkpoint_id) {
  const int64_t since_ms = context_->clock().MonotonicMs() - committed_ms_;
  if (since_ms < kMarkerAfterCommitMs.count()) {
    Mutex mutex;
    CondVar never;
    MutexLock lock(&mutex);
    never.WaitFor(&mutex, kMarkerAfterCommitMs - std::chrono::milliseconds(since_ms));
  }
  return client.SendMarker({start_.origin.generation, checkpoint_id});
}

bool TransactionalProducer::HasUnprepared() const {
  if (log_ == nullptr) return false;
  return log_->size_bytes() > 0 || (phase_ == Phase::kWriting && !sealed_.empty());
}

void TransactionalProducer::Close() {
  if (committer_ == nullptr) return;
  // What is open must not hold back those who read committed records only until it times out.
  bool ended = !in_transaction_;
  if (in_transaction_ && failure_.ok() && At("close").ok()) {
    committer_->Stop([this, &ended] {
      const bool committed = phase_ == Phase::kCommitting && committer_->Take().value_or(absl::OkStatus()).ok();
      ended = committed || client_->Abort().ok();
    });
  }
  committer_.reset();
  if (ended) {
    producer_.Close();
  } else {
    producer_.Abandon();
  }
}

}  // namespace penstock::kafka
