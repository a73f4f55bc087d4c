// The TaskManager host: its parts wired together; main.cc adds configuration and signals.
//
// Thread-safe. Lifetime: Stop() takes no more work, ends the workers, reports their ends, says good-bye; idempotent.
#ifndef PENSTOCK_TASKMANAGER_HOST_TASK_MANAGER_H_
#define PENSTOCK_TASKMANAGER_HOST_TASK_MANAGER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/core/clock.h"

namespace penstock::taskmanager {

struct TaskManagerOptions {
  std::string id;                       // taskmanager.id; empty: made from the host's name and a random part
  std::string jobmanager_address;       // host:port of jobmanager.rpc; several: comma-separated
  std::string cluster_token;            // empty: none is asked for
  std::string data_host = "127.0.0.1";  // taskmanager.host
  int32_t slots = 2;                    // taskmanager.numberOfTaskSlots
  std::string tmp_dir;                  // taskmanager.tmp.dir: programs/, workers/
  std::string log_dir;                  // taskmanager.log.dir
  std::string metrics_address;          // of this process's own /metrics; empty: none
  int64_t memory_bytes = 0;             // taskmanager.memory.size; 0: the limit of the machine or cgroup
  std::map<std::string, std::string> worker_config;  // for its workers, where neither job nor JobManager says otherwise
  std::string symbolizer;  // a program with the mode `symbolize FILE`; empty: this program itself
};

class TaskManager {
 public:
  // FailedPrecondition: a directory cannot be made. The JobManager need not be there yet.
  static absl::StatusOr<std::unique_ptr<TaskManager>> Start(TaskManagerOptions options, const Clock& clock);
  ~TaskManager();
  void Stop();
  const std::string& id() const;
  // Workers that run or are being started here.
  size_t workers_count() const;
  // Messages of leaders that another has replaced.
  int64_t refused_messages() const;

 private:
  struct Parts;
  explicit TaskManager(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_TASK_MANAGER_H_
