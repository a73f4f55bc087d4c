#include "connectors/kafka/topic_probe.h"

#include <fmt/format.h>

#include "connectors/kafka/metadata.h"
#include "runtime/core/status.h"

namespace penstock::kafka {

TopicProbe::TopicProbe(rd_kafka_t* client, const Sink& sink, std::shared_ptr<Waker> waker)
    : client_(client), brokers_(sink.brokers), topic_(sink.topic), waker_(std::move(waker)) {
  thread_.emplace([this] { return Look(); });
}

std::string TopicProbe::note() {
  MutexLock lock(&mutex_);
  return note_;
}

std::optional<std::chrono::milliseconds> TopicProbe::Look() {
  const auto topics = ListTopics(client_, /*all=*/false);
  std::string note;
  if (!topics.ok()) {
    note = fmt::format("kafka {}: {}; retrying", brokers_, MessageOf(topics.status()));
  } else if (const auto found = topics->find(topic_); found == topics->end()) {
    note = fmt::format("kafka {}: topic '{}': no answer about it; retrying", brokers_, topic_);
  } else if (!found->second.error.empty()) {
    note = fmt::format("kafka {}: topic '{}': {}; retrying", brokers_, topic_,
                       found->second.missing ? "does not exist, create it" : found->second.error);
  } else {
    found_.store(true, std::memory_order_release);
    waker_->Wake();
    return std::nullopt;
  }
  {
    MutexLock lock(&mutex_);
    note_ = std::move(note);
  }
  waker_->Wake();
  return backoff_.Next();
}

}  // namespace penstock::kafka
