#include "connectors/kafka/sender.h"

#include <librdkafka/rdkafka.h>

#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

const Properties& Defaults() {
  static const Properties defaults = {
      {"enable.idempotence", "true"},          {"linger.ms", "5"},
      {"batch.num.messages", "10000"},         {"queue.buffering.max.messages", "500000"},
      {"queue.buffering.max.kbytes", "65536"}, {"reconnect.backoff.max.ms", "2000"},
      {"partitioner", "murmur2_random"},  // as Java's: a key lands where other producers put it
      {"socket.nagle.disable", "true"},
  };
  return defaults;
}

// The payload of an empty value must not be null: null is a tombstone.
void* DataOf(std::string_view bytes) { return const_cast<char*>(bytes.data() == nullptr ? "" : bytes.data()); }

}  // namespace

absl::StatusOr<std::unique_ptr<Sender>> Sender::Create(const Sink& sink, const Properties& overrides) {
  std::unique_ptr<Sender> sender(new Sender(sink));
  Properties defaults = Defaults();
  if (!sink.partitioner.empty()) defaults["partitioner"] = sink.partitioner;
  Properties properties = sink.properties;
  for (const auto& [name, value] : overrides) properties[name] = value;
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf,
                            MakeConf(ClientKind::kProducer, sink.brokers, defaults, properties, sender.get()));
  PENSTOCK_ASSIGN_OR_RETURN(sender->client_, MakeClient(ClientKind::kProducer, std::move(conf)));
  sender->main_queue_.reset(rd_kafka_queue_get_main(sender->client_.get()));
  PENSTOCK_ASSIGN_OR_RETURN(sender->topic_, MakeTopic(sender->client_.get(), sink.topic));
  return sender;
}

Sender::~Sender() {
  if (client_ == nullptr) return;
  if (main_queue_ != nullptr) rd_kafka_queue_cb_event_enable(main_queue_.get(), nullptr, nullptr);
  // What is still on its way is given up; the reports of what has arrived, and of the rest, are served.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_poll(client_.get(), 0);
  main_queue_.reset();
  topic_.reset();
  client_.reset();
}

void Sender::Abandon(std::unique_ptr<Sender> sender) {
  if (sender == nullptr) return;
  rd_kafka_queue_cb_event_enable(sender->main_queue_.get(), nullptr, nullptr);
  rd_kafka_set_log_level(sender->client_.get(), 0);  // its threads may outlive the log
  static auto* abandoned = new std::vector<std::unique_ptr<Sender>>();
  static auto* mutex = new Mutex();
  MutexLock lock(mutex);
  abandoned->push_back(std::move(sender));
}

void Sender::WakeOnEvents(std::shared_ptr<Waker> waker) {
  waker_ = std::move(waker);
  events_waiting_ = true;  // what came before
  rd_kafka_queue_cb_event_enable(main_queue_.get(), OnEvents, this);
}

void Sender::OnEvents(rd_kafka_t*, void* sender) {
  auto* self = static_cast<Sender*>(sender);
  self->events_waiting_.store(true, std::memory_order_release);
  self->waker_->Wake();
}

void Sender::Serve() {
  // Cleared first: the callback comes again only when the queue was empty before.
  if (!events_waiting_.exchange(false, std::memory_order_acquire)) return;
  rd_kafka_poll(client_.get(), 0);
}

void Sender::Poll(int timeout_ms) { rd_kafka_poll(client_.get(), timeout_ms); }

Sender::Sent Sender::TrySend(const Outgoing& record) {
  if (record.timestamp != kNoTimestamp || (record.headers != nullptr && !record.headers->empty()) ||
      !sink_.headers.empty()) {
    return TrySendFull(record);
  }
  const int result =
      rd_kafka_produce(topic_.get(), record.partition, RD_KAFKA_MSG_F_COPY,
                       record.value ? DataOf(*record.value) : nullptr, record.value ? record.value->size() : 0,
                       record.key ? DataOf(*record.key) : nullptr, record.key ? record.key->size() : 0, nullptr);
  if (result == 0) {
    ++in_flight_;
    return Sent::kYes;
  }
  const rd_kafka_resp_err_t error = rd_kafka_last_error();
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Sent::kQueueFull;
  Fail(Unavailable("kafka sink {}: topic '{}': a record of {} bytes is refused: {}", sink_.brokers, sink_.topic,
                   record.value ? record.value->size() : 0, rd_kafka_err2str(error)));
  return Sent::kFailed;
}

Sender::Sent Sender::TrySendFull(const Outgoing& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(sink_.headers.size());
  const auto add = [&](const HeaderList& list) {
    for (const auto& [name, value] : list) {
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), DataOf(value),
                          static_cast<ssize_t>(value.size()));
    }
  };
  add(sink_.headers);
  if (record.headers != nullptr) add(*record.headers);
  void* const value = record.value ? DataOf(*record.value) : nullptr;
  const size_t value_size = record.value ? record.value->size() : 0;
  const void* const key = record.key ? DataOf(*record.key) : nullptr;
  const size_t key_size = record.key ? record.key->size() : 0;
  const int64_t timestamp = record.timestamp == kNoTimestamp ? 0 : record.timestamp;  // 0: the client's clock
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_size), RD_KAFKA_V_KEY(key, key_size),
      RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++in_flight_;
    return Sent::kYes;
  }
  rd_kafka_headers_destroy(headers);  // taken over on success only
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Sent::kQueueFull;
  Fail(Unavailable("kafka sink {}: topic '{}': a record is refused: {}", sink_.brokers, sink_.topic,
                   rd_kafka_err2str(error)));
  return Sent::kFailed;
}

void Sender::OnDelivery(int32_t partition, std::string_view error) {
  --in_flight_;
  if (!error.empty()) {
    Fail(Unavailable("kafka sink {}: delivery to topic '{}' partition {} failed: {}", sink_.brokers, sink_.topic,
                     partition, error));
  } else {
    trouble_.clear();
  }
}

void Sender::OnBrokerTrouble(std::string text) {
  // Without records on their way nobody waits for the broker (an idle connection that it closes is no trouble).
  if (in_flight_ > 0) trouble_ = fmt::format("kafka {}: {}; retrying", sink_.brokers, text);
}

void Sender::OnFatal(std::string text) {
  Fail(Unavailable("kafka sink {}: topic '{}': the client cannot go on: {}", sink_.brokers, sink_.topic, text));
}

void Sender::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

}  // namespace penstock::kafka
