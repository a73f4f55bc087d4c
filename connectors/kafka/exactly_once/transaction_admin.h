// Looking at transactions from outside of a job, and ending them: `penstock txn`.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_ADMIN_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_ADMIN_H_

#include "penstock/connectors/kafka.h"
#include "runtime/task/sink_admin.h"

namespace penstock::kafka {

class TransactionAdmin final : public SinkAdmin {
 public:
  explicit TransactionAdmin(Sink sink) : sink_(std::move(sink)) {}
  absl::StatusOr<SinkSlotReport> Look(const SinkSlot& slot) const override;
  absl::Status Abort(const SinkSlot& slot) const override;

 private:
  const Sink sink_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TRANSACTION_ADMIN_H_
