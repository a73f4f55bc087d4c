// Finds the partitions that one reader is to read, and where to begin and stop in each.
//
// Owner: the reader's task, except that the questions to the broker run on an inner thread. A partition is reported
// once. What cannot be answered now is asked again with backoff and named in the note.
#ifndef PENSTOCK_CONNECTORS_KAFKA_DISCOVERY_H_
#define PENSTOCK_CONNECTORS_KAFKA_DISCOVERY_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/metadata.h"
#include "connectors/kafka/retry_thread.h"
#include "connectors/kafka/topic_pattern.h"
#include "runtime/core/mutex.h"

namespace penstock::kafka {

// How far a partition has been read.
struct PartitionPosition {
  int64_t next = 0;   // offset to read next
  int64_t stop = -1;  // bounded: where to stop; -1: nowhere
};
// As text: "<partition> <next> <stop> <topic>".
std::string EncodePosition(const TopicPartition& id, const PartitionPosition& position);
bool DecodePosition(const std::string& text, TopicPartition* id, PartitionPosition* position);

// The fields of BasicSource<T>, without T.
struct SourceOptions {
  std::string brokers;
  std::vector<std::string> topics;
  std::string topic_pattern;
  StartFrom start = StartFrom::earliest();
  bool bounded = false;
  std::string group_id;
  std::chrono::milliseconds discovery_interval{};
  Properties properties;
  int batch_size = 0;
  // After a restore: where every partition that was known then goes on. Others are read from their beginning.
  std::optional<std::map<TopicPartition, PartitionPosition>> restored;
};

struct FoundPartition {
  TopicPartition id;
  int64_t start = 0;
  int64_t end = 0;    // the end offset when it was found
  int64_t stop = -1;  // bounded: where to stop
};

struct DiscoveryReport {
  std::vector<FoundPartition> found;
  std::string note;       // trouble that is being retried; empty: none
  bool answered = false;  // a broker told its topics: it is in reach
  bool complete = false;  // every named topic has been found and every partition resolved
  absl::Status failure;   // cannot be cured by trying again
};

class Discovery {
 public:
  // `client` must outlive this object. Starts at once.
  Discovery(rd_kafka_t* client, SourceOptions options, int subtask, int parallelism, std::shared_ptr<Waker> waker);

  // What was found since the last call; nullopt when nothing has been asked since.
  std::optional<DiscoveryReport> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // Asks again now: for when a broker seems lost.
  void Kick() { thread_->Kick(); }
  void Stop() { thread_->Stop(); }

 private:
  std::optional<std::chrono::milliseconds> Step();
  DiscoveryReport Ask();
  std::vector<TopicPartition> NewPartitions(DiscoveryReport& report);
  void Resolve(const std::vector<TopicPartition>& partitions, DiscoveryReport& report);
  absl::StatusOr<OffsetAnswers> Starts(const std::vector<TopicPartition>& partitions, const OffsetAnswers& first,
                                       const OffsetAnswers& end);
  bool StartsAtFirst(const std::string& topic) const;
  absl::Status CheckRange(const TopicPartition& id, int64_t start, int64_t low, int64_t high) const;
  void Publish(DiscoveryReport report) ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  rd_kafka_t* const client_;
  const SourceOptions options_;
  const int subtask_;
  const int parallelism_;
  const std::shared_ptr<Waker> waker_;
  const TopicPattern pattern_;
  std::vector<TopicPtr> named_;  // makes the named topics known to the client

  // The inner thread's.
  std::set<TopicPartition> known_;
  std::set<std::string> missing_once_;  // named topics that did not exist at first: they are read from their beginning
  bool initial_done_ = false;
  Backoff backoff_;

  std::atomic<bool> has_report_{false};
  Mutex mutex_;
  DiscoveryReport pending_ ABSL_GUARDED_BY(mutex_);

  std::optional<RetryThread> thread_;  // last
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_DISCOVERY_H_
