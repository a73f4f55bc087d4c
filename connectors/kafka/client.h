// librdkafka's objects as owned C++ values, and the rules for its properties.
#ifndef PENSTOCK_CONNECTORS_KAFKA_CLIENT_H_
#define PENSTOCK_CONNECTORS_KAFKA_CLIENT_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/connectors/kafka.h"

// As in rdkafka.h, which stays in the .cc files.
typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_message_s rd_kafka_message_t;

namespace penstock::kafka {

struct ClientDeleter {
  void operator()(rd_kafka_t* client) const;
  void operator()(rd_kafka_topic_t* topic) const;
  void operator()(rd_kafka_queue_t* queue) const;
  void operator()(rd_kafka_conf_t* conf) const;
};
using ClientPtr = std::unique_ptr<rd_kafka_t, ClientDeleter>;
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, ClientDeleter>;
using QueuePtr = std::unique_ptr<rd_kafka_queue_t, ClientDeleter>;
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ClientDeleter>;

enum class ClientKind { kConsumer, kProducer };

// Trouble that librdkafka reports on the thread that polls it.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  // A broker is down, a name does not resolve, authentication failed...: librdkafka goes on trying.
  virtual void OnBrokerTrouble(std::string text) = 0;
  // The client cannot go on.
  virtual void OnFatal(std::string text) = 0;
  // A record was delivered (text empty) or given up. Producers only.
  virtual void OnDelivery(int32_t /*partition*/, std::string_view /*error*/) {}
};

// Problems of user properties, as whole sentences: unknown ones, bad values, and those in `reserved`, each of which is
// "name=what to use instead".
std::vector<std::string> PropertyProblems(const Properties& properties, std::initializer_list<const char*> reserved);

// Joins problems into one InvalidArgument, OK when there are none.
absl::Status ProblemsToStatus(std::string_view what, const std::vector<std::string>& problems);

// A configuration with `defaults` first and `properties` over them. `events` (may be null) must outlive the client.
absl::StatusOr<ConfPtr> MakeConf(ClientKind kind, const std::string& brokers, const Properties& defaults,
                                 const Properties& properties, ClientEvents* events);
absl::StatusOr<ClientPtr> MakeClient(ClientKind kind, ConfPtr conf);

// Topic configuration comes from the global properties.
absl::StatusOr<TopicPtr> MakeTopic(rd_kafka_t* client, const std::string& topic);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_CLIENT_H_
