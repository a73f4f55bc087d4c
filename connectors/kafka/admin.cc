#include "connectors/kafka/admin.h"

#include <librdkafka/rdkafka.h>

#include <string_view>
#include <utility>

#include "connectors/kafka/metadata.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr int kAdminTimeoutMs = 10'000;
constexpr int kLeaderAttemptsMax = 100;
constexpr int kLeaderPauseMs = 50;

absl::StatusOr<ClientPtr> MakeAdminClient(const std::string& brokers, const Properties& properties = {}) {
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(ClientKind::kConsumer, brokers, {}, properties, nullptr));
  return MakeClient(ClientKind::kConsumer, std::move(conf));
}

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct OptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};

// Runs one admin request about one topic and waits for its answer.
template <class Request, class Results>
absl::Status RunAdmin(const std::string& brokers, const std::string& what, const Request& request,
                      const Results& results_of) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers));
  QueuePtr queue(rd_kafka_queue_new(client.get()));
  std::unique_ptr<rd_kafka_AdminOptions_t, OptionsDeleter> options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_ANY));
  char text[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAdminTimeoutMs, text, sizeof(text));
  request(client.get(), options.get(), queue.get());
  std::unique_ptr<rd_kafka_event_t, EventDeleter> event(rd_kafka_queue_poll(queue.get(), kAdminTimeoutMs));
  if (event == nullptr) return DeadlineExceeded("kafka {}: {}: no answer", brokers, what);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Unavailable("kafka {}: {}: {}", brokers, what, rd_kafka_event_error_string(event.get()));
  }
  size_t count = 0;
  const rd_kafka_topic_result_t** results = results_of(event.get(), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* reason = rd_kafka_topic_result_error_string(results[i]);
    const absl::StatusCode code = error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? absl::StatusCode::kAlreadyExists
                                                                                  : absl::StatusCode::kUnavailable;
    return MakeStatus(code, "kafka {}: {}: {}", brokers, what, reason == nullptr ? rd_kafka_err2str(error) : reason);
  }
  return absl::OkStatus();
}

// A created topic is known to brokers a little later than the answer to its creation.
absl::Status AwaitPartitions(const std::string& brokers, const std::string& topic, int partitions) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers));
  PENSTOCK_ASSIGN_OR_RETURN(TopicPtr handle, MakeTopic(client.get(), topic));
  std::string last = "no answer";
  for (int attempt = 0; attempt < kLeaderAttemptsMax; ++attempt) {
    const auto topics = ListTopics(client.get(), /*all=*/false);
    if (topics.ok() && topics->contains(topic)) {
      const TopicInfo& info = topics->at(topic);
      if (info.error.empty() && info.partitions >= partitions) {
        std::vector<TopicPartition> all;
        for (int i = 0; i < partitions; ++i) all.push_back({topic, i});
        const auto ends = OffsetsAt(client.get(), all, kEndOffset);
        bool ready = ends.ok();
        if (ready) {
          for (const auto& [id, answer] : *ends) ready = ready && answer.error.empty();
        }
        if (ready) return absl::OkStatus();
      }
      last = info.error.empty() ? fmt::format("it has {} partitions", info.partitions) : info.error;
    }
    rd_kafka_poll(client.get(), kLeaderPauseMs);
  }
  return Unavailable("kafka {}: topic '{}' with {} partitions is not there: {}", brokers, topic, partitions, last);
}

}  // namespace

absl::Status CreateTopic(const std::string& brokers, const std::string& topic, int partitions,
                         const Properties& topic_config) {
  char text[256];
  rd_kafka_NewTopic_t* request = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, text, sizeof(text));
  if (request == nullptr) return InvalidArgument("topic '{}' with {} partitions: {}", topic, partitions, text);
  for (const auto& [name, value] : topic_config) rd_kafka_NewTopic_set_config(request, name.c_str(), value.c_str());
  const absl::Status created = RunAdmin(
      brokers, fmt::format("creating topic '{}'", topic),
      [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_CreateTopics(client, &request, 1, options, queue);
      },
      [](rd_kafka_event_t* event, size_t* count) {
        return rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), count);
      });
  rd_kafka_NewTopic_destroy(request);
  if (!created.ok() && created.code() != absl::StatusCode::kAlreadyExists) return created;
  return AwaitPartitions(brokers, topic, partitions);
}

absl::Status DeleteTopic(const std::string& brokers, const std::string& topic) {
  rd_kafka_DeleteTopic_t* request = rd_kafka_DeleteTopic_new(topic.c_str());
  const absl::Status deleted = RunAdmin(
      brokers, fmt::format("deleting topic '{}'", topic),
      [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteTopics(client, &request, 1, options, queue);
      },
      [](rd_kafka_event_t* event, size_t* count) {
        return rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), count);
      });
  rd_kafka_DeleteTopic_destroy(request);
  return deleted;
}

absl::Status AddPartitions(const std::string& brokers, const std::string& topic, int total) {
  char text[256];
  rd_kafka_NewPartitions_t* request =
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<size_t>(total), text, sizeof(text));
  if (request == nullptr) return InvalidArgument("topic '{}' with {} partitions: {}", topic, total, text);
  const absl::Status raised = RunAdmin(
      brokers, fmt::format("adding partitions to topic '{}'", topic),
      [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_CreatePartitions(client, &request, 1, options, queue);
      },
      [](rd_kafka_event_t* event, size_t* count) {
        return rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), count);
      });
  rd_kafka_NewPartitions_destroy(request);
  if (!raised.ok()) return raised;
  return AwaitPartitions(brokers, topic, total);
}

absl::StatusOr<std::map<int32_t, OffsetRange>> ListOffsets(const std::string& brokers, const std::string& topic) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers));
  PENSTOCK_ASSIGN_OR_RETURN(TopicPtr handle, MakeTopic(client.get(), topic));
  PENSTOCK_ASSIGN_OR_RETURN(auto topics, ListTopics(client.get(), /*all=*/false));
  const TopicInfo& info = topics[topic];
  if (info.missing || info.partitions == 0) return NotFound("kafka {}: topic '{}' does not exist", brokers, topic);
  std::vector<TopicPartition> all;
  for (int i = 0; i < info.partitions; ++i) all.push_back({topic, i});
  PENSTOCK_ASSIGN_OR_RETURN(const OffsetAnswers first, OffsetsAt(client.get(), all, kFirstOffset));
  PENSTOCK_ASSIGN_OR_RETURN(const OffsetAnswers end, OffsetsAt(client.get(), all, kEndOffset));
  std::map<int32_t, OffsetRange> ranges;
  for (const TopicPartition& id : all) {
    const std::string& error = first.at(id).error.empty() ? end.at(id).error : first.at(id).error;
    if (!error.empty()) return Unavailable("kafka {}: partition {}-{}: {}", brokers, topic, id.partition, error);
    ranges[id.partition] = {.first = first.at(id).offset, .end = end.at(id).offset};
  }
  return ranges;
}

absl::StatusOr<bool> IsMockCluster(const std::string& brokers) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers));
  char* id = rd_kafka_clusterid(client.get(), kAdminTimeoutMs);
  if (id == nullptr) return Unavailable("kafka {}: no broker answers", brokers);
  const bool mock = std::string_view(id).starts_with("mockCluster");
  rd_kafka_mem_free(client.get(), id);
  return mock;
}

absl::Status CommitOffsets(const std::string& brokers, const std::string& group,
                           const std::map<TopicPartition, int64_t>& offsets) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers, {{"group.id", group}}));
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()));
  for (const auto& [id, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list, id.topic.c_str(), id.partition)->offset = offset;
  }
  const rd_kafka_resp_err_t error = rd_kafka_commit(client.get(), list, /*async=*/0);
  rd_kafka_topic_partition_list_destroy(list);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Unavailable("kafka {}: committing offsets of group '{}': {}", brokers, group, rd_kafka_err2str(error));
  }
  return absl::OkStatus();
}

absl::Status DeleteGroup(const std::string& brokers, const std::string& group) {
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers));
  const QueuePtr queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteGroup_t* request = rd_kafka_DeleteGroup_new(group.c_str());
  rd_kafka_DeleteGroups(client.get(), &request, 1, nullptr, queue.get());
  rd_kafka_DeleteGroup_destroy(request);
  const std::unique_ptr<rd_kafka_event_t, EventDeleter> event(rd_kafka_queue_poll(queue.get(), kAdminTimeoutMs));
  if (event == nullptr) return DeadlineExceeded("kafka {}: deleting group '{}': no answer", brokers, group);
  size_t count = 0;
  const rd_kafka_group_result_t** results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count);
  const rd_kafka_error_t* error = count == 1 ? rd_kafka_group_result_error(results[0]) : nullptr;
  if (error == nullptr) return absl::OkStatus();
  return Unavailable("kafka {}: deleting group '{}': {}", brokers, group, rd_kafka_error_string(error));
}

absl::StatusOr<std::map<int32_t, int64_t>> GroupOffsets(const std::string& brokers, const std::string& group,
                                                        const std::string& topic) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto ranges, ListOffsets(brokers, topic));
  PENSTOCK_ASSIGN_OR_RETURN(ClientPtr client, MakeAdminClient(brokers, {{"group.id", group}}));
  std::vector<TopicPartition> all;
  for (const auto& [partition, range] : ranges) all.push_back({topic, partition});
  PENSTOCK_ASSIGN_OR_RETURN(const OffsetAnswers answers, CommittedOffsets(client.get(), all));
  std::map<int32_t, int64_t> offsets;
  for (const auto& [id, answer] : answers) {
    if (answer.offset >= 0) offsets[id.partition] = answer.offset;
  }
  return offsets;
}

}  // namespace penstock::kafka
