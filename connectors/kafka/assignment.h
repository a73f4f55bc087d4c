// The rule by which partitions are dealt to subtasks. Part of what a job may rely on: changing it moves partitions.
#ifndef PENSTOCK_CONNECTORS_KAFKA_ASSIGNMENT_H_
#define PENSTOCK_CONNECTORS_KAFKA_ASSIGNMENT_H_

#include <cstdint>
#include <string_view>

namespace penstock::kafka {

// FNV-1a, 64 bits: the same on every machine and in every version.
constexpr uint64_t TopicHash(std::string_view topic) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : topic) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

// The partitions of a topic go round the subtasks, beginning at one that depends on the topic, so that many topics
// with few partitions do not all land on subtask 0.
constexpr int OwnerOf(std::string_view topic, int32_t partition, int parallelism) {
  const auto subtasks = static_cast<uint64_t>(parallelism);
  return static_cast<int>((TopicHash(topic) % subtasks + static_cast<uint64_t>(partition)) % subtasks);
}

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_ASSIGNMENT_H_
