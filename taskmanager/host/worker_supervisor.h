// Starts, watches and kills the worker processes of a host.
//
// Owner: its actor's thread, which is also the thread that starts the children (they die with it); others fetch
// programs and delete folders, and one thread per worker waits for its end. Public methods may be called from any
// thread. Lifetime: Stop() ends all workers, waits for them and reports them; idempotent. Limits: kWorkersMax workers
// at a time.
#ifndef PENSTOCK_TASKMANAGER_HOST_WORKER_SUPERVISOR_H_
#define PENSTOCK_TASKMANAGER_HOST_WORKER_SUPERVISOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/control.pb.h"
#include "runtime/core/actor.h"
#include "runtime/core/mutex.h"
#include "taskmanager/host/exit_report.h"
#include "taskmanager/host/program_cache.h"

namespace penstock::taskmanager {

inline constexpr size_t kWorkersMax = 4096;
inline constexpr int kBusyProgramTriesMax = 40;

struct SupervisorOptions {
  std::string log_dir;            // <job>-<attempt>.out and .err
  std::string tmp_dir;            // workers/<job>-<attempt>
  int64_t kill_grace_ms = 2'000;  // between SIGTERM and SIGKILL
  Symbolizer symbolize;
};

class WorkerSupervisor {
 public:
  using Reporter = std::function<void(proto::HostToJobManager)>;

  // cache, clock and what reporter uses outlive this. The reporter is called on the actor's thread.
  WorkerSupervisor(SupervisorOptions options, ProgramCache& cache, const Clock& clock, Reporter reporter);
  ~WorkerSupervisor() { Stop(); }
  void Stop();

  void Start(proto::StartWorker start);
  void Kill(const proto::KillWorker& kill);
  // No further worker of the job will come: its copies of state go.
  void ForgetJob(const std::string& job_id);
  // Workers whose end has not been reported yet.
  std::vector<proto::RunningWorker> Running() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<std::string, uint32_t>;  // job id, attempt
  struct Worker {
    proto::StartWorker start;
    pid_t pid = -1;  // -1: its program is being fetched
    bool killed = false;
    bool ended = false;  // the process is a zombie: its pid is still its own
    int tries = 0;
    std::thread waiter;
  };

  void FetchThenSpawn(const Key& key);
  void Spawn(const Key& key, const std::string& program);
  void KillNow(const Key& key, bool force);
  void OnEnded(const Key& key, proto::WorkerExited report);
  void Report(const Key& key, proto::WorkerExited exited);
  void Remember();
  std::string PathOf(const Key& key, const char* suffix) const;
  void SetDirectories(const Key& key, proto::WorkerSpec& spec);

  // Constant after construction.
  const SupervisorOptions options_;
  ProgramCache& cache_;
  const Reporter reporter_;

  // The actor's thread only.
  std::map<Key, Worker> workers_;
  bool stopping_ = false;
  std::map<std::string, std::string> copies_;  // of state, the folder by job id

  mutable Mutex mutex_;
  CondVar none_left_;
  std::vector<proto::RunningWorker> running_ ABSL_GUARDED_BY(mutex_);

  Actor fetcher_;  // these before actor_: they outlive its last post
  Actor cleaner_;
  Actor actor_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_WORKER_SUPERVISOR_H_
