// Control connections over gRPC. Every connection has a channel of its own, so that one that failed leaves no backoff
// behind; reconnecting, and when, is the caller's business.
#ifndef PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_
#define PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "taskmanager/rpc/control_stream.h"

namespace penstock::taskmanager {

class GrpcTransport final : public ControlTransport {
 public:
  // address: host:port of the JobManager. cluster_token: may be empty.
  GrpcTransport(std::string address, std::string cluster_token)
      : address_(std::move(address)), cluster_token_(std::move(cluster_token)) {}
  std::unique_ptr<HostStream> ConnectHost(HostListener& listener) override;
  std::unique_ptr<WorkerStream> ConnectWorker(WorkerListener& listener) override;

  // Streams a program's bytes from `offset` into `sink` until it ends; a non-OK status of the sink ends it. Blocks.
  // NotFound: the JobManager has no such program; Unavailable: the connection broke, go on from where it stopped.
  absl::Status FetchProgram(const std::string& digest, int64_t offset,
                            const std::function<absl::Status(std::string_view data, int64_t total_bytes)>& sink);

 private:
  const std::string address_;
  const std::string cluster_token_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_RPC_GRPC_TRANSPORT_H_
