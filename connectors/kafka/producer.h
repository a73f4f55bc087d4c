// Writes to one topic, at least once: the part of the Kafka sink that does not depend on what is written.
//
// Owner: the task's thread; delivery reports are served there too, so counting records in flight needs no lock. Waits
// (for the topic to exist, for room in the queue, for deliveries) are context.WaitUntil, woken by librdkafka's
// callbacks. The first delivery that fails is kept and surfaces at the next call. Memory: librdkafka's queue, bounded
// by queue.buffering.max.kbytes.
#ifndef PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_
#define PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/retry_thread.h"
#include "runtime/core/mutex.h"

namespace penstock::kafka {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One record as views, to be copied by Send.
struct Outgoing {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  const HeaderList* headers = nullptr;
  TimestampMs timestamp = kNoTimestamp;
  int32_t partition = -1;
};

class Producer final : private ClientEvents {
 public:
  explicit Producer(Sink sink) : sink_(std::move(sink)) {}
  ~Producer() override { Close(); }

  absl::Status Open(Context& context);
  absl::Status Send(const Outgoing& record);
  absl::Status Flush();
  void Close();

 private:
  enum class Sent { kYes, kQueueFull, kFailed };

  // Looks whether the topic exists, on its own thread, until it does.
  class TopicProbe {
   public:
    TopicProbe(rd_kafka_t* client, const Sink& sink, std::shared_ptr<Waker> waker);
    bool found() const { return found_.load(std::memory_order_acquire); }
    std::string note() ABSL_LOCKS_EXCLUDED(mutex_);

   private:
    std::optional<std::chrono::milliseconds> Look() ABSL_LOCKS_EXCLUDED(mutex_);

    rd_kafka_t* const client_;
    const std::string brokers_;
    const std::string topic_;
    const std::shared_ptr<Waker> waker_;
    Backoff backoff_;  // the inner thread's
    std::atomic<bool> found_{false};
    Mutex mutex_;
    std::string note_ ABSL_GUARDED_BY(mutex_);
    std::optional<RetryThread> thread_;  // last
  };

  void OnBrokerTrouble(std::string text) override;
  void OnFatal(std::string text) override;
  void OnDelivery(int32_t partition, std::string_view error) override;

  static void OnEvents(rd_kafka_t* client, void* producer);
  Sent TrySend(const Outgoing& record);
  Sent TrySendFull(const Outgoing& record);
  absl::Status AwaitTopic();
  void Serve();
  void Fail(absl::Status status);
  void ShowNote(std::string note);

  const Sink sink_;
  Context* context_ = nullptr;
  std::shared_ptr<Waker> waker_;
  ClientPtr client_;
  TopicPtr topic_;
  QueuePtr main_queue_;
  std::unique_ptr<TopicProbe> probe_;  // until the topic is found
  int64_t in_flight_ = 0;              // sent and without a delivery report
  absl::Status failure_;
  std::string note_;
  std::atomic<bool> events_waiting_{false};  // set on librdkafka's threads
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_
