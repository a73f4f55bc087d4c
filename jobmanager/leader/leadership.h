// Whether this process leads its cluster, and under which epoch.
//
// Owner: one thread, which calls TryAcquire until it has an epoch, then Prove every ProveIntervalMs(). Calls block for
// I/O. With a lock directory the leader of epoch n holds lock-n and touches it; a standby takes over when the lock is
// free, or was not touched for a lease by the standby's own clock (its holder is stopped, or cut off). Without one, who
// comes last leads. Either way the epoch decides: it is minted put-if-absent, and a larger one ends the leadership of
// all smaller ones (protocols.md B2). Lifetime: the lock is held until this dies.
#ifndef PENSTOCK_JOBMANAGER_LEADER_LEADERSHIP_H_
#define PENSTOCK_JOBMANAGER_LEADER_LEADERSHIP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/core/clock.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

struct LeaderAddress {
  std::string rpc;   // host:port
  std::string rest;  // host:port
};

struct LeadershipOptions {
  std::string cluster_id;
  std::string lock_dir;  // empty: no lock, and no standbys
  int64_t lease_ms = 10'000;
  LeaderAddress self;
};

class Leadership {
 public:
  // FailedPrecondition: the lock directory cannot be made. clock outlives this.
  static absl::StatusOr<std::unique_ptr<Leadership>> Open(LeadershipOptions options, std::shared_ptr<Storage> storage,
                                                          const Clock& clock);
  ~Leadership();
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;

  // One try. Nothing while another leads.
  absl::StatusOr<std::optional<uint64_t>> TryAcquire();
  // An error: this process leads no more, or cannot tell for longer than a lease. REQUIRES: an epoch was acquired.
  absl::Status Prove();
  int64_t ProveIntervalMs() const;
  // Of the newest leader, as it wrote it beside the lock; empty when there is none.
  LeaderAddress Leader() const;

 private:
  Leadership(LeadershipOptions options, std::shared_ptr<Storage> storage, const Clock& clock);
  std::string LockPath(uint64_t epoch) const;
  bool HolderIsGone(uint64_t epoch);
  absl::Status Touch();
  absl::Status ProveLock();

  const LeadershipOptions options_;
  const std::shared_ptr<Storage> storage_;
  const Clock& clock_;
  const std::string directory_;

  uint64_t epoch_ = 0;  // 0: does not lead
  int lock_fd_ = -1;
  int64_t proven_ms_ = 0;   // monotonic
  uint64_t touches_ = 0;    // of this leader
  uint64_t newest_ = 0;     // that was seen
  std::string seen_touch_;  // of the leader that is waited for, and when it changed last
  int64_t seen_touch_ms_ = 0;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_LEADER_LEADERSHIP_H_
