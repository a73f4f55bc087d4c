#include "connectors/kafka/group_commits.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <cstring>
#include <utility>

namespace penstock::kafka {

GroupCommits::GroupCommits(rd_kafka_t* client, rd_kafka_queue_t* queue, std::string group, Context& context)
    : client_(client),
      queue_(queue),
      group_(std::move(group)),
      context_(context),
      succeeded_(context.counter("commitsSucceeded")),
      failed_(context.counter("commitsFailed")) {}

void GroupCommits::Remember(uint64_t checkpoint_id, std::map<TopicPartition, int64_t> offsets) {
  by_checkpoint_[checkpoint_id] = std::move(offsets);
  if (by_checkpoint_.size() > kPositionsKept) by_checkpoint_.erase(by_checkpoint_.begin());
}

void GroupCommits::OnDecided(uint64_t checkpoint_id) {
  auto newest = by_checkpoint_.upper_bound(checkpoint_id);
  if (newest == by_checkpoint_.begin()) return;
  --newest;
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(static_cast<int>(newest->second.size()));
  // Whose they are, for those who look: Kafka itself refuses no commit of a group without members. That is no harm, for
  // whatever an attempt commits was decided.
  const std::string attempt = fmt::format("attempt {}", context_.attempt());
  for (const auto& [id, offset] : newest->second) {
    rd_kafka_topic_partition_t* at = rd_kafka_topic_partition_list_add(list, id.topic.c_str(), id.partition);
    at->offset = offset;
    at->metadata = strdup(attempt.c_str());  // freed with the list
    at->metadata_size = attempt.size();
  }
  by_checkpoint_.erase(by_checkpoint_.begin(), std::next(newest));
  if (list->cnt > 0) {
    const auto report = [](rd_kafka_t* client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets,
                           void* self) { OnCommitted(client, error, offsets, self); };
    if (rd_kafka_commit_queue(client_, list, queue_, report, this) == RD_KAFKA_RESP_ERR_NO_ERROR) ++outstanding_;
  }
  rd_kafka_topic_partition_list_destroy(list);
}

void GroupCommits::OnCommitted(rd_kafka_t*, int error, rd_kafka_topic_partition_list_t* offsets, void* self) {
  auto* commits = static_cast<GroupCommits*>(self);
  --commits->outstanding_;
  for (int i = 0; error == 0 && offsets != nullptr && i < offsets->cnt; ++i) error = offsets->elems[i].err;
  if (error == 0) {
    commits->succeeded_.Add();
    commits->told_.clear();
    return;
  }
  commits->failed_.Add();
  std::string trouble = rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error));
  if (error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID) {
    trouble += " (consumers are subscribed with this group: give the job a group of its own)";
  }
  if (trouble == commits->told_) return;
  commits->context_.log_warn(
      fmt::format("kafka: the offsets of a checkpoint could not be committed to group '{}': {}; lag tools show old "
                  "figures, the job "
                  "is not affected",
                  commits->group_, trouble));
  commits->told_ = std::move(trouble);
}

}  // namespace penstock::kafka
