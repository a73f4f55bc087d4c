// What hosts and workers hear while another JobManager leads; afterwards everything is handed on.
//
// Thread-safe. Lifetime: outlives the transport that calls it; the service outlives this.
#ifndef PENSTOCK_JOBMANAGER_LEADER_STANDBY_H_
#define PENSTOCK_JOBMANAGER_LEADER_STANDBY_H_

#include <string>

#include "jobmanager/leader/leadership.h"
#include "jobmanager/rpc/gateways.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

class StandbyControl final : public ControlService {
 public:
  void SetLeader(const LeaderAddress& leader) ABSL_LOCKS_EXCLUDED(mutex_);
  LeaderAddress leader() const ABSL_LOCKS_EXCLUDED(mutex_);
  // This process leads from now on.
  void Lead(ControlService& service) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message) override;
  void OnHostClosed(const HostGatewayPtr& from, bool orderly) override;
  void OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message) override;
  void OnWorkerClosed(const WorkerGatewayPtr& from) override;

 private:
  ControlService* service() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string Refusal() const;

  mutable Mutex mutex_;
  LeaderAddress leader_ ABSL_GUARDED_BY(mutex_);
  ControlService* service_ ABSL_GUARDED_BY(mutex_) = nullptr;  // null: stands by
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_LEADER_STANDBY_H_
