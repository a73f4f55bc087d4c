#include "connectors/kafka/consumer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

// Fetching is tuned for throughput with a bounded queue; .properties may change all of it.
const Properties& Defaults() {
  static const Properties defaults = {
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"enable.partition.eof", "true"},
      {"auto.offset.reset", "error"},  // never a silent jump
      {"queued.min.messages", "1000000"},
      // Twice as much costs almost twice the time per record: such buffers come fresh from the kernel, page by page.
      {"fetch.message.max.bytes", "1048576"},
      {"fetch.wait.max.ms", "100"},
      {"fetch.error.backoff.ms", "100"},
      {"reconnect.backoff.max.ms", "2000"},
      {"socket.nagle.disable", "true"},
  };
  return defaults;
}

std::string PropertyOr(const Properties& properties, const std::string& name, const std::string& otherwise) {
  const auto found = properties.find(name);
  return found == properties.end() ? otherwise : found->second;
}

void WakeTask(rd_kafka_t*, void* waker) { static_cast<Waker*>(waker)->Wake(); }

}  // namespace

void FreeMessage(rd_kafka_message_t* message) { rd_kafka_message_destroy(message); }

Consumer::Consumer(SourceOptions options) : options_(std::move(options)) {}

Consumer::~Consumer() { Close(); }

absl::Status Consumer::Open(Context& context, Splits& splits) {
  splits.SetDiscovering(true);
  context_ = &context;
  waker_ = context.waker();
  Properties defaults = Defaults();
  if (!options_.group_id.empty()) defaults["group.id"] = options_.group_id;
  defaults["queued.max.messages.kbytes"] = std::to_string(context.client_queue_bytes() >> 10);
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf,
                            MakeConf(ClientKind::kConsumer, options_.brokers, defaults, options_.properties, this));
  PENSTOCK_ASSIGN_OR_RETURN(client_, MakeClient(ClientKind::kConsumer, std::move(conf)));
  queue_.reset(rd_kafka_queue_new(client_.get()));
  main_queue_.reset(rd_kafka_queue_get_main(client_.get()));
  rd_kafka_queue_cb_event_enable(queue_.get(), WakeTask, waker_.get());
  rd_kafka_queue_cb_event_enable(main_queue_.get(), WakeTask, waker_.get());
  if (!options_.group_id.empty()) {
    commits_.emplace(client_.get(), main_queue_.get(), options_.group_id, context);
  }
  discovery_.emplace(client_.get(), options_, context.subtask(), context.parallelism(), waker_);
  return absl::OkStatus();
}

absl::Status Consumer::Restore(const std::vector<std::string>& positions) {
  options_.restored.emplace();
  for (const std::string& text : positions) {
    TopicPartition id;
    PartitionPosition position;
    if (!DecodePosition(text, &id, &position)) return DataLoss("'{}' is no position of a Kafka partition", text);
    (*options_.restored)[id] = position;
  }
  return absl::OkStatus();
}

void Consumer::Snapshot(uint64_t checkpoint_id, std::vector<std::string>* positions) {
  std::map<TopicPartition, int64_t> offsets;
  for (const Partition& partition : partitions_) {
    offsets[partition.id] = partition.next;
    positions->push_back(EncodePosition(partition.id, {.next = partition.next, .stop = partition.stop}));
  }
  if (commits_) commits_->Remember(checkpoint_id, std::move(offsets));
}

absl::Status Consumer::BeginPoll(Splits& splits) {
  ServeEvents();
  if (!fatal_.empty()) return Unavailable("kafka {}: the client cannot go on: {}", options_.brokers, fatal_);
  std::optional<DiscoveryReport> report = discovery_->Take();
  if (!report) return absl::OkStatus();
  PENSTOCK_RETURN_IF_ERROR(report->failure);
  for (const FoundPartition& found : report->found) PENSTOCK_RETURN_IF_ERROR(StartPartition(found, splits));
  complete_ = complete_ || report->complete;
  splits.SetDiscovering(!complete_);
  discovery_note_ = std::move(report->note);
  if (report->answered) broker_note_.clear();
  ShowNote();
  return absl::OkStatus();
}

absl::Status Consumer::StartPartition(const FoundPartition& found, Splits& splits) {
  auto topic = std::find_if(topics_.begin(), topics_.end(), [&](const Topic& t) { return t.name == found.id.topic; });
  if (topic == topics_.end()) {
    PENSTOCK_ASSIGN_OR_RETURN(TopicPtr handle, MakeTopic(client_.get(), found.id.topic));
    topics_.push_back({.name = found.id.topic, .handle = std::move(handle), .partitions = {}});
    topic = std::prev(topics_.end());
  }
  const auto number = static_cast<size_t>(found.id.partition);
  if (topic->partitions.size() <= number) topic->partitions.resize(number + 1);
  Partition& partition = partitions_.emplace_back();
  topic->partitions[number] = &partition;
  partition.id = found.id;
  partition.topic = topic->handle.get();
  partition.split = splits.AddSplit(fmt::format("{}-{}", found.id.topic, found.id.partition));
  partition.next = found.start;
  partition.stop = found.stop;
  partition.known_end = found.end;
  ++active_;
  splits.SetPosition(partition.split, found.start, found.end);
  if (found.stop >= 0 && found.start >= found.stop) {
    Finish(partition, splits);
    return absl::OkStatus();
  }
  if (rd_kafka_consume_start_queue(partition.topic, found.id.partition, found.start, queue_.get()) != 0) {
    return Internal("kafka {}: reading {}-{} cannot start: {}", options_.brokers, found.id.topic, found.id.partition,
                    rd_kafka_err2str(rd_kafka_last_error()));
  }
  partition.fetching = true;
  return absl::OkStatus();
}

int Consumer::TakeBatch(rd_kafka_message_t** messages) {
  const ssize_t taken =
      rd_kafka_consume_batch_queue(queue_.get(), 0, messages, static_cast<size_t>(options_.batch_size));
  return taken < 0 ? 0 : static_cast<int>(taken);
}

Consumer::Topic* Consumer::TopicOf(rd_kafka_topic_t* handle) {
  if (last_topic_ != nullptr && last_topic_->handle.get() == handle) return last_topic_;
  for (Topic& topic : topics_) {
    if (topic.handle.get() == handle) return last_topic_ = &topic;
  }
  return nullptr;
}

Consumer::Partition* Consumer::Accept(const rd_kafka_message_t& message) {
  Topic* topic = TopicOf(message.rkt);
  if (topic == nullptr || static_cast<size_t>(message.partition) >= topic->partitions.size()) return nullptr;
  Partition* partition = topic->partitions[static_cast<size_t>(message.partition)];
  if (partition == nullptr || partition->finished) return nullptr;
  if (!partition->touched) {
    partition->touched = true;
    touched_.push_back(partition);
  }
  return partition;
}

absl::Status Consumer::OnEvent(const rd_kafka_message_t& message, Splits& splits) {
  Partition* partition = Accept(message);
  if (partition == nullptr) return absl::OkStatus();
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // Control records and compaction leave gaps, so the end may be reached without a record before it.
    partition->next = std::max(partition->next, message.offset);
    partition->known_end = partition->next;
    splits.SetCaughtUp(partition->split);
    if (partition->stop >= 0 && partition->next >= partition->stop) Finish(*partition, splits);
    return absl::OkStatus();
  }
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
    int64_t low = -1, high = -1;
    rd_kafka_get_watermark_offsets(client_.get(), partition->id.topic.c_str(), partition->id.partition, &low, &high);
    return OutOfRange("kafka {}: offset {} of partition {}-{} cannot be read ({}); it has offsets {} to {}",
                      options_.brokers, partition->next, partition->id.topic, partition->id.partition,
                      rd_kafka_message_errstr(&message), low, high);
  }
  broker_note_ = fmt::format("kafka {}: partition {}-{}: {}; retrying", options_.brokers, partition->id.topic,
                             partition->id.partition, rd_kafka_message_errstr(&message));
  ShowNote();
  discovery_->Kick();
  return absl::OkStatus();
}

void Consumer::Finish(Partition& partition, Splits& splits) {
  if (partition.finished) return;
  partition.finished = true;
  --active_;
  StopFetching(partition);  // others may go on writing to it
  splits.SetPosition(partition.split, partition.next, partition.stop);
  splits.FinishSplit(partition.split);
}

void Consumer::StopFetching(Partition& partition) {
  if (!partition.fetching) return;
  partition.fetching = false;
  rd_kafka_consume_stop(partition.topic, partition.id.partition);
}

PollResult Consumer::EndPoll(int taken, Splits& splits) {
  for (Partition* partition : touched_) {
    partition->touched = false;
    if (partition->finished) continue;
    int64_t low = -1, high = -1;
    rd_kafka_get_watermark_offsets(client_.get(), partition->id.topic.c_str(), partition->id.partition, &low, &high);
    partition->known_end = std::max({partition->known_end, high, partition->next});
    splits.SetPosition(partition->split, partition->next, partition->known_end);
  }
  if (!touched_.empty() && !broker_note_.empty()) {
    broker_note_.clear();
    ShowNote();
  }
  touched_.clear();
  if (taken > 0) WakeFetchers();
  if (options_.bounded && complete_ && active_ == 0) return PollResult::kFinished;
  return taken > 0 ? PollResult::kMore : PollResult::kDry;
}

void Consumer::WakeFetchers() {
  // When the queue is full, librdkafka 2.0 stops fetching and looks again only after up to a second, in which a fast
  // job empties any queue of sensible size. Its broker threads look at once when they are woken, and the one public
  // call that wakes them without a request is to set the SASL credentials, here to what they are.
  const size_t length = rd_kafka_queue_length(queue_.get());
  queue_peak_ = std::max(queue_peak_, length);
  if (length >= queue_peak_ / 2) return;
  queue_peak_ = length;
  const std::string user = PropertyOr(options_.properties, "sasl.username", "");
  const std::string password = PropertyOr(options_.properties, "sasl.password", "");
  if (rd_kafka_error_t* error = rd_kafka_sasl_set_credentials(client_.get(), user.c_str(), password.c_str())) {
    rd_kafka_error_destroy(error);
  }
}

void Consumer::ServeEvents() { rd_kafka_poll(client_.get(), 0); }

void Consumer::OnBrokerTrouble(std::string text) {
  broker_note_ = fmt::format("kafka {}: {}; retrying", options_.brokers, text);
  ShowNote();
  if (discovery_) discovery_->Kick();
}

void Consumer::ShowNote() {
  const std::string& note = broker_note_.empty() ? discovery_note_ : broker_note_;
  if (note == shown_note_) return;
  if (!note.empty()) context_->log_warn(note);
  shown_note_ = note;
  context_->set_status_note(note);
}

void Consumer::Close() {
  if (client_ == nullptr) return;
  if (discovery_) discovery_->Stop();
  rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  rd_kafka_queue_cb_event_enable(main_queue_.get(), nullptr, nullptr);
  for (Partition& partition : partitions_) StopFetching(partition);
  const int64_t until_ms = context_->clock().MonotonicMs() + kLastCommitMs;
  while (commits_ && commits_->outstanding() && context_->clock().MonotonicMs() < until_ms) {
    rd_kafka_poll(client_.get(), kLastCommitMs / 10);
  }
  discovery_.reset();
  queue_.reset();
  main_queue_.reset();
  topics_.clear();
  client_.reset();
  commits_.reset();
}

}  // namespace penstock::kafka
