// Tables in Kafka: a topic whose newest record of each key is that key's value, and whose record without a value (a
// tombstone) says that the key is gone. Such topics are kept small by the broker: cleanup.policy=compact.
//
//   totals.sink("totals", kafka::UpsertSink<Total>{.sink = {.brokers = b, .topic = "totals"},
//                                                  .key = [](const Total& t) { return t.customer; },
//                                                  .value = [](const Total& t) -> std::optional<std::string> {
//                                                    return t.cents == 0 ? std::nullopt : std::optional(ToJson(t)); }})
//   env.source("totals", kafka::UpsertSource{.source = {.brokers = b, .topics = {"totals"}}})     gives kafka::Upsert
#ifndef PENSTOCK_CONNECTORS_KAFKA_UPSERT_H_
#define PENSTOCK_CONNECTORS_KAFKA_UPSERT_H_

#include <fmt/format.h>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/connectors/kafka.h"
#include "runtime/core/status_macros.h"

namespace penstock::kafka {

// A change of one key, as a view: valid until the function that received it returns.
struct Upsert {
  Bytes key;
  std::optional<Bytes> value;  // nullopt: the key is deleted
  TimestampMs timestamp = kNoTimestamp;
};

// Writes T as changes of keys: `value` gives nullopt to delete the key. Records of a key go to one partition, in their
// order. With at-least-once delivery a restart writes some changes again, from an earlier one of each key on: a reader
// sees the table go back for a moment and arrive where it was. With exactly_once it does not.
template <class T>
struct UpsertSink {
  Sink sink;
  std::function<std::string(const T&)> key;
  std::function<std::optional<std::string>(const T&)> value;

  absl::Status Validate() const {
    std::string problems;
    const auto require = [&](bool holds, const char* text) {
      if (!holds) problems += (problems.empty() ? "" : "; ") + std::string(text);
    };
    require(static_cast<bool>(key), ".key is missing: say what a record is a change of");
    require(static_cast<bool>(value),
            ".value is missing: say how a record becomes bytes, or nullopt to delete its key");
    require(sink.partitioner != "random" && !sink.properties.contains("partitioner"),
            ".partitioner must send a key to one partition");
    const absl::Status of_sink = sink.Validate();
    require(of_sink.ok(), std::string(of_sink.message()).c_str());
    return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError("kafka::UpsertSink: " + problems);
  }
  std::string Describe() const { return sink.Describe() + ", upserts by key"; }
  Delivery DeliveryGuarantee() const { return sink.delivery; }
  std::shared_ptr<const SinkAdmin> Admin() const { return sink.Admin(); }

  template <class U>
  requires std::same_as<T, U> std::unique_ptr<SinkWriter<U>> CreateWriter()
  const {
    return SinkOf<T>{
        .sink = sink, .key = [key = key](const T& record) { return std::optional(key(record)); }, .value = value}
        .template CreateWriter<U>();
  }
};

// Reads a topic as changes of keys. A key is read by the same subtask as long as the parallelism stays; key_by(key)
// brings it to its state. A record without a key is an error that names it.
struct UpsertSource {
  using Output = Upsert;

  RecordSource source;

  absl::Status Validate() const { return source.Validate(); }
  std::string Describe() const { return source.Describe() + ", upserts by key"; }
  std::unique_ptr<SourceReader<Upsert>> CreateReader() const { return std::make_unique<Reader>(source.CreateReader()); }

 private:
  // Passes everything on, and records as changes.
  class Changes final : public SourceOutput<Record> {
   public:
    explicit Changes(SourceOutput<Upsert>& to) : to_(to) {}
    void Emit(SplitIndex split, const Record& record, TimestampMs timestamp) override {
      if (record.key) {
        to_.Emit(split, {*record.key, record.value, record.timestamp}, timestamp);
      } else if (failure_.ok()) {
        failure_ =
            absl::InvalidArgumentError(fmt::format("kafka::UpsertSource: {}-{} offset {}: a record without a key",
                                                   record.topic, record.partition, record.offset));
      }
    }
    bool ShouldYield() const override { return !failure_.ok() || to_.ShouldYield(); }
    SplitIndex AddSplit(std::string name) override { return to_.AddSplit(std::move(name)); }
    void SetDiscovering(bool discovering) override { to_.SetDiscovering(discovering); }
    void SetCaughtUp(SplitIndex split) override { to_.SetCaughtUp(split); }
    void FinishSplit(SplitIndex split) override { to_.FinishSplit(split); }
    void SetPosition(SplitIndex split, int64_t position, int64_t end) override {
      to_.SetPosition(split, position, end);
    }
    const absl::Status& failure() const { return failure_; }

   private:
    SourceOutput<Upsert>& to_;
    absl::Status failure_;
  };

  class Reader final : public SourceReader<Upsert> {
   public:
    explicit Reader(std::unique_ptr<SourceReader<Record>> reader) : reader_(std::move(reader)) {}
    absl::Status Open(Context& context, SourceOutput<Upsert>& output) override {
      Changes changes(output);
      return reader_->Open(context, changes);
    }
    absl::StatusOr<bool> Prepare(SourceOutput<Upsert>& output) override {
      Changes changes(output);
      return reader_->Prepare(changes);
    }
    absl::StatusOr<PollResult> Poll(SourceOutput<Upsert>& output) override {
      Changes changes(output);
      absl::StatusOr<PollResult> result = reader_->Poll(changes);
      PENSTOCK_RETURN_IF_ERROR(changes.failure());
      return result;
    }
    absl::Status Snapshot(uint64_t checkpoint_id, std::vector<std::string>* positions) override {
      return reader_->Snapshot(checkpoint_id, positions);
    }
    absl::Status Restore(const std::vector<std::string>& positions) override { return reader_->Restore(positions); }
    void OnDecided(uint64_t checkpoint_id) override { reader_->OnDecided(checkpoint_id); }
    void Close() override { reader_->Close(); }

   private:
    const std::unique_ptr<SourceReader<Record>> reader_;
  };
};

}  // namespace penstock::kafka

namespace penstock {

template <>
inline constexpr bool kIsView<kafka::Upsert> = true;

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_KAFKA_UPSERT_H_
