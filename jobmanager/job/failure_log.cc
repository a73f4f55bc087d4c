#include "jobmanager/job/failure_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace penstock::jobmanager {

Cause CauseOf(const proto::Failure& failure) {
  if (failure.domain() == proto::Failure::USER) return Cause::kPrimary;
  const std::string& type = failure.exception_type();
  return type == kPeerLost || type == "UNAVAILABLE" || type == "CANCELLED" ? Cause::kSecondary : Cause::kPrimary;
}

void FailureLog::Add(uint32_t attempt, Cause cause, FailureSnapshot failure) {
  entries_.push_back({attempt, cause, std::move(failure)});
  if (entries_.size() <= static_cast<size_t>(kFailuresKept)) return;
  // A wide job may have more subtasks than there is room: the cause of the newest attempt must outlive its echoes.
  const uint32_t newest = entries_.back().attempt;
  const auto echo = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.attempt != newest || entry.cause == Cause::kSecondary; });
  // With nothing but primary failures of one attempt, the latest says least.
  entries_.erase(echo != entries_.end() ? echo : std::prev(entries_.end()));
}

std::vector<FailureSnapshot> FailureLog::List() const {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::ranges::stable_sort(order, [](const Entry* a, const Entry* b) {
    return std::tuple(-static_cast<int64_t>(a->attempt), a->cause, a->failure.time_ms) <
           std::tuple(-static_cast<int64_t>(b->attempt), b->cause, b->failure.time_ms);
  });
  std::vector<FailureSnapshot> list;
  for (const Entry* entry : order) list.push_back(entry->failure);
  return list;
}

std::optional<FailureSnapshot> FailureLog::RootOf(uint32_t attempt) const {
  const Entry* root = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.attempt != attempt) continue;
    if (root == nullptr ||
        std::tuple(entry.cause, entry.failure.time_ms) < std::tuple(root->cause, root->failure.time_ms)) {
      root = &entry;
    }
  }
  if (root == nullptr) return std::nullopt;
  return root->failure;
}

bool FailureLog::CheckpointWasDamaged(uint32_t attempt) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.attempt == attempt && entry.failure.failure.checkpoint_damaged();
  });
}

}  // namespace penstock::jobmanager
