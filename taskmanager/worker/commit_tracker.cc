#include "taskmanager/worker/commit_tracker.h"

#include <algorithm>

namespace penstock::worker {

CommitTracker::CommitTracker(const std::set<Subtask>& subtasks) {
  for (const Subtask& subtask : subtasks) committed_[subtask];
}

std::optional<uint64_t> CommitTracker::OnDecided(uint64_t id) {
  MutexLock lock(&mutex_);
  decided_ = std::max(decided_.value_or(0), id);
  const std::optional<uint64_t> due = Due();
  if (due) told_ = due;
  return due;
}

std::optional<uint64_t> CommitTracker::OnCommitted(const Subtask& subtask, uint64_t id) {
  MutexLock lock(&mutex_);
  const auto at = committed_.find(subtask);
  if (at == committed_.end()) return std::nullopt;
  at->second = std::max(at->second.value_or(0), id);
  const std::optional<uint64_t> due = Due();
  if (!due || told_ == due) return std::nullopt;
  told_ = due;
  return due;
}

std::optional<uint64_t> CommitTracker::OnFinished(const Subtask& subtask) { return OnCommitted(subtask, UINT64_MAX); }

std::optional<uint64_t> CommitTracker::Due() const {
  if (!decided_) return std::nullopt;
  const bool all = std::all_of(committed_.begin(), committed_.end(),
                               [this](const auto& each) { return each.second && *each.second >= *decided_; });
  return all ? decided_ : std::nullopt;
}

}  // namespace penstock::worker
