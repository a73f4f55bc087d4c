// What the slots of an exactly-once sink have committed and left open at the system they write to, for people.
#ifndef PENSTOCK_RUNTIME_TASK_SINK_ADMIN_H_
#define PENSTOCK_RUNTIME_TASK_SINK_ADMIN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {

struct SinkSlot {
  std::string cluster_id;
  std::string job_uid;
  std::string sink_uid;
  int slot = 0;
};

struct SinkSlotReport {
  std::string name;                       // under which the other system knows it
  bool open = false;                      // a transaction holds back readers; what is committed is not known then
  std::optional<uint64_t> checkpoint_id;  // the newest committed
  std::string generation;                 // of that checkpoint
};

// Made by a sink's description (its optional `std::shared_ptr<const SinkAdmin> Admin() const`). Calls block for
// seconds.
class SinkAdmin {
 public:
  virtual ~SinkAdmin() = default;
  virtual absl::StatusOr<SinkSlotReport> Look(const SinkSlot& slot) const = 0;
  // Ends what the slot has left open, and fences whoever holds it.
  virtual absl::Status Abort(const SinkSlot& slot) const = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_SINK_ADMIN_H_
