// The gRPC server of the control plane: carries hosts' and workers' streams to a ControlService, and programs to hosts.
//
// Thread-safe. Lifetime: service and programs outlive it; Stop() ends all streams and waits for them; idempotent.
// Errors: Start names the address that cannot be bound. Limits: kStreamQueueMax messages wait per stream, then the
// stream is broken; messages of at most kMessageBytesMax.
#ifndef PENSTOCK_JOBMANAGER_RPC_GRPC_SERVER_H_
#define PENSTOCK_JOBMANAGER_RPC_GRPC_SERVER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "jobmanager/rpc/gateways.h"

namespace penstock::jobmanager {

inline constexpr size_t kStreamQueueMax = 1 << 14;
inline constexpr int kMessageBytesMax = 64 << 20;
inline constexpr size_t kProgramChunkBytes = 1 << 20;

struct GrpcServerOptions {
  std::string address = "127.0.0.1";  // jobmanager.rpc.address
  int port = 0;                       // jobmanager.rpc.port; 0: the kernel chooses
  bool insecure = false;              // listens on other addresses than loopback
  // When not empty, hosts must carry it as metadata "penstock-token" and in FetchProgramRequest.
  std::string cluster_token;
};

class GrpcServer {
 public:
  // PermissionDenied: others could reach the address. Unavailable: the port is taken (or the address is not one of this
  // machine).
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(GrpcServerOptions options, ControlService& service,
                                                           ProgramSource* programs);
  ~GrpcServer();
  void Stop();
  // host:port as bound.
  std::string address() const;

 private:
  struct Parts;
  explicit GrpcServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_RPC_GRPC_SERVER_H_
