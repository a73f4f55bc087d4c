#include "connectors/kafka/exactly_once/transaction_admin.h"

#include <utility>

#include "connectors/kafka/exactly_once/identity.h"
#include "connectors/kafka/exactly_once/transaction_client.h"
#include "connectors/kafka/sender.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr int64_t kLookMs = 3'000;
constexpr int64_t kAbortMs = 30'000;

std::string NameOf(const SinkSlot& slot) {
  return SlotIdentity{slot.cluster_id, slot.job_uid, slot.sink_uid, slot.slot}.Name();
}

}  // namespace

absl::StatusOr<SinkSlotReport> TransactionAdmin::Look(const SinkSlot& slot) const {
  SinkSlotReport report{.name = NameOf(slot)};
  const TransactionClient client(sink_, report.name, nullptr, [] { return false; });
  const absl::StatusOr<std::optional<Marker>> marker = client.ReadMarker(Clock::System(), kLookMs);
  if (absl::IsDeadlineExceeded(marker.status())) {
    report.open = true;  // the marker's offset is part of a transaction that has not ended
    return report;
  }
  PENSTOCK_RETURN_IF_ERROR(marker.status());
  if (*marker) {
    report.checkpoint_id = (*marker)->id;
    report.generation = (*marker)->generation;
  }
  return report;
}

absl::Status TransactionAdmin::Abort(const SinkSlot& slot) const {
  const std::string name = NameOf(slot);
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<Sender> sender, Sender::Create(sink_, {{"transactional.id", name}}));
  const int64_t until_ms = Clock::System().MonotonicMs() + kAbortMs;
  const TransactionClient client(sink_, name, sender->client(),
                                 [until_ms] { return Clock::System().MonotonicMs() >= until_ms; });
  const absl::Status status = client.Init();
  if (absl::IsCancelled(status)) return DeadlineExceeded("kafka {}: no answer within {} ms", sink_.brokers, kAbortMs);
  return status;
}

}  // namespace penstock::kafka
