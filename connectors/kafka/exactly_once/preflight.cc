#include "connectors/kafka/exactly_once/preflight.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <utility>

#include "connectors/kafka/client.h"
#include "connectors/kafka/metadata.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr int kQuestionTimeoutMs = 3'000;
constexpr int kRetryPauseMs = 200;
constexpr int64_t kDefaultBrokerTimeoutMaxMs = 900'000;
constexpr int64_t kDefaultRetentionMinutes = 7 * 24 * 60;
constexpr int64_t kMsPerMinute = 60'000;

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct ResourceDeleter {
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
};
struct OptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};

using Settings = std::map<std::string, std::string>;

int64_t NumberOr(const Settings& settings, const std::string& name, int64_t fallback) {
  const auto found = settings.find(name);
  if (found == settings.end()) return fallback;
  int64_t value = fallback;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

absl::StatusOr<std::string> SomeBrokerId(rd_kafka_t* client) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, nullptr, &metadata, kQuestionTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return Unavailable("no broker answers: {}", rd_kafka_err2str(error));
  const std::string id = metadata->broker_cnt > 0 ? std::to_string(metadata->brokers[0].id) : "";
  rd_kafka_metadata_destroy(metadata);
  if (id.empty()) return Unavailable("the cluster names no broker");
  return id;
}

absl::StatusOr<Settings> BrokerSettings(rd_kafka_t* client) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string broker, SomeBrokerId(client));
  const QueuePtr queue(rd_kafka_queue_new(client));
  const std::unique_ptr<rd_kafka_AdminOptions_t, OptionsDeleter> options(
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  char text[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kQuestionTimeoutMs, text, sizeof(text));
  const std::unique_ptr<rd_kafka_ConfigResource_t, ResourceDeleter> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, broker.c_str()));
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  rd_kafka_DescribeConfigs(client, resources, 1, options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, EventDeleter> event(
      rd_kafka_queue_poll(queue.get(), kQuestionTimeoutMs + kRetryPauseMs));
  if (event == nullptr) return Unavailable("broker {} does not tell its settings", broker);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Unavailable("broker {} does not tell its settings: {}", broker, rd_kafka_event_error_string(event.get()));
  }
  size_t count = 0;
  const rd_kafka_ConfigResource_t** answers =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  Settings settings;
  if (count == 0 || rd_kafka_ConfigResource_error(answers[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) return settings;
  size_t entries = 0;
  const rd_kafka_ConfigEntry_t** all = rd_kafka_ConfigResource_configs(answers[0], &entries);
  for (size_t i = 0; i < entries; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(all[i]);
    if (value != nullptr) settings[rd_kafka_ConfigEntry_name(all[i])] = value;
  }
  return settings;  // empty without the right to read them: the defaults are taken
}

absl::Status CheckCluster(const Sink& sink, rd_kafka_t* client) {
  char* id = rd_kafka_clusterid(client, kQuestionTimeoutMs);
  if (id == nullptr) return Unavailable("no broker answers");
  const bool mock = std::string_view(id).starts_with("mockCluster");
  rd_kafka_mem_free(client, id);
  if (!mock) return absl::OkStatus();
  return FailedPrecondition(
      "kafka {}: this is librdkafka's mock cluster, which has no real transactions: exactly-once delivery needs Apache "
      "Kafka; use at-least-once here",
      sink.brokers);
}

absl::Status CheckTopic(const Sink& sink, rd_kafka_t* client) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto topics, ListTopics(client, /*all=*/false));
  const auto found = topics.find(sink.topic);
  if (found == topics.end()) return Unavailable("topic '{}': no answer about it", sink.topic);
  if (found->second.error.empty()) return absl::OkStatus();
  return Unavailable("topic '{}': {}", sink.topic,
                     found->second.missing ? "does not exist, create it" : found->second.error);
}

absl::StatusOr<TransactionLimits> LimitsFrom(const Sink& sink, const AttemptOrigin& origin, const Settings& settings) {
  TransactionLimits limits;
  limits.broker_timeout_max_ms = NumberOr(settings, "transaction.max.timeout.ms", kDefaultBrokerTimeoutMaxMs);
  limits.offsets_retention_ms =
      NumberOr(settings, "offsets.retention.minutes", kDefaultRetentionMinutes) * kMsPerMinute;
  limits.timeout_ms = NumberOr(sink.properties, "transaction.timeout.ms", limits.broker_timeout_max_ms);
  if (limits.timeout_ms > limits.broker_timeout_max_ms) {
    return FailedPrecondition(
        "kafka {}: transaction.timeout.ms is {}, the broker allows {} (transaction.max.timeout.ms): lower the first, "
        "or "
        "leave it out to get what the broker allows",
        sink.brokers, limits.timeout_ms, limits.broker_timeout_max_ms);
  }
  const int64_t open_ms = origin.checkpoint_interval_ms + origin.checkpoint_timeout_ms;
  if (open_ms > limits.timeout_ms) {
    limits.warning = fmt::format(
        "kafka {}: a checkpoint may take {} ms (interval and timeout), the broker aborts transactions after {} ms: "
        "nothing is lost then, but the job restarts and writes the records again; lower "
        "execution.checkpointing.timeout or raise the broker's transaction.max.timeout.ms",
        sink.brokers, open_ms, limits.timeout_ms);
  }
  return limits;
}

}  // namespace

absl::StatusOr<TransactionLimits> CheckBroker(const Sink& sink, const AttemptOrigin& origin,
                                              const std::function<void(std::string)>& note,
                                              const std::function<bool()>& stop) {
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(ClientKind::kProducer, sink.brokers, {}, sink.properties, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(const ClientPtr client, MakeClient(ClientKind::kProducer, std::move(conf)));
  PENSTOCK_ASSIGN_OR_RETURN(const TopicPtr topic, MakeTopic(client.get(), sink.topic));
  while (!stop()) {
    absl::Status status = CheckCluster(sink, client.get());
    if (status.ok()) status = CheckTopic(sink, client.get());
    if (status.ok()) {
      absl::StatusOr<Settings> settings = BrokerSettings(client.get());
      if (settings.ok()) return LimitsFrom(sink, origin, *settings);
      status = settings.status();
    }
    if (status.code() != absl::StatusCode::kUnavailable) return status;
    note(fmt::format("kafka {}: {}; retrying", sink.brokers, MessageOf(status)));
    rd_kafka_poll(client.get(), kRetryPauseMs);
  }
  return Cancelled("kafka sink: the task is to stop");
}

}  // namespace penstock::kafka
