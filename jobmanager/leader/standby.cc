#include "jobmanager/leader/standby.h"

#include <utility>

#include "runtime/core/status.h"

namespace penstock::jobmanager {

void StandbyControl::SetLeader(const LeaderAddress& leader) {
  MutexLock lock(&mutex_);
  leader_ = leader;
}

LeaderAddress StandbyControl::leader() const {
  MutexLock lock(&mutex_);
  return leader_;
}

void StandbyControl::Lead(ControlService& service) {
  MutexLock lock(&mutex_);
  service_ = &service;
}

ControlService* StandbyControl::service() const {
  MutexLock lock(&mutex_);
  return service_;
}

std::string StandbyControl::Refusal() const {
  const std::string rpc = leader().rpc;
  return rpc.empty() ? "this JobManager stands by, and no leader is known"
                     : fmt::format("this JobManager stands by, the leader is {}", rpc);
}

void StandbyControl::OnHostMessage(const HostGatewayPtr& from, proto::HostToJobManager message) {
  if (ControlService* const to = service()) return to->OnHostMessage(from, std::move(message));
  proto::JobManagerToHost reply;
  reply.mutable_welcome()->set_refusal(Refusal());
  reply.mutable_welcome()->set_leader_address(leader().rpc);
  from->Send(reply);
  from->Close();
}

void StandbyControl::OnHostClosed(const HostGatewayPtr& from, bool orderly) {
  if (ControlService* const to = service()) to->OnHostClosed(from, orderly);
}

void StandbyControl::OnWorkerMessage(const WorkerGatewayPtr& from, proto::WorkerToJobManager message) {
  if (ControlService* const to = service()) return to->OnWorkerMessage(from, std::move(message));
  proto::JobManagerToWorker reply;
  reply.set_job_id(message.job_id());
  reply.set_attempt(message.attempt());
  reply.mutable_welcome()->set_refusal(Refusal());
  from->Send(reply);
  from->Close();
}

void StandbyControl::OnWorkerClosed(const WorkerGatewayPtr& from) {
  if (ControlService* const to = service()) to->OnWorkerClosed(from);
}

}  // namespace penstock::jobmanager
