// What tools and tests need of a cluster besides reading and writing. Calls block for a few seconds at most; each makes
// a client of its own.
#ifndef PENSTOCK_CONNECTORS_KAFKA_ADMIN_H_
#define PENSTOCK_CONNECTORS_KAFKA_ADMIN_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/connectors/kafka.h"

namespace penstock::kafka {

// OK too when the topic exists already with at least that many partitions. Returns when its partitions have leaders.
absl::Status CreateTopic(const std::string& brokers, const std::string& topic, int partitions,
                         const Properties& topic_config = {});
absl::Status DeleteTopic(const std::string& brokers, const std::string& topic);
// Raises the number of partitions to `total`.
absl::Status AddPartitions(const std::string& brokers, const std::string& topic, int total);

struct OffsetRange {
  int64_t first = 0;
  int64_t end = 0;
};
// By partition. NotFound when the topic does not exist.
absl::StatusOr<std::map<int32_t, OffsetRange>> ListOffsets(const std::string& brokers, const std::string& topic);

// True for librdkafka's mock cluster, which keeps 5 MB per partition and drops the oldest beyond it.
absl::StatusOr<bool> IsMockCluster(const std::string& brokers);

// Commits offsets for a group without members.
absl::Status CommitOffsets(const std::string& brokers, const std::string& group,
                           const std::map<TopicPartition, int64_t>& offsets);

// REQUIRES: it has no members.
absl::Status DeleteGroup(const std::string& brokers, const std::string& group);

// By partition; without those that the group has not committed.
absl::StatusOr<std::map<int32_t, int64_t>> GroupOffsets(const std::string& brokers, const std::string& group,
                                                        const std::string& topic);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_ADMIN_H_
