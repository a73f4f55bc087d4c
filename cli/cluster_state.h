// The folder in which `penstock cluster` remembers the local cluster: pids, ports and logs.
//
//   jobmanager.pid, taskmanager-<n>.pid   "<pid> <start time>": a pid used again by the kernel is not ours
//   jobmanager.ports, ...                 what the process wrote at io.ports-file once it was ready
//   log/, programs/, rest-token
#ifndef PENSTOCK_CLI_CLUSTER_STATE_H_
#define PENSTOCK_CLI_CLUSTER_STATE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace penstock::cli {

struct ClusterProcess {
  std::string name;  // "jobmanager", "taskmanager-1"
  int pid = 0;
  bool alive = false;
};

// Reads the folder anew for each call. Not thread-safe.
class ClusterState {
 public:
  ClusterState();  // $PENSTOCK_RUN_DIR, else ~/.penstock/cluster

  const std::string& folder() const { return folder_; }
  std::string PortsFile(const std::string& name) const { return folder_ + "/" + name + ".ports"; }
  std::string LogFile(const std::string& name) const { return folder_ + "/log/" + name + ".log"; }

  // The JobManager last.
  std::vector<ClusterProcess> Processes() const;
  std::map<std::string, std::string> Ports(const std::string& name) const;
  // Of a JobManager that lives; else empty.
  std::map<std::string, std::string> JobManagerPorts() const;

  absl::Status MakeFolders() const;
  absl::Status Remember(const std::string& name, int pid) const;
  void Forget(const std::string& name) const;

 private:
  const std::string folder_;
};

// False for a process that has ended, also while nobody has asked for its exit code.
bool IsAlive(int pid);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_CLUSTER_STATE_H_
