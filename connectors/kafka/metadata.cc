#include "connectors/kafka/metadata.h"

#include <librdkafka/rdkafka.h>

#include "connectors/kafka/retry_thread.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using ListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

ListPtr MakeList(const std::vector<TopicPartition>& partitions, int64_t offset) {
  ListPtr list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& each : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), each.topic.c_str(), each.partition)->offset = offset;
  }
  return list;
}

absl::StatusOr<OffsetAnswers> ReadList(const char* what, rd_kafka_resp_err_t error, const ListPtr& list) {
  OffsetAnswers answers;
  bool any_answer = false;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& each = list->elems[i];
    OffsetAnswer& answer = answers[{each.topic, each.partition}];
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      answer.error = rd_kafka_err2str(each.err);
    } else {
      answer.offset = each.offset < 0 ? -1 : each.offset;
      if (each.metadata != nullptr) answer.note.assign(static_cast<const char*>(each.metadata), each.metadata_size);
      any_answer = true;
    }
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && (!any_answer || error == RD_KAFKA_RESP_ERR__TIMED_OUT)) {
    return Unavailable("{}: {}", what, rd_kafka_err2str(error));
  }
  return answers;
}

}  // namespace

absl::StatusOr<std::map<std::string, TopicInfo>> ListTopics(rd_kafka_t* client, bool all) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, all ? 1 : 0, nullptr, &metadata, kRequestTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Unavailable("no broker answers ({})", rd_kafka_err2str(error));
  }
  std::map<std::string, TopicInfo> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& each = metadata->topics[i];
    TopicInfo& info = topics[each.topic];
    info.partitions = each.partition_cnt;
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      info.error = rd_kafka_err2str(each.err);
      info.missing = each.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return topics;
}

absl::StatusOr<OffsetAnswers> OffsetsAt(rd_kafka_t* client, const std::vector<TopicPartition>& partitions,
                                        int64_t timestamp) {
  if (partitions.empty()) return OffsetAnswers{};
  const ListPtr list = MakeList(partitions, timestamp);
  const rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(client, list.get(), kRequestTimeoutMs);
  PENSTOCK_ASSIGN_OR_RETURN(OffsetAnswers answers, ReadList("asking for offsets", error, list));
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& each = list->elems[i];
    // A partition that has just been made may come back without an error and without an offset, too: as it was asked.
    // Taken for an offset that is "the end", and its first records would be passed over.
    const bool none_so_late = timestamp >= 0 && each.offset == RD_KAFKA_OFFSET_END;
    if (each.err == RD_KAFKA_RESP_ERR_NO_ERROR && each.offset < 0 && !none_so_late) {
      answers[{each.topic, each.partition}].error = "the broker does not know its offsets yet";
    }
  }
  return answers;
}

absl::StatusOr<OffsetAnswers> CommittedOffsets(rd_kafka_t* client, const std::vector<TopicPartition>& partitions) {
  if (partitions.empty()) return OffsetAnswers{};
  const ListPtr list = MakeList(partitions, RD_KAFKA_OFFSET_INVALID);
  const rd_kafka_resp_err_t error = rd_kafka_committed(client, list.get(), kRequestTimeoutMs);
  return ReadList("asking for the group's offsets", error, list);
}

}  // namespace penstock::kafka
