// The jobs of a cluster in durable storage: live ones, the results of ended ones, and their programs.
//
// One log per job uid, jobs/<uid>/<number>, written put-if-absent: who finds its number taken has been replaced by
// another leader and changes nothing more (Aborted). Open() claims every live job by a new entry, which keeps its
// predecessor from recording an end. Thread-safe; calls block for I/O, so never call it on an actor of others. Limits:
// JobStoreLimits for ended jobs. Errors: those of the storage; nothing is retried here.
#ifndef PENSTOCK_JOBMANAGER_STORE_JOB_STORE_H_
#define PENSTOCK_JOBMANAGER_STORE_JOB_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/jobs.pb.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/core/storage/storage.h"

namespace penstock::jobmanager {

inline constexpr uint32_t kJobEntryFormat = 1;
// Attempt numbers are unique over all leaders: each takes a range of this size for every job it takes over.
inline constexpr uint32_t kAttemptsPerLeader = 100'000;

struct JobStoreLimits {
  size_t ended_max = 100;                       // jobstore.max-capacity
  int64_t ended_expire_ms = 24 * 3'600 * 1000;  // jobstore.expiration-time
};

struct StoredJobs {
  std::vector<proto::JobEntry> live;   // claimed, oldest submission first
  std::vector<proto::JobEntry> ended;  // newest end first
  std::vector<std::string> damaged;    // entries that could not be read, and why
};

// The directory of a cluster in the storage; any cluster id makes a valid name.
std::string ClusterDirectory(const std::string& cluster_id);

std::string EncodeJobEntry(const proto::JobEntry& entry);
absl::StatusOr<proto::JobEntry> DecodeJobEntry(std::string_view bytes, std::string_view where);

class JobStore {
 public:
  // epoch: of this leader. clock outlives the store.
  JobStore(std::shared_ptr<Storage> storage, std::string cluster_id, uint64_t epoch, JobStoreLimits limits,
           const Clock& clock);

  // Once, before all else; may be called again after an error. Aborted: another leader is at work.
  absl::StatusOr<StoredJobs> Open();
  // A new live job. AlreadyExists: its uid has one. On any other error the job may turn up after a restart.
  absl::Status Add(proto::JobEntry entry);
  // The end of a live job. May be repeated after an error.
  absl::Status End(const std::string& job_id, proto::JobEnd end);
  // Ended jobs beyond the limits go; the ids of those that went.
  std::vector<std::string> Expire();

  // Stores the program unless it is there. It stays while a live job needs it.
  absl::Status PutProgram(const std::string& digest, const std::string& path);
  absl::Status FetchProgram(const std::string& digest, const std::string& path) const;

  const Storage& storage() const { return *storage_; }

 private:
  struct Log {
    uint64_t number = 0;  // of the newest entry
    bool live = false;
    std::string job_id;
    proto::JobEntry entry;
  };
  std::string NameOf(const proto::JobEntry& entry) const;
  absl::Status Append(Log& log, proto::JobEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::vector<std::string>> ReadLogs(StoredJobs& jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Claim(StoredJobs& jobs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DeleteUnusedPrograms() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Delete(const std::vector<std::string>& names) const;

  // Constant after construction.
  const std::shared_ptr<Storage> storage_;
  const std::string cluster_id_;
  const std::string directory_;
  const uint64_t epoch_;
  const JobStoreLimits limits_;
  const Clock& clock_;

  Mutex mutex_;                                              // held over I/O: changes come one after the other
  std::map<std::string, Log> logs_ ABSL_GUARDED_BY(mutex_);  // by the uid's part of the name
  std::map<std::string, proto::JobEntry> ended_ ABSL_GUARDED_BY(mutex_);  // by job id
  std::set<std::string> programs_in_use_ ABSL_GUARDED_BY(mutex_);         // of submissions that have no entry yet
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_STORE_JOB_STORE_H_
