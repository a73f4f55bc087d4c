#include "tests/simulation/model.h"

#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "runtime/core/status.h"

namespace penstock::simulation {

bool Scheduler::Step() {
  if (events_.empty()) return false;
  const Event event = events_.top();
  events_.pop();
  clock_.AdvanceMs(event.at_ms - clock_.NowMs());
  event.fn();
  return true;
}

void Checker::OnLeads(uint64_t epoch) { leads_ = std::max(leads_, epoch); }

void Checker::OnDecided(uint64_t id, uint64_t epoch, bool tombstone) {
  // A leader that slept may seal an id whose object went long ago: below the newest that stops nobody.
  const bool harmless = tombstone && id < newest_;
  if (epoch < leads_ && !harmless) {
    Fail(fmt::format("epoch {} decided id {} though epoch {} leads", epoch, id, leads_));
  }
  newest_ = std::max(newest_, id);
  if (tombstone) return;
  if (!checkpoints_.empty() && *checkpoints_.rbegin() >= id) {
    Fail(fmt::format("checkpoint {} was decided after {}", id, *checkpoints_.rbegin()));
  }
  checkpoints_.insert(id);
}

void Checker::OnCommitted(int slot, const std::vector<int64_t>& records) {
  for (const int64_t record : records) {
    int64_t& next = next_[slot];
    if (record != next) {
      Fail(fmt::format("slot {}: record {} was committed where {} was due ({})", slot, record, next,
                       record < next ? "a duplicate" : "a loss"));
    }
    next = record + 1;
  }
}

void Checker::CheckFiles(Storage& storage, const std::string& directory) {
  const auto stored = jobmanager::ReadCheckpoints(storage, directory);
  if (!stored.ok()) return Fail(MessageOf(stored.status()));
  if (!stored->damaged.empty()) return Fail(stored->damaged.front());
  for (const auto& checkpoint : stored->checkpoints) {
    for (const std::string& file : checkpoint.files) {
      if (!storage.ReadAll(file).ok()) Fail(fmt::format("checkpoint {} lacks {}", checkpoint.point.id, file));
    }
  }
}

int Broker::Init(int slot) {
  slots_[slot].open.clear();
  return ++slots_[slot].epoch;
}

bool Broker::Produce(int slot, int handle, int64_t record) {
  if (slots_[slot].epoch != handle) return false;
  slots_[slot].open.push_back(record);
  return true;
}

bool Broker::Commit(int slot, int handle, uint64_t marker) {
  Slot& at = slots_[slot];
  if (at.epoch != handle) return false;
  checker_.OnCommitted(slot, at.open);
  at.open.clear();
  at.has_marker = true;
  at.marker = marker;
  return true;
}

absl::StatusOr<std::unique_ptr<StorageWriter>> MemoryStorage::Create(const std::string&) {
  return absl::UnimplementedError("not simulated");
}
absl::Status MemoryStorage::Write(const std::string& name, std::string_view bytes) {
  objects_[name] = bytes;
  return absl::OkStatus();
}
absl::StatusOr<bool> MemoryStorage::WriteIfAbsent(const std::string& name, std::string_view bytes) {
  return objects_.emplace(name, bytes).second;
}
absl::StatusOr<std::string> MemoryStorage::Read(const std::string& name, int64_t, int64_t) {
  const auto at = objects_.find(name);
  if (at == objects_.end()) return NotFound("{} is not there", name);
  return at->second;
}
absl::StatusOr<std::vector<StoredObject>> MemoryStorage::List(const std::string& prefix) {
  std::vector<StoredObject> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix); ++at) {
    found.push_back({at->first, static_cast<int64_t>(at->second.size()), 0});
  }
  return found;
}
absl::Status MemoryStorage::Delete(const std::vector<std::string>& names) {
  for (const std::string& name : names) objects_.erase(name);
  return absl::OkStatus();
}
absl::Status MemoryStorage::UploadFile(const std::string&, const std::string&) {
  return absl::UnimplementedError("not simulated");
}
absl::Status MemoryStorage::DownloadFile(const std::string&, const std::string&) {
  return absl::UnimplementedError("not simulated");
}

}  // namespace penstock::simulation
