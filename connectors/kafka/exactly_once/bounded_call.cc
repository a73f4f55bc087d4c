#include "connectors/kafka/exactly_once/bounded_call.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "runtime/core/mutex.h"
#include "runtime/core/thread_name.h"

namespace penstock::kafka {
namespace {

struct Shared {
  Mutex mutex;
  CondVar returned;
  std::optional<void*> result ABSL_GUARDED_BY(mutex);
  bool given_up ABSL_GUARDED_BY(mutex) = false;
};

}  // namespace

std::optional<void*> CallWithin(std::chrono::milliseconds at_most, const std::function<bool()>& stop,
                                std::function<void*()> call, std::function<void(void*)> drop) {
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, call = std::move(call), drop = std::move(drop)] {
    SetThreadName("kafka-call");
    void* const result = call();
    MutexLock lock(&shared->mutex);
    if (shared->given_up) return drop(result);
    shared->result = result;
    shared->returned.NotifyAll();
  }).detach();
  MutexLock lock(&shared->mutex);
  for (auto left = at_most; !shared->result && left.count() > 0 && !stop(); left -= kStopLookMs) {
    shared->returned.WaitFor(&shared->mutex, std::min(left, kStopLookMs));
  }
  shared->given_up = !shared->result;
  return shared->result;
}

}  // namespace penstock::kafka
