// The Kafka source: descriptions, and readers that turn librdkafka's messages into what is emitted.
#include <librdkafka/rdkafka.h>

#include <memory>
#include <optional>
#include <utility>

#include "connectors/kafka/consumer.h"
#include "connectors/kafka/topic_pattern.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/status.h"
#include "runtime/metrics/metrics.h"

namespace penstock::kafka {
namespace {

template <class T>
class SplitsOf final : public Splits {
 public:
  explicit SplitsOf(SourceOutput<T>& output) : output_(output) {}
  SplitIndex AddSplit(std::string name) override { return output_.AddSplit(std::move(name)); }
  void SetDiscovering(bool discovering) override { output_.SetDiscovering(discovering); }
  void SetCaughtUp(SplitIndex split) override { output_.SetCaughtUp(split); }
  void FinishSplit(SplitIndex split) override { output_.FinishSplit(split); }
  void SetPosition(SplitIndex split, int64_t position, int64_t end) override {
    output_.SetPosition(split, position, end);
  }

 private:
  SourceOutput<T>& output_;
};

// A batch in hand. Frees each message when the next is asked for, and the rest with itself.
class Batch {
 public:
  explicit Batch(Consumer& consumer) : count_(consumer.TakeBatch(messages_)) {}
  ~Batch() {
    while (freed_ < count_) FreeMessage(messages_[freed_++]);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  int count() const { return count_; }
  const rd_kafka_message_t* Next() {
    if (next_ > 0) FreeMessage(messages_[freed_++]);
    return next_ < count_ ? messages_[next_++] : nullptr;
  }

 private:
  rd_kafka_message_t* messages_[kBatchSizeMax];
  const int count_;
  int next_ = 0;
  int freed_ = 0;
};

TimestampMs TimestampOf(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type;
  const int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? kNoTimestamp : timestamp;
}

Bytes BytesOf(const void* data, size_t size) { return {static_cast<const char*>(data), size}; }

template <class T>
class Reader final : public SourceReader<T> {
 public:
  explicit Reader(SourceOptions options) : consumer_(std::move(options)) {}

  absl::Status Open(Context& context, SourceOutput<T>& output) override {
    tombstones_ = &context.counter("kafkaTombstonesSkipped");
    SplitsOf<T> splits(output);
    return consumer_.Open(context, splits);
  }

  absl::Status Restore(const std::vector<std::string>& positions) override { return consumer_.Restore(positions); }

  absl::StatusOr<bool> Prepare(SourceOutput<T>& output) override {
    SplitsOf<T> splits(output);
    PENSTOCK_RETURN_IF_ERROR(consumer_.BeginPoll(splits));
    return consumer_.prepared();
  }

  absl::Status Snapshot(uint64_t checkpoint_id, std::vector<std::string>* positions) override {
    consumer_.Snapshot(checkpoint_id, positions);
    return absl::OkStatus();
  }
  void OnDecided(uint64_t checkpoint_id) override { consumer_.OnDecided(checkpoint_id); }

  absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
    SplitsOf<T> splits(output);
    PENSTOCK_RETURN_IF_ERROR(consumer_.BeginPoll(splits));
    if (!batch_) batch_.emplace(consumer_);
    const int taken = batch_->count();
    while (const rd_kafka_message_t* message = batch_->Next()) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        PENSTOCK_RETURN_IF_ERROR(consumer_.OnEvent(*message, splits));
        continue;
      }
      Consumer::Partition* partition = consumer_.Accept(*message);
      if (partition == nullptr) continue;
      current_ = {partition, message->offset};
      Emit(*partition, *message, output);
      consumer_.Advance(*partition, message->offset, splits);
      if (output.ShouldYield()) return consumer_.EndPoll(taken, splits);
    }
    batch_.reset();
    return consumer_.EndPoll(taken, splits);
  }

  std::string DescribeCurrent() const override {
    if (current_.partition == nullptr) return "";
    const TopicPartition& id = current_.partition->id;
    return fmt::format("topic {}, partition {}, offset {}", id.topic, id.partition, current_.offset);
  }

  void Close() override {
    batch_.reset();
    consumer_.Close();
  }

 private:
  struct Current {
    const Consumer::Partition* partition = nullptr;
    int64_t offset = 0;
  };

  void Emit(const Consumer::Partition& partition, const rd_kafka_message_t& message, SourceOutput<Bytes>& output) {
    if (message.payload == nullptr) {
      tombstones_->Add();
      return;
    }
    output.Emit(partition.split, BytesOf(message.payload, message.len), TimestampOf(message));
  }

  void Emit(const Consumer::Partition& partition, const rd_kafka_message_t& message, SourceOutput<Record>& output) {
    Record record{.headers = Headers(&message),
                  .topic = partition.id.topic,
                  .partition = message.partition,
                  .offset = message.offset,
                  .timestamp = TimestampOf(message)};
    if (message.key != nullptr) record.key = BytesOf(message.key, message.key_len);
    if (message.payload != nullptr) record.value = BytesOf(message.payload, message.len);
    output.Emit(partition.split, record, record.timestamp);
  }

  Consumer consumer_;
  Counter* tombstones_ = nullptr;
  Current current_;             // being emitted
  std::optional<Batch> batch_;  // in hand: what a checkpoint has interrupted goes on with the next poll
};

std::string Join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
  return joined;
}

}  // namespace

template <class T>
absl::Status BasicSource<T>::Validate() const {
  std::vector<std::string> problems = PropertyProblems(
      properties,
      {"bootstrap.servers=use .brokers", "metadata.broker.list=use .brokers", "group.id=use .group_id",
       "auto.offset.reset=use .start; an offset that is gone is an error, never a jump",
       "enable.auto.commit=offsets belong to checkpoints", "enable.auto.offset.store=offsets belong to checkpoints",
       "enable.partition.eof=the source needs to see the end of partitions"});
  if (brokers.empty()) problems.push_back(".brokers is empty: give host:port");
  if (topics.empty() == topic_pattern.empty()) problems.push_back("give either .topics or .topic_pattern");
  for (const std::string& topic : topics) {
    if (topic.empty()) problems.push_back("a name in .topics is empty");
  }
  if (const TopicPattern pattern(topic_pattern); !pattern.error().empty()) {
    problems.push_back(fmt::format(".topic_pattern '{}' is no regular expression: {}", topic_pattern, pattern.error()));
  }
  if (start.kind() == StartFrom::Kind::kGroup && group_id.empty()) {
    problems.push_back("start from the group's offsets needs .group_id");
  }
  if (start.kind() == StartFrom::Kind::kGroup && start.fallback_kind() == StartFrom::Kind::kGroup) {
    problems.push_back("the fallback of StartFrom::group cannot be a group again");
  }
  if (batch_size < 1 || batch_size > kBatchSizeMax) {
    problems.push_back(fmt::format(".batch_size {} is not within 1 to {}", batch_size, kBatchSizeMax));
  }
  if (discovery_interval.count() < 0) problems.push_back(".discovery_interval is negative");
  return ProblemsToStatus("kafka source", problems);
}

template <class T>
std::string BasicSource<T>::Describe() const {
  return fmt::format("kafka {} at {}{}", topics.empty() ? "topics matching " + topic_pattern : "topic " + Join(topics),
                     brokers, bounded ? ", bounded" : "");
}

template <class T>
std::unique_ptr<SourceReader<T>> BasicSource<T>::CreateReader() const {
  return std::make_unique<Reader<T>>(SourceOptions{.brokers = brokers,
                                                   .topics = topics,
                                                   .topic_pattern = topic_pattern,
                                                   .start = start,
                                                   .bounded = bounded,
                                                   .group_id = group_id,
                                                   .discovery_interval = discovery_interval,
                                                   .properties = properties,
                                                   .batch_size = batch_size});
}

template struct BasicSource<Bytes>;
template struct BasicSource<Record>;

std::optional<Bytes> Headers::last(std::string_view name) const {
  std::optional<Bytes> found;
  for_each([&](std::string_view each, std::optional<Bytes> value) {
    if (each == name) found = value;
  });
  return found;
}

void Headers::for_each(const std::function<void(std::string_view, std::optional<Bytes>)>& visit) const {
  if (message_ == nullptr) {
    ByteReader in(encoded_);
    std::string_view name;
    std::optional<Bytes> value;
    while (in.remaining() > 0 && detail::ReadString(in, name) && Serde<std::optional<Bytes>>::Read(in, value)) {
      visit(name, value);
    }
    return;
  }
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(static_cast<const rd_kafka_message_t*>(message_), &headers) != 0) return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    visit(name, value == nullptr ? std::nullopt : std::optional<Bytes>(BytesOf(value, size)));
  }
}

}  // namespace penstock::kafka
