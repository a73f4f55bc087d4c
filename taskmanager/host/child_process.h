// Starting a child in a directory and process group of its own, which dies with the thread that started it.
#ifndef PENSTOCK_TASKMANAGER_HOST_CHILD_PROCESS_H_
#define PENSTOCK_TASKMANAGER_HOST_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::taskmanager {

struct ChildSpec {
  std::string program;
  std::vector<std::string> arguments;  // without the program's name
  std::string work_dir;
  std::string stdout_path;  // appended to
  std::string stderr_path;
  std::vector<std::string> environment;  // NAME=value, added to this process's own
};

struct Child {
  pid_t pid = -1;     // also its process group
  int stdin_fd = -1;  // the write end of its standard input; the caller closes it
};

// The child gets SIGKILL when the calling *thread* ends, so call it from one that lives as long as the child may.
// Errors say why the program cannot be executed: FailedPrecondition for a program of another machine.
// Unavailable: the file is open for writing just now, by a child of another thread that has not executed yet.
absl::StatusOr<Child> StartChild(const ChildSpec& spec);

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_CHILD_PROCESS_H_
