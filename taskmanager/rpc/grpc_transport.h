// Control connections over gRPC. Every connection has a channel of its own, so that one that failed leaves no backoff
// behind; reconnecting, and when, is the caller's business.
#ifndef PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_
#define PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/core/mutex.h"
#include "taskmanager/rpc/control_stream.h"

namespace penstock::taskmanager {

class GrpcTransport final : public ControlTransport {
 public:
  // addresses: host:port of the JobManagers, comma-separated, which connections try in turn. cluster_token: may be
  // empty.
  GrpcTransport(const std::string& addresses, std::string cluster_token);
  std::unique_ptr<HostStream> ConnectHost(HostListener& listener) override;
  std::unique_ptr<WorkerStream> ConnectWorker(WorkerListener& listener) override;

  void Prefer(const std::string& address) override ABSL_LOCKS_EXCLUDED(mutex_);

  // From the JobManager that was connected to last. Streams a program's bytes from `offset` into `sink` until it ends;
  // a non-OK status of the sink ends it. Blocks. NotFound: the JobManager has no such program; Unavailable: the
  // connection broke, go on from where it stopped.
  absl::Status FetchProgram(const std::string& digest, int64_t offset,
                            const std::function<absl::Status(std::string_view data, int64_t total_bytes)>& sink);

 private:
  std::string NextAddress() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string cluster_token_;
  Mutex mutex_;
  std::vector<std::string> addresses_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string preferred_ ABSL_GUARDED_BY(mutex_);  // empty: the next one in turn
  std::string current_ ABSL_GUARDED_BY(mutex_);    // connected to last
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_
