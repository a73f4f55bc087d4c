// Tells the consumer group how far decided checkpoints have come, so that ordinary lag tools work. Nothing is ever read
// back from there: a restart begins where its checkpoint says, whatever somebody does to the group.
//
// Owner: the task's thread; commits are sent without waiting, and a failed one is made good by the next. At most
// kPositionsKept checkpoints are remembered.
#ifndef PENSTOCK_CONNECTORS_KAFKA_GROUP_COMMITS_H_
#define PENSTOCK_CONNECTORS_KAFKA_GROUP_COMMITS_H_

#include <cstdint>
#include <map>
#include <string>

#include "connectors/kafka/client.h"
#include "runtime/metrics/metrics.h"
#include "runtime/task/function_context.h"

typedef struct rd_kafka_topic_partition_list_s rd_kafka_topic_partition_list_t;

namespace penstock::kafka {

inline constexpr size_t kPositionsKept = 16;

class GroupCommits {
 public:
  // client and queue (served by the owner) outlive this. The client has a group.id.
  GroupCommits(rd_kafka_t* client, rd_kafka_queue_t* queue, std::string group, Context& context);

  // The offsets to read next, at this checkpoint's barrier.
  void Remember(uint64_t checkpoint_id, std::map<TopicPartition, int64_t> offsets);
  void OnDecided(uint64_t checkpoint_id);
  bool outstanding() const { return outstanding_ > 0; }

 private:
  static void OnCommitted(rd_kafka_t* client, int error, rd_kafka_topic_partition_list_t* offsets, void* self);

  rd_kafka_t* const client_;
  rd_kafka_queue_t* const queue_;
  const std::string group_;
  Context& context_;
  Counter& succeeded_;
  Counter& failed_;
  int outstanding_ = 0;
  std::string told_;  // the last trouble, told once
  std::map<uint64_t, std::map<TopicPartition, int64_t>> by_checkpoint_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_GROUP_COMMITS_H_
