// A log of records that a sink hands in with a checkpoint, so that it can write them again after a failure.
//
// SinkLog: one thread; grows in memory up to a bound, then in a local file that its end deletes. SealedLog: immutable,
// thread-safe; lies in memory, on local disk or in checkpoint storage. Format of its bytes: for each record a u32
// length (little-endian) and the record; the file that holds them carries the checksum.
#ifndef PENSTOCK_RUNTIME_TASK_SINK_LOG_H_
#define PENSTOCK_RUNTIME_TASK_SINK_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {

class StateFile;

class SealedLog {
 public:
  explicit SealedLog(std::shared_ptr<const StateFile> file) : file_(std::move(file)) {}

  // Visits every record in order; the first error of `visit` ends it. DataLoss, after some have been visited: the file
  // is cut off or not what was written.
  absl::Status Replay(const std::function<absl::Status(std::string_view record)>& visit) const;
  int64_t size_bytes() const;
  const std::string& name() const;
  const std::shared_ptr<const StateFile>& file() const { return file_; }

 private:
  std::shared_ptr<const StateFile> file_;
};

class SinkLog {
 public:
  virtual ~SinkLog() = default;
  virtual absl::Status Append(std::string_view record) = 0;
  virtual int64_t size_bytes() const = 0;
  virtual absl::StatusOr<SealedLog> Seal() = 0;  // the log is over then
};

// name: unique over all files of the job. directory: empty: everything stays in memory. bytes_max: ResourceExhausted
// beyond it.
std::unique_ptr<SinkLog> MakeSinkLog(std::string name, std::string directory, int64_t bytes_max);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_SINK_LOG_H_
