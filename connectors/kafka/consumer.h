// Reads the partitions of one reader: the part of the Kafka source that does not depend on the type it emits.
//
// Owner: the task's thread. One librdkafka client and one queue for all partitions; records are taken in batches, never
// copied, and given back when they have been emitted. Nothing here blocks for input: the queue's callback wakes the
// task. Memory: librdkafka's queue, bounded by queued.max.messages.kbytes.
#ifndef PENSTOCK_CONNECTORS_KAFKA_CONSUMER_H_
#define PENSTOCK_CONNECTORS_KAFKA_CONSUMER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/discovery.h"
#include "connectors/kafka/group_commits.h"
#include "runtime/task/source.h"

namespace penstock::kafka {

inline constexpr int kBatchSizeMax = 1000;
// How long Close waits for the group's last offsets.
inline constexpr int kLastCommitMs = 1000;

// What SourceOutput<T> offers besides Emit.
class Splits {
 public:
  virtual ~Splits() = default;
  virtual SplitIndex AddSplit(std::string name) = 0;
  virtual void SetDiscovering(bool discovering) = 0;
  virtual void SetCaughtUp(SplitIndex split) = 0;
  virtual void FinishSplit(SplitIndex split) = 0;
  virtual void SetPosition(SplitIndex split, int64_t position, int64_t end) = 0;
};

class Consumer final : private ClientEvents {
 public:
  struct Partition {
    TopicPartition id;
    rd_kafka_topic_t* topic = nullptr;
    SplitIndex split = 0;
    int64_t next = 0;   // offset to read next
    int64_t stop = -1;  // bounded: the end; -1: none
    int64_t known_end = 0;
    bool fetching = false;
    bool finished = false;
    bool touched = false;  // in this batch
  };

  explicit Consumer(SourceOptions options);
  ~Consumer() override;

  absl::Status Open(Context& context, Splits& splits);
  // Before Open.
  absl::Status Restore(const std::vector<std::string>& positions);
  // Every partition of the start is known, with its position.
  bool prepared() const { return complete_; }
  void Snapshot(uint64_t checkpoint_id, std::vector<std::string>* positions);
  void OnDecided(uint64_t checkpoint_id) {
    if (commits_) commits_->OnDecided(checkpoint_id);
  }
  // Begins a poll: starts newly found partitions. A non-OK status fails the task.
  absl::Status BeginPoll(Splits& splits);
  // Takes up to batch_size messages; they belong to the caller until FreeMessage.
  int TakeBatch(rd_kafka_message_t** messages);
  // The partition of a record that is to be emitted; null when it lies beyond a bounded partition's end.
  Partition* Accept(const rd_kafka_message_t& message);
  // After emitting: moves the position, ends the partition at its bound.
  void Advance(Partition& partition, int64_t offset, Splits& splits) {
    partition.next = offset + 1;
    if (partition.stop >= 0 && partition.next >= partition.stop) Finish(partition, splits);
  }
  // A message that is an event: partition EOF or an error.
  absl::Status OnEvent(const rd_kafka_message_t& message, Splits& splits);
  PollResult EndPoll(int taken, Splits& splits);
  void Close();

 private:
  struct Topic {
    std::string name;
    TopicPtr handle;
    std::vector<Partition*> partitions;  // by number; null: another subtask's
  };

  void OnBrokerTrouble(std::string text) override;
  void OnFatal(std::string text) override { fatal_ = std::move(text); }

  absl::Status StartPartition(const FoundPartition& found, Splits& splits);
  Topic* TopicOf(rd_kafka_topic_t* handle);
  void Finish(Partition& partition, Splits& splits);
  void StopFetching(Partition& partition);
  void ServeEvents();
  void ShowNote();
  // Makes fetching go on at once when the queue has drained by half; see consumer.cc.
  void WakeFetchers();

  SourceOptions options_;  // constant once opened
  Context* context_ = nullptr;
  std::shared_ptr<Waker> waker_;
  ClientPtr client_;
  QueuePtr queue_;
  QueuePtr main_queue_;
  std::optional<Discovery> discovery_;
  std::optional<GroupCommits> commits_;  // with a group
  std::deque<Topic> topics_;
  std::deque<Partition> partitions_;  // stable addresses
  std::vector<Partition*> touched_;
  Topic* last_topic_ = nullptr;
  int active_ = 0;
  bool complete_ = false;  // discovery has found everything at least once
  size_t queue_peak_ = 0;
  std::string fatal_;
  // Troubles that are being retried: of discovery, and of a broker or partition.
  std::string discovery_note_;
  std::string broker_note_;
  std::string shown_note_;
};

void FreeMessage(rd_kafka_message_t* message);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_CONSUMER_H_
