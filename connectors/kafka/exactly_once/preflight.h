// What the broker must be able to do before an exactly-once sink writes its first record.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_PREFLIGHT_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_PREFLIGHT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "penstock/connectors/kafka.h"
#include "runtime/task/attempt_origin.h"

namespace penstock::kafka {

struct TransactionLimits {
  int64_t timeout_ms = 0;             // that our transactions get
  int64_t broker_timeout_max_ms = 0;  // transaction.max.timeout.ms
  int64_t offsets_retention_ms = 0;   // how long markers are kept while nobody writes them
  std::string warning;                // empty: all is well
};

using Preflight = std::function<absl::StatusOr<TransactionLimits>(const Sink& sink, const AttemptOrigin& origin,
                                                                  const std::function<void(std::string)>& note,
                                                                  const std::function<bool()>& stop)>;

// Blocks: for a committer's thread. Waits for brokers that do not answer and for a topic that is not there, telling
// `note` what it waits for. FailedPrecondition: no transactions there (a mock cluster), or a transaction.timeout.ms in
// the sink's properties that the broker refuses. Cancelled: `stop`.
absl::StatusOr<TransactionLimits> CheckBroker(const Sink& sink, const AttemptOrigin& origin,
                                              const std::function<void(std::string)>& note,
                                              const std::function<bool()>& stop);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_PREFLIGHT_H_
