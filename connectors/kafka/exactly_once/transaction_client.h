// librdkafka's transaction calls, each of which may block: for a committer's thread, never for a task's.
//
// Every call is cut into pieces of kCallPieceMs and repeated while the trouble may pass, so that `stop` is heard; it
// then ends with Cancelled. FailedPrecondition: the broker has aborted the transaction, or somebody else holds the
// transactional id; the handle is of no use any more. Any other error: the transaction must be aborted.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_CLIENT_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_CLIENT_H_

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/exactly_once/marker.h"

namespace penstock::kafka {

inline constexpr int kCallPieceMs = 1'000;
inline constexpr int kMarkerPartition = 0;
// librdkafka 2.0.2 may wait for ever for a marker group's coordinator that is just moving: it asks three times within
// 300 ms, then no more, and heeds no timeout (its issue 5456).
inline constexpr std::chrono::milliseconds kMarkerStuckMs{60'000};

class TransactionClient {
 public:
  // name: of the slot. The client outlives this. Copyable: it holds nothing of the transaction.
  TransactionClient(const Sink& sink, std::string name, rd_kafka_t* client, std::function<bool()> stop);

  // Fences whoever held the id before, and ends what it left open.
  absl::Status Init() const;
  // Local, returns at once.
  absl::Status Begin() const;
  // Why the transaction that is open cannot go on; OK: nothing is known against it. Does not block.
  absl::Status Trouble() const;
  // Marks the open transaction; a second one in the same transaction replaces the first. REQUIRES: ReadMarker has
  // returned once, so that the group has a coordinator. Unavailable after kMarkerStuckMs: the handle must be abandoned.
  absl::Status SendMarker(const Marker& marker) const;
  absl::Status Commit() const;
  absl::Status Abort() const;
  // REQUIRES: Init has returned OK, else the answer races with what a former holder commits. DeadlineExceeded: it does
  // not stand still for that long, because a transaction is open.
  absl::StatusOr<std::optional<Marker>> ReadMarker(const Clock& clock, int64_t timeout_ms = INT64_MAX) const;

 private:
  absl::Status Repeat(const char* what, const std::function<void*()>& call) const;

  Sink sink_;
  std::string name_;
  rd_kafka_t* client_;
  std::function<bool()> stop_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_CLIENT_H_
