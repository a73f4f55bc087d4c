// The log files of a host, as remote readers may see them: only names that are listed in the directory, no paths.
#ifndef PENSTOCK_TASKMANAGER_HOST_LOG_DIRECTORY_H_
#define PENSTOCK_TASKMANAGER_HOST_LOG_DIRECTORY_H_

#include <cstdint>
#include <string>

#include "proto/control.pb.h"

namespace penstock::taskmanager {

inline constexpr int64_t kLogReadBytesMax = 1 << 20;
inline constexpr int kLogFilesMax = 10'000;

// Answers the request; an error is in the answer's `error`. A negative offset counts from the end.
proto::LogChunk ReadLogDirectory(const std::string& directory, const proto::ReadLog& request);

// The last `max_bytes` of a file, from the beginning of a line where possible; empty when it cannot be read.
std::string TailOfFile(const std::string& path, int64_t max_bytes);

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_LOG_DIRECTORY_H_
