#include "connectors/kafka/producer.h"

#include <librdkafka/rdkafka.h>

#include "connectors/kafka/metadata.h"
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

Producer::TopicProbe::TopicProbe(rd_kafka_t* client, const Sink& sink, std::shared_ptr<Waker> waker)
    : client_(client), brokers_(sink.brokers), topic_(sink.topic), waker_(std::move(waker)) {
  thread_.emplace([this] { return Look(); });
}

std::string Producer::TopicProbe::note() {
  MutexLock lock(&mutex_);
  return note_;
}

std::optional<std::chrono::milliseconds> Producer::TopicProbe::Look() {
  const auto topics = ListTopics(client_, /*all=*/false);
  std::string note;
  if (!topics.ok()) {
    note = fmt::format("kafka {}: {}; retrying", brokers_, MessageOf(topics.status()));
  } else if (const auto found = topics->find(topic_); found == topics->end()) {
    note = fmt::format("kafka {}: topic '{}': no answer about it; retrying", brokers_, topic_);
  } else if (!found->second.error.empty()) {
    note = fmt::format("kafka {}: topic '{}': {}; retrying", brokers_, topic_,
                       found->second.missing ? "does not exist, create it" : found->second.error);
  } else {
    found_.store(true, std::memory_order_release);
    waker_->Wake();
    return std::nullopt;
  }
  {
    MutexLock lock(&mutex_);
    note_ = std::move(note);
  }
  waker_->Wake();
  return backoff_.Next();
}

absl::Status Producer::Open(Context& context) {
  context_ = &context;
  waker_ = context.waker();
  Properties defaults = Defaults();
  if (!sink_.partitioner.empty()) defaults["partitioner"] = sink_.partitioner;
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf,
                            MakeConf(ClientKind::kProducer, sink_.brokers, defaults, sink_.properties, this));
  PENSTOCK_ASSIGN_OR_RETURN(client_, MakeClient(ClientKind::kProducer, std::move(conf)));
  main_queue_.reset(rd_kafka_queue_get_main(client_.get()));
  rd_kafka_queue_cb_event_enable(main_queue_.get(), OnEvents, this);
  PENSTOCK_ASSIGN_OR_RETURN(topic_, MakeTopic(client_.get(), sink_.topic));
  probe_ = std::make_unique<TopicProbe>(client_.get(), sink_, waker_);
  return absl::OkStatus();
}

void Producer::OnEvents(rd_kafka_t*, void* producer) {
  auto* self = static_cast<Producer*>(producer);
  self->events_waiting_.store(true, std::memory_order_release);
  self->waker_->Wake();
}

void Producer::Serve() {
  // Cleared first: the callback comes again only when the queue was empty before.
  if (!events_waiting_.exchange(false, std::memory_order_acquire)) return;
  rd_kafka_poll(client_.get(), 0);
}

absl::Status Producer::AwaitTopic() {
  const bool go_on = context_->WaitUntil("the Kafka topic", [this] {
    if (probe_->found()) return true;
    ShowNote(probe_->note());
    return false;
  });
  if (!go_on) return Cancelled("kafka sink: the task is to stop");
  probe_.reset();
  ShowNote("");
  return absl::OkStatus();
}

absl::Status Producer::Send(const Outgoing& record) {
  if (probe_ != nullptr) PENSTOCK_RETURN_IF_ERROR(AwaitTopic());
  if (events_waiting_.load(std::memory_order_relaxed)) Serve();
  if (!failure_.ok()) return failure_;
  Sent sent = TrySend(record);
  if (sent == Sent::kQueueFull) {
    const bool go_on = context_->WaitUntil("room in the Kafka queue", [&] {
      Serve();
      if (!failure_.ok()) return true;
      sent = TrySend(record);
      return sent != Sent::kQueueFull;
    });
    if (!go_on) return Cancelled("kafka sink: the task is to stop");
  }
  return failure_;
}

Producer::Sent Producer::TrySend(const Outgoing& record) {
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

Producer::Sent Producer::TrySendFull(const Outgoing& record) {
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

absl::Status Producer::Flush() {
  if (client_ == nullptr) return failure_;
  const bool go_on = context_->WaitUntil("deliveries to Kafka", [this] {
    Serve();
    return in_flight_ == 0 || !failure_.ok();
  });
  if (!go_on) return Cancelled("kafka sink: the task is to stop");
  return failure_;
}

void Producer::OnDelivery(int32_t partition, std::string_view error) {
  --in_flight_;
  if (!error.empty()) {
    Fail(Unavailable("kafka sink {}: delivery to topic '{}' partition {} failed: {}", sink_.brokers, sink_.topic,
                     partition, error));
  } else if (!note_.empty()) {
    ShowNote("");
  }
}

void Producer::OnBrokerTrouble(std::string text) {
  // Without records on their way nobody waits for the broker (an idle connection that it closes is no trouble).
  if (in_flight_ > 0) ShowNote(fmt::format("kafka {}: {}; retrying", sink_.brokers, text));
}

void Producer::OnFatal(std::string text) {
  Fail(Unavailable("kafka sink {}: topic '{}': the client cannot go on: {}", sink_.brokers, sink_.topic, text));
}

void Producer::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

void Producer::ShowNote(std::string note) {
  if (note == note_) return;
  if (!note.empty()) context_->log_warn(note);
  note_ = note;
  context_->set_status_note(std::move(note));
}

void Producer::Close() {
  if (client_ == nullptr) return;
  probe_.reset();
  if (main_queue_ != nullptr) rd_kafka_queue_cb_event_enable(main_queue_.get(), nullptr, nullptr);
  // What is still on its way is given up; the reports of what has arrived, and of the rest, are served.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_poll(client_.get(), 0);
  main_queue_.reset();
  topic_.reset();
  client_.reset();
}

}  // namespace penstock::kafka
