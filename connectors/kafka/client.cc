#include "connectors/kafka/client.h"

#include <librdkafka/rdkafka.h>

#include <cstring>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr size_t kErrorTextMax = 512;
constexpr int kSyslogWarning = 4;

void OnLog(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  if (level <= kSyslogWarning) {
    PENSTOCK_LOG(warn, "kafka client {}: {}: {}", rd_kafka_name(client), facility, text);
  } else {
    PENSTOCK_LOG(debug, "kafka client {}: {}: {}", rd_kafka_name(client), facility, text);
  }
}

void OnError(rd_kafka_t* client, int error, const char* reason, void* opaque) {
  auto* events = static_cast<ClientEvents*>(opaque);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    char text[kErrorTextMax];
    rd_kafka_fatal_error(client, text, sizeof(text));
    events->OnFatal(text);
    return;
  }
  events->OnBrokerTrouble(reason);
}

void OnDeliveryReport(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* events = static_cast<ClientEvents*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    events->OnDelivery(message->partition, {});
  } else {
    // Not rd_kafka_message_errstr: for a producer it gives the payload.
    events->OnDelivery(message->partition, rd_kafka_err2str(message->err));
  }
}

}  // namespace

void ClientDeleter::operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
void ClientDeleter::operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
void ClientDeleter::operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
void ClientDeleter::operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }

std::vector<std::string> PropertyProblems(const Properties& properties, std::initializer_list<const char*> reserved) {
  std::vector<std::string> problems;
  ConfPtr conf(rd_kafka_conf_new());
  for (const auto& [name, value] : properties) {
    bool is_reserved = false;
    for (const char* each : reserved) {
      const std::string_view rule(each);
      const size_t equals = rule.find('=');
      if (rule.substr(0, equals) != name) continue;
      problems.push_back(fmt::format("property '{}' cannot be set: {}", name, rule.substr(equals + 1)));
      is_reserved = true;
    }
    if (is_reserved) continue;
    char error[kErrorTextMax];
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      problems.push_back(fmt::format("property '{}': {}", name, error));
    }
  }
  return problems;
}

absl::Status ProblemsToStatus(std::string_view what, const std::vector<std::string>& problems) {
  if (problems.empty()) return absl::OkStatus();
  std::string text;
  for (const std::string& problem : problems) {
    if (!text.empty()) text += "; ";
    text += problem;
  }
  return InvalidArgument("{}: {}", what, text);
}

absl::StatusOr<ConfPtr> MakeConf(ClientKind kind, const std::string& brokers, const Properties& defaults,
                                 const Properties& properties, ClientEvents* events) {
  ConfPtr conf(rd_kafka_conf_new());
  char error[kErrorTextMax];
  const auto set = [&](const std::string& name, const std::string& value) -> absl::Status {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error, sizeof(error)) == RD_KAFKA_CONF_OK) {
      return absl::OkStatus();
    }
    return InvalidArgument("kafka property '{}': {}", name, error);
  };
  if (!brokers.empty()) PENSTOCK_RETURN_IF_ERROR(set("bootstrap.servers", brokers));
  for (const auto& [name, value] : defaults) PENSTOCK_RETURN_IF_ERROR(set(name, value));
  for (const auto& [name, value] : properties) PENSTOCK_RETURN_IF_ERROR(set(name, value));
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  if (events != nullptr) {
    rd_kafka_conf_set_opaque(conf.get(), events);
    rd_kafka_conf_set_error_cb(conf.get(), OnError);
    if (kind == ClientKind::kProducer) rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDeliveryReport);
  }
  return conf;
}

absl::StatusOr<ClientPtr> MakeClient(ClientKind kind, ConfPtr conf) {
  char error[kErrorTextMax];
  const rd_kafka_type_t type = kind == ClientKind::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), error, sizeof(error));
  if (client == nullptr) return InvalidArgument("kafka client: {}", error);
  (void)conf.release();  // rd_kafka_new took it
  return ClientPtr(client);
}

absl::StatusOr<TopicPtr> MakeTopic(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* made = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  if (made == nullptr) return InvalidArgument("kafka topic '{}': {}", topic, rd_kafka_err2str(rd_kafka_last_error()));
  return TopicPtr(made);
}

}  // namespace penstock::kafka
