// A librdkafka producer for one topic that never waits: what the at-least-once and the exactly-once sink share.
//
// Owner: one thread at a time; delivery reports are served there (Poll), so counting records in flight needs no lock.
// The first delivery that fails is kept. Memory: librdkafka's queue, bounded by queue.buffering.max.kbytes.
#ifndef PENSTOCK_CONNECTORS_KAFKA_SENDER_H_
#define PENSTOCK_CONNECTORS_KAFKA_SENDER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"

namespace penstock::kafka {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One record as views, to be copied by TrySend.
struct Outgoing {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  const HeaderList* headers = nullptr;
  TimestampMs timestamp = kNoTimestamp;
  int32_t partition = -1;
};

class Sender final : private ClientEvents {
 public:
  enum class Sent { kYes, kQueueFull, kFailed };

  // overrides: properties that go over the sink's own.
  static absl::StatusOr<std::unique_ptr<Sender>> Create(const Sink& sink, const Properties& overrides = {});
  ~Sender() override;

  // Keeps it until the process ends. librdkafka 2.0.2 may abort the process when a handle is destroyed while it adds
  // partitions to a transaction, so one whose transaction could not be ended is never destroyed. A worker lives for one
  // attempt, and the next attempt fences the handle.
  static void Abandon(std::unique_ptr<Sender> sender);

  Sent TrySend(const Outgoing& record);
  // Wakes `waker` (any thread) whenever there is something to serve.
  void WakeOnEvents(std::shared_ptr<Waker> waker);
  bool has_events() const { return events_waiting_.load(std::memory_order_relaxed); }
  // Serves what has come. Cheap when nothing has; REQUIRES WakeOnEvents.
  void Serve();
  // Serves, and waits for something to come.
  void Poll(int timeout_ms);

  int64_t in_flight() const { return in_flight_; }  // sent and without a delivery report
  const absl::Status& failure() const { return failure_; }
  // Trouble with a broker while records are on their way; empty when they move again.
  const std::string& trouble() const { return trouble_; }
  rd_kafka_t* client() const { return client_.get(); }

 private:
  explicit Sender(const Sink& sink) : sink_(sink) {}

  void OnBrokerTrouble(std::string text) override;
  void OnFatal(std::string text) override;
  void OnDelivery(int32_t partition, std::string_view error) override;
  static void OnEvents(rd_kafka_t* client, void* sender);
  Sent TrySendFull(const Outgoing& record);
  void Fail(absl::Status status);

  const Sink sink_;
  std::shared_ptr<Waker> waker_;
  ClientPtr client_;
  TopicPtr topic_;
  QueuePtr main_queue_;
  int64_t in_flight_ = 0;
  absl::Status failure_;
  std::string trouble_;
  std::atomic<bool> events_waiting_{false};  // set on librdkafka's threads
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_SENDER_H_
