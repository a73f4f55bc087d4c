// Control connections inside one process: what gRPC does between processes, by direct calls.
//
// Thread-safe. The ControlService outlives the transport and its streams. Listeners must only queue what they hear:
// they are called with the connection's lock held.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_TRANSPORT_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_TRANSPORT_H_

#include <memory>

#include "jobmanager/rpc/gateways.h"
#include "taskmanager/rpc/control_stream.h"

namespace penstock::taskmanager {

class InProcessTransport final : public ControlTransport {
 public:
  explicit InProcessTransport(jobmanager::ControlService& service) : service_(service) {}
  std::unique_ptr<HostStream> ConnectHost(HostListener& listener) override;
  std::unique_ptr<WorkerStream> ConnectWorker(WorkerListener& listener) override;

 private:
  jobmanager::ControlService& service_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_TRANSPORT_H_
