// A base in the making: what the task's thread and the background thread that makes it share.
//
// Life: folding → making, or dumping; → made → handed out for upload → durable, or failed. One at a time.
#ifndef PENSTOCK_RUNTIME_STATE_RENEWAL_H_
#define PENSTOCK_RUNTIME_STATE_RENEWAL_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"
#include "runtime/state/chain.h"

namespace penstock {

class Renewal {
 public:
  enum class Stage { kDumping, kFolding, kMaking, kMade, kHandedOut, kDurable };

  // ---- the task's thread only ----
  uint64_t base_id = 0;
  size_t parts_covered = 0;  // of the chain's beginning, which the base replaces
  uint64_t fold_until = 0;   // the fold must have come this far
  Stage stage = Stage::kFolding;
  std::optional<SegmentWriter> dump;
  size_t dump_table = 0;  // being dumped
  std::optional<ChainPart> base;

  // ---- any thread ----
  void Finish(absl::StatusOr<ChainPart> result) {
    MutexLock lock(&mutex_);
    result_ = std::move(result);
    running_ = false;
    cond_.NotifyAll();
  }
  void NoteRunning() {
    MutexLock lock(&mutex_);
    running_ = true;
  }
  std::optional<absl::StatusOr<ChainPart>> TakeResult() {
    MutexLock lock(&mutex_);
    return std::exchange(result_, std::nullopt);
  }
  void WaitUntilIdle() {
    MutexLock lock(&mutex_);
    while (running_) cond_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar cond_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::StatusOr<ChainPart>> result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_RENEWAL_H_
