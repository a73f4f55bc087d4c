#include "connectors/kafka/exactly_once/transaction_client.h"

#include <librdkafka/rdkafka.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "connectors/kafka/exactly_once/bounded_call.h"
#include "connectors/kafka/metadata.h"
#include "runtime/core/clock.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

struct ErrorDeleter {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using ErrorPtr = std::unique_ptr<rd_kafka_error_t, ErrorDeleter>;

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using ListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

struct GroupDeleter {
  void operator()(rd_kafka_consumer_group_metadata_t* group) const { rd_kafka_consumer_group_metadata_destroy(group); }
};

bool IsFenced(const rd_kafka_error_t* error) {
  switch (rd_kafka_error_code(error)) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_INVALID_TXN_STATE:
      return true;
    default:
      return false;
  }
}

// What the words of the broker do not say.
std::string HintFor(rd_kafka_resp_err_t code, const std::string& topic) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
      return ": somebody has subscribed with the sink's marker group; nobody may use that group";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return ": allow Write and Describe on this transactional id";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return ": allow Read on the group of this name";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return fmt::format(": allow Write and Read on topic '{}'", topic);
    default:
      return "";
  }
}

}  // namespace

TransactionClient::TransactionClient(const Sink& sink, std::string name, rd_kafka_t* client, std::function<bool()> stop)
    : sink_(sink), name_(std::move(name)), client_(client), stop_(std::move(stop)) {}

absl::Status TransactionClient::Repeat(const char* what, const std::function<void*()>& call) const {
  std::string told;
  while (true) {
    if (stop_()) return Cancelled("kafka sink: the task is to stop");
    const ErrorPtr error(static_cast<rd_kafka_error_t*>(call()));
    if (error == nullptr) return absl::OkStatus();
    const std::string text =
        fmt::format("kafka {}: transaction '{}': {}: {}{}", sink_.brokers, name_, what,
                    rd_kafka_error_string(error.get()), HintFor(rd_kafka_error_code(error.get()), sink_.topic));
    if (IsFenced(error.get())) {
      return Aborted(
          "{} (the broker has aborted the transaction after transaction.timeout.ms, or a newer attempt of the job has "
          "taken it over; nothing is lost, its records are in the checkpoint)",
          text);
    }
    if (!rd_kafka_error_is_retriable(error.get())) return Unavailable("{}", text);
    if (told != text) PENSTOCK_LOG(warn, "{}; retrying", text);
    told = text;
  }
}

absl::Status TransactionClient::Init() const {
  return Repeat("init", [this] { return rd_kafka_init_transactions(client_, kCallPieceMs); });
}

absl::Status TransactionClient::Begin() const {
  return Repeat("begin", [this] { return rd_kafka_begin_transaction(client_); });
}

absl::Status TransactionClient::Trouble() const {
  // Refused in any case; with what the client knows of the transaction, where it has failed.
  const ErrorPtr error(rd_kafka_begin_transaction(client_));
  if (error == nullptr || (!rd_kafka_error_txn_requires_abort(error.get()) && !rd_kafka_error_is_fatal(error.get()))) {
    return absl::OkStatus();
  }
  return Unavailable("kafka {}: transaction '{}': {}{}", sink_.brokers, name_, rd_kafka_error_string(error.get()),
                     HintFor(rd_kafka_error_code(error.get()), sink_.topic));
}

absl::Status TransactionClient::SendMarker(const Marker& marker) const {
  // Shared with a call that may outlive this one.
  const std::shared_ptr<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1), ListDeleter());
  rd_kafka_topic_partition_t* at = rd_kafka_topic_partition_list_add(list.get(), sink_.topic.c_str(), kMarkerPartition);
  at->offset = static_cast<int64_t>(marker.id);
  const std::string metadata = EncodeMarkerMetadata(marker);
  at->metadata = strdup(metadata.c_str());  // freed with the list
  at->metadata_size = metadata.size();
  const std::shared_ptr<rd_kafka_consumer_group_metadata_t> group(rd_kafka_consumer_group_metadata_new(name_.c_str()),
                                                                  GroupDeleter());
  bool stuck = false;
  const absl::Status status = Repeat("marker", [&]() -> void* {
    const std::optional<void*> error = CallWithin(
        kMarkerStuckMs, stop_,
        [client = client_, list, group] {
          return rd_kafka_send_offsets_to_transaction(client, list.get(), group.get(), kCallPieceMs);
        },
        [](void* late) {
          if (late != nullptr) rd_kafka_error_destroy(static_cast<rd_kafka_error_t*>(late));
        });
    stuck = !error;
    return error.value_or(nullptr);
  });
  if (!stuck) return status;
  if (stop_()) return Cancelled("kafka sink: the task is to stop");
  return Unavailable(
      "kafka {}: transaction '{}': marker: no answer for {} s: the coordinator of group '{}' was not found when it was "
      "asked for, and librdkafka does not ask again; the next attempt begins with a new producer",
      sink_.brokers, name_, kMarkerStuckMs.count() / 1000, name_);
}

absl::Status TransactionClient::Commit() const {
  return Repeat("commit", [this] { return rd_kafka_commit_transaction(client_, kCallPieceMs); });
}

absl::Status TransactionClient::Abort() const {
  return Repeat("abort", [this] { return rd_kafka_abort_transaction(client_, kCallPieceMs); });
}

absl::StatusOr<std::optional<Marker>> TransactionClient::ReadMarker(const Clock& clock, int64_t timeout_ms) const {
  const int64_t began_ms = clock.MonotonicMs();
  // isolation.level is read_committed: the answer waits for a transaction that is being ended.
  Properties properties = sink_.properties;
  properties["group.id"] = name_;
  properties["isolation.level"] = "read_committed";
  for (const char* producers : {"transaction.timeout.ms", "message.timeout.ms", "linger.ms", "enable.idempotence"}) {
    properties.erase(producers);
  }
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(ClientKind::kConsumer, sink_.brokers, {}, properties, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(const ClientPtr consumer, MakeClient(ClientKind::kConsumer, std::move(conf)));
  while (true) {
    if (stop_()) return Cancelled("kafka sink: the task is to stop");
    const ListPtr list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* at =
        rd_kafka_topic_partition_list_add(list.get(), sink_.topic.c_str(), kMarkerPartition);
    rd_kafka_resp_err_t error = rd_kafka_committed(consumer.get(), list.get(), kCallPieceMs);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = at->err;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (at->offset < 0) return std::optional<Marker>();
      const std::string_view metadata(static_cast<const char*>(at->metadata), at->metadata_size);
      const std::optional<Marker> marker = DecodeMarker(at->offset, metadata);
      if (marker) return marker;
      return FailedPrecondition(
          "kafka {}: group '{}' has an offset {} with metadata '{}', which is no marker: somebody "
          "else commits to the sink's marker group",
          sink_.brokers, name_, at->offset, metadata);
    }
    if (error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
        error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
      return Unavailable("kafka {}: marker of '{}': {}{}", sink_.brokers, name_, rd_kafka_err2str(error),
                         HintFor(error, sink_.topic));
    }
    if (clock.MonotonicMs() - began_ms >= timeout_ms) {
      return DeadlineExceeded("kafka {}: marker of '{}': {}", sink_.brokers, name_, rd_kafka_err2str(error));
    }
    PENSTOCK_LOG(warn, "kafka {}: marker of '{}': {}; retrying", sink_.brokers, name_, rd_kafka_err2str(error));
  }
}

}  // namespace penstock::kafka
