// The life of one sink slot between recovery and end: what docs/exactly_once.md tells, from the task's side.
//
// Records go into the open transaction and into the running log at once. At barrier n the transaction is marked with n
// and the log handed in; until n is decided and the transaction committed, records go into the log and into `waiting_`
// only (at most kWaitingBytesMax; then the writer waits). If n is given up the same transaction goes on. Owner: the
// task's thread; everything that blocks runs on the committer. A transaction that the broker has aborted fails the
// task: the next attempt writes it again from the log.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTIONAL_PRODUCER_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTIONAL_PRODUCER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/exactly_once/marker.h"
#include "connectors/kafka/exactly_once/preflight.h"
#include "connectors/kafka/exactly_once/slot_recovery.h"
#include "connectors/kafka/exactly_once/transaction_client.h"
#include "connectors/kafka/producer.h"
#include "runtime/task/committer.h"
#include "runtime/task/sink.h"

namespace penstock::kafka {

inline constexpr size_t kWaitingBytesMax = 16 << 20;
// The broker ends a transaction for some time after it has said so, and whoever begins the next one meanwhile is told
// to try again; librdkafka then lets 100 ms pass, during which a barrier would wait for its marker.
inline constexpr std::chrono::milliseconds kMarkerAfterCommitMs{10};
inline constexpr int64_t kLogBytesMax = int64_t{4} << 30;

class TransactionalProducer final : public SinkTransactions {
 public:
  TransactionalProducer(Sink sink, Failpoint failpoint = {}, Preflight preflight = CheckBroker)
      : sink_(std::move(sink)), failpoint_(std::move(failpoint)), preflight_(std::move(preflight)) {}
  ~TransactionalProducer() override { Close(); }

  absl::Status Open(Context& context);
  absl::Status Send(const Outgoing& record);
  void Close();

  void Begin(SinkStart start) override { start_ = std::move(start); }
  absl::StatusOr<SinkPart> Prepare(const Barrier& barrier) override;
  void OnDecided(uint64_t checkpoint_id) override;
  void OnAborted(uint64_t checkpoint_id) override;
  absl::Status Advance() override;
  bool HasUnprepared() const override;
  std::optional<uint64_t> OldestUncommitted() const override {
    return phase_ == Phase::kWriting ? std::nullopt : std::optional(prepared_id_);
  }

 private:
  enum class Phase {
    kWriting,     // nothing stands between the log and the transaction
    kPrepared,    // marked with prepared_id_, whose outcome is not known
    kCommitting,  // the committer is at it
  };
  // Read by metrics.
  struct Gauges {
    std::atomic<int64_t> opened_ms{0};  // monotonic; 0: no transaction is open
    std::atomic<int64_t> waiting_bytes{0};
    std::atomic<int64_t> log_bytes{0};
    std::atomic<int64_t> rewritten_epochs{0};
  };

  absl::Status Call(const char* why, std::function<absl::Status()> call);
  void MakeGauges(const TransactionLimits& limits);
  absl::Status Settle();
  void StartCommit();
  absl::Status AwaitCommit();
  absl::Status SendMarker(const TransactionClient& client, uint64_t checkpoint_id);
  absl::Status Produce(const Outgoing& record);
  absl::Status Explained(absl::Status delivery) const;
  absl::Status BeginWhenNone();
  absl::Status DrainWaiting();
  absl::Status ResolvePrepared(const Barrier& barrier);
  absl::Status SealLog();
  void NewLog();
  absl::Status At(std::string_view point) const { return failpoint_ ? failpoint_(point) : absl::OkStatus(); }

  const Sink sink_;
  const Failpoint failpoint_;
  const Preflight preflight_;
  SinkStart start_;
  Context* context_ = nullptr;
  std::string name_;  // of the slot
  TransactionLimits limits_;
  Producer producer_{sink_};
  std::optional<TransactionClient> client_;
  bool in_transaction_ = false;
  Phase phase_ = Phase::kWriting;
  uint64_t prepared_id_ = 0;
  std::unique_ptr<SinkLog> log_;  // since the last barrier
  int64_t logs_made_ = 0;
  std::vector<SealedLog> sealed_;  // not known to be committed, oldest first
  std::string waiting_;            // records with their u32 lengths
  size_t waiting_at_ = 0;          // those before it are in the transaction
  std::string scratch_;
  std::atomic<int64_t> committed_ms_{0};  // monotonic: when the broker said so last
  absl::Status failure_;
  std::shared_ptr<Gauges> gauges_ = std::make_shared<Gauges>();
  std::unique_ptr<Committer> committer_;  // last: its thread uses the rest
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTIONAL_PRODUCER_H_
