// Delivers batches on threads of its own, with retries, so that the task's thread never waits in a network call.
//
// A *lane* is a thread that delivers one batch at a time, over its own connection; there are as many batches in flight
// as lanes at most. With one lane batches arrive in order. Owner: the task's thread, but for what says otherwise.
#ifndef PENSTOCK_CONNECTORS_BATCHING_BATCH_DELIVERY_H_
#define PENSTOCK_CONNECTORS_BATCHING_BATCH_DELIVERY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "penstock/connectors/batching.h"
#include "runtime/core/mutex.h"
#include "runtime/task/committer.h"
#include "runtime/task/function_context.h"

namespace penstock {

struct TryResult {
  absl::Status status;
  bool retry = false;           // the error may pass
  int64_t retry_after_ms = -1;  // as the other side asks; -1: it does not say
  int64_t skipped = 0;          // records that were refused for good and are left out
};

// Asked by whoever delivers: a try should end soon once it is requested. Any thread.
class StopRequest {
 public:
  bool requested() const { return requested_.load(std::memory_order_relaxed); }
  void Request() ABSL_LOCKS_EXCLUDED(mutex_);
  // False: requested meanwhile.
  bool WaitMs(const Clock& clock, int64_t ms) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::atomic<bool> requested_{false};
  mutable Mutex mutex_;
  mutable CondVar stopped_;
};

class BatchDelivery {
 public:
  // On a lane's thread; called again after an error that may pass.
  using Try = std::function<TryResult(int lane, const StopRequest& stop)>;

  // what: in messages ("webhook http://…").
  BatchDelivery(Context& context, std::string what, int lanes, const Retrying& retrying);
  ~BatchDelivery() { Close(); }

  // What has failed so far, of any batch; kept.
  absl::Status Check();
  bool HasFreeLane();
  // Waits for a free lane. Non-OK: what has failed before; Cancelled.
  absl::Status Submit(Try attempt);
  // Returns when everything submitted is delivered.
  absl::Status Drain();
  void Close();  // does not wait for deliveries, but for tries to notice

 private:
  struct Lane {
    std::unique_ptr<Committer> committer;
    bool busy = false;
  };
  // Read by gauges, which may outlive the delivery.
  struct Counts {
    std::atomic<int64_t> retries{0};
    std::atomic<int64_t> skipped{0};
    std::atomic<int64_t> in_flight{0};
  };

  void TakeOutcomes();
  int FreeLane() const;
  absl::Status Run(int lane, const Try& attempt);
  absl::Status WaitUntil(const char* why, const std::function<bool()>& ready);

  Context& context_;
  const std::string what_;
  const Retrying retrying_;
  const Clock& clock_;
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  std::string note_;
  absl::Status failure_;
  StopRequest stop_;
  std::vector<Lane> lanes_;  // last: their threads use the rest
};

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_BATCHING_BATCH_DELIVERY_H_
