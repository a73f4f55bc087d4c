// Looks whether a topic exists, on its own thread, until it does.
#ifndef PENSTOCK_CONNECTORS_KAFKA_TOPIC_PROBE_H_
#define PENSTOCK_CONNECTORS_KAFKA_TOPIC_PROBE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "connectors/kafka/client.h"
#include "connectors/kafka/retry_thread.h"
#include "runtime/core/mutex.h"

namespace penstock::kafka {

class TopicProbe {
 public:
  // Wakes `waker` when it has news. The client outlives the probe.
  TopicProbe(rd_kafka_t* client, const Sink& sink, std::shared_ptr<Waker> waker);
  bool found() const { return found_.load(std::memory_order_acquire); }
  std::string note() ABSL_LOCKS_EXCLUDED(mutex_);  // what stands in the way

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

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_TOPIC_PROBE_H_
