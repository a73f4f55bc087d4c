// The Kafka sink: its description and its writers.
#include <concepts>
#include <utility>

#include "connectors/kafka/exactly_once/transaction_admin.h"
#include "connectors/kafka/exactly_once/transactional_producer.h"
#include "connectors/kafka/producer.h"
#include "penstock/connectors/kafka.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

Outgoing View(const std::string& value) { return {.value = value}; }
Outgoing View(const Bytes& value) { return {.value = value.view()}; }
Outgoing View(const ProducerRecord& record) {
  return {.key = record.key ? std::optional<std::string_view>(*record.key) : std::nullopt,
          .value = record.value ? std::optional<std::string_view>(*record.value) : std::nullopt,
          .headers = &record.headers,
          .timestamp = record.timestamp,
          .partition = record.partition};
}

// P: Producer or TransactionalProducer.
template <class T, class P>
class Writer final : public SinkWriter<T> {
 public:
  explicit Writer(const Sink& sink) : write_timestamps_(sink.write_timestamps), producer_(sink) {}

  absl::Status Open(Context& context) override { return producer_.Open(context); }
  absl::Status Write(const T& value, TimestampMs timestamp) override {
    Outgoing record = View(value);
    if (write_timestamps_ && record.timestamp == kNoTimestamp) record.timestamp = timestamp;
    return producer_.Send(record);
  }
  absl::Status Flush() override {
    if constexpr (requires { producer_.Flush(); }) return producer_.Flush();
    return absl::OkStatus();  // checkpoints do
  }
  void Close() override { producer_.Close(); }
  SinkTransactions* transactions() override {
    if constexpr (std::derived_from<P, SinkTransactions>) return &producer_;
    return nullptr;
  }

 private:
  const bool write_timestamps_;
  P producer_;
};

template <class T>
std::unique_ptr<SinkWriter<T>> MakeWriter(const Sink& sink) {
  if (sink.delivery == Delivery::exactly_once) return std::make_unique<Writer<T, TransactionalProducer>>(sink);
  return std::make_unique<Writer<T, Producer>>(sink);
}

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
  if (delivery == Delivery::none) problems.push_back(".delivery is none: use Delivery::at_least_once");
  return ProblemsToStatus("kafka sink", problems);
}

std::shared_ptr<const SinkAdmin> Sink::Admin() const {
  return delivery == Delivery::exactly_once ? std::make_shared<TransactionAdmin>(*this) : nullptr;
}

std::string Sink::Describe() const { return fmt::format("kafka topic {} at {}", topic, brokers); }

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const {
  return MakeWriter<std::string>(*this);
}
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const {
  return MakeWriter<Bytes>(*this);
}
template <>
std::unique_ptr<SinkWriter<ProducerRecord>> Sink::CreateWriter() const {
  return MakeWriter<ProducerRecord>(*this);
}

}  // namespace penstock::kafka
