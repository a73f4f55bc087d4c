// What a host says about a worker that has ended. Pure but for the files it reads.
#ifndef PENSTOCK_TASKMANAGER_HOST_EXIT_REPORT_H_
#define PENSTOCK_TASKMANAGER_HOST_EXIT_REPORT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "proto/control.pb.h"

namespace penstock::taskmanager {

inline constexpr int64_t kStderrTailBytes = 4096;
inline constexpr int64_t kCrashFileBytesMax = 256 << 10;

// Turns a crash file's path into text for people.
using Symbolizer = std::function<std::string(const std::string& crash_path)>;

// How a process ended: exit_code is -1 when a signal did it, signal 0 when it exited.
struct ProcessEnd {
  int exit_code = -1;
  int signal = 0;
};

// Missing libraries, which the loader reports on stderr, are a failed start.
proto::WorkerExited DescribeExit(const std::string& job_id, uint32_t attempt, ProcessEnd end,
                                 const std::string& stderr_path, const std::string& crash_path,
                                 const Symbolizer& symbolize);

proto::WorkerExited DescribeFailedStart(const std::string& job_id, uint32_t attempt, const std::string& why);

// Runs `symbolizer` (this program in its hidden mode, or another that prints the text of a crash file) as a child for
// at most 20 s; the raw file when that fails.
std::string SymbolizeInChild(const std::string& symbolizer, const std::string& crash_path);

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_EXIT_REPORT_H_
