// The Kafka sink: its description and its writers.
#include <utility>

#include "connectors/kafka/producer.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

template <class T>
class Writer final : public SinkWriter<T> {
 public:
  explicit Writer(const Sink& sink) : write_timestamps_(sink.write_timestamps), producer_(sink) {}

  absl::Status Open(Context& context) override { return producer_.Open(context); }
  absl::Status Write(const T& value, TimestampMs timestamp) override {
    Outgoing record = View(value);
    if (write_timestamps_ && record.timestamp == kNoTimestamp) record.timestamp = timestamp;
    return producer_.Send(record);
  }
  absl::Status Flush() override { return producer_.Flush(); }
  void Close() override { producer_.Close(); }

 private:
  static Outgoing View(const std::string& value) { return {.value = value}; }
  static Outgoing View(const Bytes& value) { return {.value = value.view()}; }
  static Outgoing View(const ProducerRecord& record) {
    return {.key = record.key ? std::optional<std::string_view>(*record.key) : std::nullopt,
            .value = record.value ? std::optional<std::string_view>(*record.value) : std::nullopt,
            .headers = &record.headers,
            .timestamp = record.timestamp,
            .partition = record.partition};
  }

  const bool write_timestamps_;
  Producer producer_;
};

}  // namespace

absl::Status Sink::Validate() const {
  Properties all = properties;
  if (!partitioner.empty()) all.emplace("partitioner", partitioner);
  std::vector<std::string> problems =
      PropertyProblems(all, {"bootstrap.servers=use .brokers", "metadata.broker.list=use .brokers",
                             "transactional.id=transactions belong to exactly-once delivery",
                             "delivery.report.only.error=every delivery is counted"});
  if (brokers.empty()) problems.push_back(".brokers is empty: give host:port");
  if (topic.empty()) problems.push_back(".topic is empty");
  if (delivery == Delivery::exactly_once) {
    problems.push_back(
        "exactly-once delivery is not supported in this version: use Delivery::at_least_once");
  }
  if (delivery == Delivery::none) problems.push_back(".delivery is none: use Delivery::at_least_once");
  return ProblemsToStatus("kafka sink", problems);
}

std::string Sink::Describe() const { return fmt::format("kafka topic {} at {}", topic, brokers); }

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const {
  return std::make_unique<Writer<std::string>>(*this);
}
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const {
  return std::make_unique<Writer<Bytes>>(*this);
}
template <>
std::unique_ptr<SinkWriter<ProducerRecord>> Sink::CreateWriter() const {
  return std::make_unique<Writer<ProducerRecord>>(*this);
}

}  // namespace penstock::kafka
