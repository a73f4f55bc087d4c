// Questions to a broker that block for at most kRequestTimeoutMs: topics, offsets, commits. Thread-safe as the client.
#ifndef PENSTOCK_CONNECTORS_KAFKA_METADATA_H_
#define PENSTOCK_CONNECTORS_KAFKA_METADATA_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"

namespace penstock::kafka {

struct TopicInfo {
  int partitions = 0;
  std::string error;     // empty, or why the broker does not give the topic
  bool missing = false;  // the error is that it does not exist
};

// Topics that the client knows by MakeTopic, or all of the cluster. Unavailable when no broker answers.
absl::StatusOr<std::map<std::string, TopicInfo>> ListTopics(rd_kafka_t* client, bool all);

struct OffsetAnswer {
  int64_t offset = -1;  // -1: none (no such timestamp, no commit)
  std::string error;    // empty, or why this partition has no answer now
  std::string note;     // the metadata of a commit
};
using OffsetAnswers = std::map<TopicPartition, OffsetAnswer>;

inline constexpr int64_t kFirstOffset = -2;  // Kafka's numbers for "timestamp" in ListOffsets
inline constexpr int64_t kEndOffset = -1;

// The first offset whose timestamp is not before `timestamp`; or kFirstOffset, kEndOffset.
absl::StatusOr<OffsetAnswers> OffsetsAt(rd_kafka_t* client, const std::vector<TopicPartition>& partitions,
                                        int64_t timestamp);
// What the client's group has committed.
absl::StatusOr<OffsetAnswers> CommittedOffsets(rd_kafka_t* client, const std::vector<TopicPartition>& partitions);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_METADATA_H_
