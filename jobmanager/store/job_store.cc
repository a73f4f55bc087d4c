#include "jobmanager/store/job_store.h"

#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_config.h"
#include "jobmanager/checkpoint/checkpoint_store.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

constexpr std::string_view kMagic = "PNSTKJOB";

// The uid's part of the name. A job without a uid has a log of its own.
std::string LogNameOf(const proto::JobEntry& entry) {
  return entry.graph().uid().empty() ? "job-" + entry.job_id() : "uid-" + EscapedName(entry.graph().uid());
}

}  // namespace

std::string ClusterDirectory(const std::string& cluster_id) { return "clusters/" + EscapedName(cluster_id) + "/"; }

std::string EncodeJobEntry(const proto::JobEntry& entry) {
  return EncodeFramed(kMagic, kJobEntryFormat, entry.SerializeAsString());
}

absl::StatusOr<proto::JobEntry> DecodeJobEntry(std::string_view bytes, std::string_view where) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view body,
                            DecodeFramed(kMagic, kJobEntryFormat, bytes, "job entry", where));
  proto::JobEntry entry;
  if (!entry.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return DataLoss("job entry {} holds no entry", where);
  }
  return entry;
}

JobStore::JobStore(std::shared_ptr<Storage> storage, std::string cluster_id, uint64_t epoch, JobStoreLimits limits,
                   const Clock& clock)
    : storage_(std::move(storage)),
      cluster_id_(std::move(cluster_id)),
      directory_(ClusterDirectory(cluster_id_)),
      epoch_(epoch),
      limits_(limits),
      clock_(clock) {}

std::string JobStore::NameOf(const proto::JobEntry& entry) const {
  return fmt::format("{}jobs/{}/{:020}", directory_, LogNameOf(entry), entry.number());
}

// What cannot be deleted is deleted by the next Open().
void JobStore::Delete(const std::vector<std::string>& names) const {
  if (names.empty()) return;
  if (const absl::Status status = storage_->Delete(names); !status.ok()) {
    PENSTOCK_LOG(warn, "{} replaced objects of jobs could not be deleted: {}", names.size(), MessageOf(status));
  }
}

absl::Status JobStore::Append(Log& log, proto::JobEntry entry) {
  entry.set_version(1);
  entry.set_cluster_id(cluster_id_);
  entry.set_number(log.number + 1);
  entry.set_leader_epoch(epoch_);
  entry.set_time_ms(clock_.NowMs());
  const std::string name = NameOf(entry);
  PENSTOCK_ASSIGN_OR_RETURN(const bool won, PutIfAbsent(*storage_, name, EncodeJobEntry(entry)));
  const auto deposed = absl::AbortedError(
      fmt::format("{} was written by another JobManager, which leads cluster '{}' now", name, cluster_id_));
  if (!won) return deposed;
  // The name of an entry that was replaced is free again: a win counts only when nothing newer is there.
  PENSTOCK_ASSIGN_OR_RETURN(const auto objects, storage_->List(name.substr(0, name.rfind('/') + 1)));
  if (!objects.empty() && objects.back().name > name) {
    Delete({name});
    return deposed;
  }
  std::vector<std::string> replaced;
  if (log.number > 0 && log.live) replaced.push_back(NameOf(log.entry));
  log.number = entry.number();
  log.live = entry.kind() == proto::JobEntry::LIVE;
  log.job_id = entry.job_id();
  log.entry = entry;
  if (!log.live) ended_[entry.job_id()] = std::move(entry);
  Delete(replaced);
  return absl::OkStatus();
}

// Fills logs_ and ended_; returns the names of entries that others have replaced.
absl::StatusOr<std::vector<std::string>> JobStore::ReadLogs(StoredJobs& jobs) {
  const std::string prefix = directory_ + "jobs/";
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, storage_->List(prefix));
  std::vector<std::string> replaced;
  for (const StoredObject& object : objects) {  // in order of number within a log
    const size_t slash = object.name.rfind('/');
    const std::optional<uint64_t> number = IdOfManifestName(object.name);
    if (slash < prefix.size() || !number) continue;
    Log& log = logs_[object.name.substr(prefix.size(), slash - prefix.size())];
    if (log.live) replaced.push_back(NameOf(log.entry));
    log.number = *number;
    log.live = false;
    const auto bytes = storage_->ReadAll(object.name);
    PENSTOCK_RETURN_IF_ERROR(bytes.status());
    auto entry = DecodeJobEntry(*bytes, object.name);
    if (!entry.ok()) {
      PENSTOCK_LOG(error, "a job is not taken over: {}", MessageOf(entry.status()));
      jobs.damaged.push_back(MessageOf(entry.status()));
      continue;
    }
    log.live = entry->kind() == proto::JobEntry::LIVE;
    log.job_id = entry->job_id();
    // An end that a leader wrote which had been replaced already, and that could not take it back.
    if (const auto stale = ended_.extract(entry->job_id())) replaced.push_back(NameOf(stale.mapped()));
    if (!log.live) ended_[entry->job_id()] = *entry;
    log.entry = *std::move(entry);
  }
  return replaced;
}

absl::Status JobStore::Claim(StoredJobs& jobs) {
  for (auto& [name, log] : logs_) {
    if (!log.live) continue;
    proto::JobEntry claim = log.entry;
    claim.set_attempts_before(claim.attempts_before() + kAttemptsPerLeader);
    PENSTOCK_RETURN_IF_ERROR(Append(log, std::move(claim)));
    jobs.live.push_back(log.entry);
  }
  std::ranges::sort(jobs.live, {}, &proto::JobEntry::submitted_ms);
  return absl::OkStatus();
}

absl::StatusOr<StoredJobs> JobStore::Open() {
  StoredJobs jobs;
  {
    MutexLock lock(&mutex_);
    logs_.clear();
    ended_.clear();
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<std::string> replaced, ReadLogs(jobs));
    PENSTOCK_RETURN_IF_ERROR(Claim(jobs));
    Delete(replaced);
    DeleteUnusedPrograms();
  }
  Expire();
  MutexLock lock(&mutex_);
  for (const auto& [id, entry] : ended_) jobs.ended.push_back(entry);
  std::ranges::sort(jobs.ended, std::greater<>(), [](const auto& entry) { return entry.end().end_ms(); });
  return jobs;
}

absl::Status JobStore::Add(proto::JobEntry entry) {
  MutexLock lock(&mutex_);
  entry.set_kind(proto::JobEntry::LIVE);
  Log& log = logs_[LogNameOf(entry)];
  if (log.live) return AlreadyExists("job {} with uid '{}' is live", log.job_id, entry.graph().uid());
  const std::string digest = entry.digest();
  const absl::Status added = Append(log, std::move(entry));
  if (added.ok()) programs_in_use_.erase(digest);
  return added;
}

absl::Status JobStore::End(const std::string& job_id, proto::JobEnd end) {
  {
    MutexLock lock(&mutex_);
    const auto at = std::ranges::find_if(logs_, [&](const auto& log) { return log.second.job_id == job_id; });
    if (at == logs_.end()) return NotFound("job {} is in no log", job_id);
    if (!at->second.live) return absl::OkStatus();
    proto::JobEntry entry = at->second.entry;
    entry.set_kind(proto::JobEntry::ENDED);
    *entry.mutable_end() = std::move(end);
    PENSTOCK_RETURN_IF_ERROR(Append(at->second, std::move(entry)));
    DeleteUnusedPrograms();
  }
  Expire();
  return absl::OkStatus();
}

std::vector<std::string> JobStore::Expire() {
  MutexLock lock(&mutex_);
  std::vector<std::pair<int64_t, std::string>> by_end;
  for (const auto& [id, entry] : ended_) by_end.emplace_back(entry.end().end_ms(), id);
  std::ranges::sort(by_end, std::greater<>());
  const int64_t oldest_ms = clock_.NowMs() - limits_.ended_expire_ms;
  std::vector<std::string> gone;
  std::vector<std::string> names;
  for (size_t i = 0; i < by_end.size(); ++i) {
    if (i < limits_.ended_max && by_end[i].first >= oldest_ms) continue;
    const auto at = ended_.find(by_end[i].second);
    names.push_back(NameOf(at->second));
    gone.push_back(at->first);
    ended_.erase(at);
  }
  Delete(names);
  return gone;
}

absl::Status JobStore::PutProgram(const std::string& digest, const std::string& path) {
  const std::string name = directory_ + "programs/" + digest;
  {
    MutexLock lock(&mutex_);
    programs_in_use_.insert(digest);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<StoredObject> there, storage_->List(name));
  if (!there.empty()) return absl::OkStatus();
  return storage_->UploadFile(name, path);
}

absl::Status JobStore::FetchProgram(const std::string& digest, const std::string& path) const {
  return storage_->DownloadFile(directory_ + "programs/" + digest, path);
}

void JobStore::DeleteUnusedPrograms() {
  const std::string prefix = directory_ + "programs/";
  const auto objects = storage_->List(prefix);
  if (!objects.ok()) return;
  std::vector<std::string> names;
  for (const StoredObject& object : *objects) {
    const std::string digest = object.name.substr(prefix.size());
    const bool used = programs_in_use_.contains(digest) || std::ranges::any_of(logs_, [&](const auto& log) {
                        return log.second.live && log.second.entry.digest() == digest;
                      });
    if (!used) names.push_back(object.name);
  }
  Delete(names);
}

}  // namespace penstock::jobmanager
