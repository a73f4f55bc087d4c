// The log files of this process: a listing, and pieces of one. Only plain files directly in the folder are given out;
// a name is looked up in the listing, never joined to a path unseen.
#ifndef PENSTOCK_JOBMANAGER_REST_LOG_FILES_H_
#define PENSTOCK_JOBMANAGER_REST_LOG_FILES_H_

#include <cstdint>
#include <string>

#include "proto/control.pb.h"

namespace penstock::jobmanager {

inline constexpr int64_t kLogPieceBytesMax = 4 << 20;
inline constexpr int kLogFilesMax = 1000;

// Answers as a TaskManager host does: `files` for a listing, else `data`, else `error`. A negative offset counts from
// the end of the file.
proto::LogChunk ReadLogFiles(const std::string& directory, const proto::ReadLog& request);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_LOG_FILES_H_
