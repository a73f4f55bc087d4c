// Kafka as a source and a sink of jobs.
//
//   env.source("events", kafka::Source{.brokers = "b1:9092,b2:9092", .topics = {"events-raw"}})
//   stream.sink("out", kafka::Sink{.brokers = "b1:9092", .topic = "results"})
//
// Descriptions are copyable values; readers and writers made from them belong to one task's thread each. Troubles that
// may pass (broker down, topic missing) are retried with backoff and shown in the job's status. Anything that
// librdkafka can be configured with goes into .properties.
#ifndef PENSTOCK_CONNECTORS_KAFKA_H_
#define PENSTOCK_CONNECTORS_KAFKA_H_

#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/record/bytes.h"
#include "runtime/record/serde.h"
#include "runtime/record/time.h"
#include "runtime/task/sink.h"
#include "runtime/task/sink_admin.h"
#include "runtime/task/source.h"

namespace penstock::kafka {

using Properties = std::map<std::string, std::string>;

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

// Where a source begins to read the partitions that it finds at its start. Partitions that appear later are read from
// their first record, whatever is said here. Everything is resolved to explicit offsets before the first record.
class StartFrom {
 public:
  enum class Kind { kEarliest, kLatest, kTimestamp, kGroup, kOffsets };

  static StartFrom earliest() { return StartFrom(Kind::kEarliest); }
  static StartFrom latest() { return StartFrom(Kind::kLatest); }
  // The first record whose Kafka timestamp is not before this one; the end where there is none.
  static StartFrom timestamp(TimestampMs from) {
    StartFrom start(Kind::kTimestamp);
    start.timestamp_ = from;
    return start;
  }
  // What the consumer group has committed; partitions without a commit follow `fallback` (not another group).
  static StartFrom group(const StartFrom& fallback = earliest()) {
    StartFrom start = fallback;
    start.fallback_kind_ = fallback.kind_;
    start.kind_ = Kind::kGroup;
    return start;
  }
  // Partitions that are not named begin at their first record. An offset that the partition does not have is an error.
  static StartFrom offsets(std::map<TopicPartition, int64_t> from) {
    StartFrom start(Kind::kOffsets);
    start.offsets_ = std::move(from);
    return start;
  }

  Kind kind() const { return kind_; }
  Kind fallback_kind() const { return fallback_kind_; }
  TimestampMs timestamp_ms() const { return timestamp_; }
  const std::map<TopicPartition, int64_t>& explicit_offsets() const { return offsets_; }

 private:
  explicit StartFrom(Kind kind) : kind_(kind) {}

  Kind kind_;
  Kind fallback_kind_ = Kind::kEarliest;
  TimestampMs timestamp_ = 0;
  std::map<TopicPartition, int64_t> offsets_;
};

// The headers of one record, read where librdkafka (or the exchange) keeps them. A view: valid as long as its record.
class Headers {
 public:
  Headers() = default;
  explicit Headers(const void* message) : message_(message) {}  // rd_kafka_message_t
  // As Serde<Headers> writes them.
  static Headers FromEncoded(std::string_view encoded) {
    Headers headers;
    headers.encoded_ = encoded;
    return headers;
  }

  // The value of the last header of that name; nullopt when there is none or it is null.
  std::optional<Bytes> last(std::string_view name) const;
  void for_each(const std::function<void(std::string_view name, std::optional<Bytes> value)>& visit) const;

 private:
  const void* message_ = nullptr;
  std::string_view encoded_;
};

// A record as a view: valid until the function that received it returns.
struct Record {
  std::optional<Bytes> key;
  std::optional<Bytes> value;  // nullopt: a tombstone
  Headers headers;
  std::string_view topic;
  int32_t partition = 0;
  int64_t offset = 0;
  TimestampMs timestamp = kNoTimestamp;
};

// Reads topics by assigned offsets, without consumer-group rebalancing. Partition p of topic t is read by subtask
// (hash(t) + p) % parallelism. T is Bytes (the value; tombstones are skipped and counted as kafkaTombstonesSkipped)
// or Record.
template <class T>
struct BasicSource {
  using Output = T;

  std::string brokers;              // host:port[,host:port...]
  std::vector<std::string> topics;  // these, or
  std::string topic_pattern;        // all whose whole name matches this regular expression (POSIX extended)
  StartFrom start = StartFrom::earliest();
  bool bounded = false;                                  // stop at the end offsets seen at the start
  // For StartFrom::group; decided checkpoints commit their offsets to it, for lag tools. Empty: neither.
  std::string group_id;
  std::chrono::milliseconds discovery_interval{30'000};  // for new partitions and topics; 0: never
  Properties properties;
  int batch_size = 512;  // records per poll, 1 to 1000

  absl::Status Validate() const;
  std::string Describe() const;
  std::unique_ptr<SourceReader<T>> CreateReader() const;
};

extern template struct BasicSource<Bytes>;
extern template struct BasicSource<Record>;

using Source = BasicSource<Bytes>;
using RecordSource = BasicSource<Record>;

// A record to write.
struct ProducerRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;  // nullopt: a tombstone
  std::vector<std::pair<std::string, std::string>> headers;
  TimestampMs timestamp = kNoTimestamp;  // kNoTimestamp: see Sink::write_timestamps
  int32_t partition = -1;                // -1: by key, or at random without one
};

// What a function could not make sense of (Malformed, from .malformed()), for a topic of its own: the record's bytes as
// they came, why and where from as the headers penstock.reason, penstock.origin and penstock.operator.
//   parsed.malformed().map(kafka::dead_letter<Malformed>).sink("dead", kafka::Sink{...})
template <class M>
ProducerRecord dead_letter(const M& malformed) {
  return {.value = malformed.record,
          .headers = {{"penstock.reason", malformed.reason},
                      {"penstock.origin", malformed.origin},
                      {"penstock.operator", malformed.operator_name}}};
}

template <class T>
concept Writable = std::same_as<T, std::string> || std::same_as<T, Bytes> || std::same_as<T, ProducerRecord>;

// Writes strings, Bytes or ProducerRecords to one topic. At least once: idempotent producer, every delivery report is
// checked, and a checkpoint waits until the broker has acknowledged all. Exactly once: in transactions that are
// committed with checkpoints, whatever dies; readers need isolation.level=read_committed (docs/exactly_once.md).
struct Sink {
  std::string brokers;
  std::string topic;
  Delivery delivery = Delivery::at_least_once;
  Properties properties;
  std::string partitioner;                                   // librdkafka's name; empty: murmur2_random, as Java's
  std::vector<std::pair<std::string, std::string>> headers;  // on every record
  bool write_timestamps = false;                             // the stream's event time as the record's timestamp

  absl::Status Validate() const;
  std::string Describe() const;
  Delivery DeliveryGuarantee() const { return delivery; }
  std::shared_ptr<const SinkAdmin> Admin() const;  // of its transactions; null without
  template <Writable T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const;
};

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const;
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const;
template <>
std::unique_ptr<SinkWriter<ProducerRecord>> Sink::CreateWriter() const;

// A sink of your own type: SinkOf<Order>{.sink = {.brokers = b, .topic = "orders"}, .key = id_of, .value = to_json}.
template <class T>
struct SinkOf {
  Sink sink;
  std::function<std::optional<std::string>(const T&)> key;  // may be empty
  std::function<std::optional<std::string>(const T&)> value;
  std::function<std::vector<std::pair<std::string, std::string>>(const T&)> headers;  // may be empty
  std::function<int32_t(const T&)> partition;                                         // may be empty

  absl::Status Validate() const {
    if (!value) return absl::InvalidArgumentError("kafka::SinkOf: .value is missing: say how a record becomes bytes");
    return sink.Validate();
  }
  std::string Describe() const { return sink.Describe(); }
  Delivery DeliveryGuarantee() const { return sink.delivery; }
  std::shared_ptr<const SinkAdmin> Admin() const { return sink.Admin(); }

  template <class U>
  requires std::same_as<T, U> std::unique_ptr<SinkWriter<U>> CreateWriter()
  const { return std::make_unique<Writer>(*this); }

 private:
  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(const SinkOf& description)
        : description_(description), writer_(description.sink.template CreateWriter<ProducerRecord>()) {}
    absl::Status Open(Context& context) override { return writer_->Open(context); }
    absl::Status Write(const T& value, TimestampMs timestamp) override {
      ProducerRecord record{.value = description_.value(value)};
      if (description_.key) record.key = description_.key(value);
      if (description_.headers) record.headers = description_.headers(value);
      if (description_.partition) record.partition = description_.partition(value);
      return writer_->Write(record, timestamp);
    }
    absl::Status Flush() override { return writer_->Flush(); }
    void Close() override { writer_->Close(); }
    SinkTransactions* transactions() override { return writer_->transactions(); }

   private:
    const SinkOf description_;
    const std::unique_ptr<SinkWriter<ProducerRecord>> writer_;
  };
};

}  // namespace penstock::kafka

namespace penstock {

template <>
inline constexpr bool kIsView<kafka::Record> = true;

// A block of (name, optional value), preceded by its length.
template <>
struct Serde<kafka::Headers> {
  static void Write(const kafka::Headers& value, ByteWriter& out) {
    ByteWriter block;
    value.for_each([&](std::string_view name, std::optional<Bytes> each) {
      detail::WriteString(name, block);
      Serde<std::optional<Bytes>>::Write(each, block);
    });
    detail::WriteString(block.view(), out);
  }
  static bool Read(ByteReader& in, kafka::Headers& value) {
    std::string_view block;
    if (!detail::ReadString(in, block)) return false;
    value = kafka::Headers::FromEncoded(block);
    return true;
  }
  static std::string TypeName() { return "kafka_headers"; }
};

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_KAFKA_H_
