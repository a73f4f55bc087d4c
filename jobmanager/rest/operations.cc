#include "jobmanager/rest/operations.h"

#include <algorithm>
#include <utility>

#include "runtime/core/random.h"

namespace penstock::jobmanager {

std::string Operations::Add(Operation operation) {
  MutexLock lock(&mutex_);
  Expire();
  if (operation.trigger_id.empty()) operation.trigger_id = RandomHex(16);
  const std::string trigger_id = operation.trigger_id;
  operations_.push_back(std::move(operation));
  if (operations_.size() > kOperationsMax) operations_.pop_front();
  return trigger_id;
}

std::optional<Operation> Operations::Find(const std::string& job_id, const std::string& trigger_id) {
  MutexLock lock(&mutex_);
  Expire();
  const auto at = std::find_if(operations_.begin(), operations_.end(), [&](const Operation& operation) {
    return operation.job_id == job_id && operation.trigger_id == trigger_id;
  });
  return at == operations_.end() ? std::nullopt : std::optional<Operation>(*at);
}

void Operations::SetEnded(const std::string& trigger_id) {
  MutexLock lock(&mutex_);
  for (Operation& operation : operations_) {
    if (operation.trigger_id == trigger_id && operation.ended_ms < 0) operation.ended_ms = clock_.MonotonicMs();
  }
}

void Operations::Expire() {
  const int64_t now_ms = clock_.MonotonicMs();
  std::erase_if(operations_, [now_ms](const Operation& operation) {
    return operation.ended_ms >= 0 && now_ms - operation.ended_ms > kOperationKeptMs;
  });
}

}  // namespace penstock::jobmanager
