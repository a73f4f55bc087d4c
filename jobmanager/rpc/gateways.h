// The seam between the JobManager's actors and what carries their messages: gRPC, or calls inside one process.
//
// A gateway stands for one live connection. Thread-safe; calls return at once; what is sent after the connection has
// gone is dropped. The transport calls the ControlService, message after message per connection, and last of all the
// Closed call.
#ifndef PENSTOCK_JOBMANAGER_RPC_GATEWAYS_H_
#define PENSTOCK_JOBMANAGER_RPC_GATEWAYS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "proto/control.pb.h"

namespace penstock::jobmanager {

class HostGateway {
 public:
  virtual ~HostGateway() = default;
  virtual void Send(const proto::JobManagerToHost& message) = 0;
  // Ends the connection once everything sent has left.
  virtual void Close() = 0;
};

class WorkerGateway {
 public:
  virtual ~WorkerGateway() = default;
  virtual void Send(const proto::JobManagerToWorker& message) = 0;
  virtual void Close() = 0;
};

using HostGatewayPtr = std::shared_ptr<HostGateway>;
using WorkerGatewayPtr = std::shared_ptr<WorkerGateway>;

// What hosts and workers say to the JobManager. Calls may come from any thread and must not block.
class ControlService {
 public:
  virtual ~ControlService() = default;
  virtual void OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message) = 0;
  // orderly: the host said good-bye; otherwise it may still be there and come back.
  virtual void OnHostClosed(const HostGatewayPtr& from, bool orderly) = 0;
  virtual void OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message) = 0;
  virtual void OnWorkerClosed(const WorkerGatewayPtr& from) = 0;
};

// Where programs lie for hosts to fetch. Thread-safe.
class ProgramSource {
 public:
  virtual ~ProgramSource() = default;
  struct Program {
    std::string path;
    bool is_bundle = false;
  };
  // NotFound unless a complete program of this digest (sha256, hex) is stored.
  virtual absl::StatusOr<Program> Find(const std::string& digest) = 0;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_RPC_GATEWAYS_H_
