// Writes to one topic from a task: a Sender whose waits (for the topic to exist, for room in the queue, for deliveries)
// are the task's, woken by librdkafka's callbacks.
//
// Owner: the task's thread. The first delivery that fails surfaces at the next call.
#ifndef PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_
#define PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "connectors/kafka/sender.h"
#include "connectors/kafka/topic_probe.h"

namespace penstock::kafka {

class Producer {
 public:
  explicit Producer(Sink sink) : sink_(std::move(sink)) {}

  absl::Status Open(Context& context);
  // With a sender that was made elsewhere, to a topic that is there.
  void Adopt(Context& context, std::unique_ptr<Sender> sender);
  absl::Status Send(const Outgoing& record);
  absl::Status Flush();
  void Close();
  void Abandon();  // instead of Close: see Sender::Abandon

 private:
  absl::Status AwaitTopic();
  absl::Status Stopped() const;
  void ShowNote(std::string note);

  const Sink sink_;
  Context* context_ = nullptr;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<TopicProbe> probe_;  // until the topic is found
  std::string note_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_PRODUCER_H_
