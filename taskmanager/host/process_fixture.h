// Real TaskManager processes against a JobManager inside the test, and a directory that is removed at the end.
#ifndef PENSTOCK_TASKMANAGER_HOST_PROCESS_FIXTURE_H_
#define PENSTOCK_TASKMANAGER_HOST_PROCESS_FIXTURE_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jobmanager/job_manager.h"
#include "jobmanager/rest/program_store.h"
#include "jobmanager/rpc/grpc_server.h"

namespace penstock::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A child that is killed at the end of the test if it still runs.
class Process {
 public:
  Process(const std::string& program, std::vector<std::string> arguments, const std::string& output_path);
  ~Process();
  void Signal(int signal_number);
  // The wait status; waits at most 30 s, then it is killed.
  int AwaitEnd();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class ProcessCluster {
 public:
  explicit ProcessCluster(jobmanager::JobOptions options = {}, const std::string& cluster_token = "");
  ~ProcessCluster();

  // A TaskManager process; its files lie under path()/<id>.
  std::unique_ptr<Process> StartTaskManager(const std::string& id, int slots, std::vector<std::string> extra = {});
  // Puts the file into the program directory under its digest (or under the one given), which it returns.
  std::string AddProgram(const std::string& file, const std::string& digest = "");
  // A job program of its own graph: planned by running it, as the CLI does.
  std::string SubmitPlanned(const std::string& program, int parallelism, const std::vector<std::string>& arguments);
  std::string Submit(const std::string& name, int parallelism, std::vector<std::string> arguments,
                     const std::string& digest, bool is_bundle = false);
  // The JobManager dies without a word and another takes its place, on the same port.
  void RestartJobManager();

  std::shared_ptr<const jobmanager::JobSnapshot> Job(const std::string& id) const;
  // False when it did not come true within 30 s.
  bool AwaitJob(const std::string& id, const std::function<bool(const jobmanager::JobSnapshot&)>& predicate) const;
  bool AwaitState(const std::string& id, jobmanager::JobState state) const;
  bool AwaitCluster(const std::function<bool(const jobmanager::ClusterSnapshot&)>& predicate) const;
  jobmanager::Commands& commands() { return manager_->commands(); }
  const std::string& path() const { return directory_.path(); }
  std::string address() const { return server_->address(); }

 private:
  void StartJobManager(int port);

  const jobmanager::JobOptions options_;
  const std::string cluster_token_;
  int jobs_planned_ = 0;
  TemporaryDirectory directory_;
  const std::unique_ptr<jobmanager::ProgramStore> programs_;
  std::unique_ptr<jobmanager::JobManager> manager_;
  std::unique_ptr<jobmanager::GrpcServer> server_;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TASKMANAGER_HOST_PROCESS_FIXTURE_H_
