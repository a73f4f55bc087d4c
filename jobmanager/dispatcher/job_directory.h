// Which actor a job's messages go to, and which job a worker's connection belongs to. Thread-safe.
#ifndef PENSTOCK_JOBMANAGER_DISPATCHER_JOB_DIRECTORY_H_
#define PENSTOCK_JOBMANAGER_DISPATCHER_JOB_DIRECTORY_H_

#include <map>
#include <memory>
#include <string>

#include "jobmanager/job/job_actor.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

class JobDirectory {
 public:
  void Add(const std::string& job_id, std::shared_ptr<JobActor> actor) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    actors_[job_id] = std::move(actor);
  }
  // The caller drops the returned actor outside the actor's own thread.
  std::shared_ptr<JobActor> Remove(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto at = actors_.find(job_id);
    if (at == actors_.end()) return nullptr;
    std::shared_ptr<JobActor> actor = std::move(at->second);
    actors_.erase(at);
    return actor;
  }
  // nullptr when there is no live job of this id.
  std::shared_ptr<JobActor> Find(const std::string& job_id) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto at = actors_.find(job_id);
    return at == actors_.end() ? nullptr : at->second;
  }

  void BindWorker(const WorkerGateway* gateway, const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    job_by_worker_[gateway] = job_id;
  }
  // The job the connection was bound to; empty when none.
  std::string UnbindWorker(const WorkerGateway* gateway) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto node = job_by_worker_.extract(gateway);
    return node.empty() ? "" : node.mapped();
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<JobActor>> actors_ ABSL_GUARDED_BY(mutex_);
  std::map<const WorkerGateway*, std::string> job_by_worker_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_DISPATCHER_JOB_DIRECTORY_H_
