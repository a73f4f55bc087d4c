// A JobManager process: its servers, and the JobManager once it leads.
//
// Thread-safe. Lifetime: Stop() ends everything, idempotent; config is copied from, clock outlives this. Errors: Start
// says what keeps the process from starting; on_lost is called, on a thread of this, when it leads no more or cannot
// begin to: the process must end at once then, for another one leads. Without storage for jobs there is no leadership.
#ifndef PENSTOCK_JOBMANAGER_SERVER_H_
#define PENSTOCK_JOBMANAGER_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/core/clock.h"
#include "runtime/core/config.h"

namespace penstock::jobmanager {

inline constexpr int64_t kAcquireIntervalMs = 100;  // between a standby's tries to lead
inline constexpr int kAcquireTriesMax = 50;         // of a JobManager that is the only one

class JobManagerServer {
 public:
  static absl::StatusOr<std::unique_ptr<JobManagerServer>> Start(const Config& config, const Clock& clock,
                                                                 std::function<void(const absl::Status&)> on_lost);
  ~JobManagerServer();
  void Stop();

  // rpc, rest, rest_token_file and metrics, as bound.
  std::map<std::string, std::string> ports() const;

 private:
  struct Parts;
  explicit JobManagerServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_SERVER_H_
