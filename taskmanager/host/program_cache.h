// The job programs this host has fetched: one file per digest, complete and verified, or a .part to go on from.
//
// Thread-safe; Get blocks (it runs on a thread made for that). Lifetime: Stop() makes a Get under way return soon.
// Errors: DataLoss when what came has another digest (it is thrown away). Limits: kFetchTriesMax connections in a row
// that brought nothing.
#ifndef PENSTOCK_TASKMANAGER_HOST_PROGRAM_CACHE_H_
#define PENSTOCK_TASKMANAGER_HOST_PROGRAM_CACHE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"

namespace penstock::taskmanager {

inline constexpr int kFetchTriesMax = 5;
inline constexpr int64_t kFetchPauseMs = 200;

// As GrpcTransport::FetchProgram.
using FetchFunction =
    std::function<absl::Status(const std::string& digest, int64_t offset,
                               const std::function<absl::Status(std::string_view data, int64_t total_bytes)>& sink)>;

class ProgramCache {
 public:
  // Files lie in `directory`, which is created when needed.
  ProgramCache(std::string directory, FetchFunction fetch)
      : directory_(std::move(directory)), fetch_(std::move(fetch)) {}
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // The path of the executable program of this sha256 (64 hex digits): fetched, verified and, if a bundle, unpacked.
  absl::StatusOr<std::string> Get(const std::string& digest, bool is_bundle) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Fetch(const std::string& digest, const std::string& part_path);
  absl::StatusOr<int64_t> FetchOnce(const std::string& digest, const std::string& part_path, absl::Status* ended);
  bool PauseUnlessStopped(int64_t pause_ms) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;
  const FetchFunction fetch_;

  Mutex mutex_;
  CondVar stop_changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_PROGRAM_CACHE_H_
