#include "jobmanager/dispatcher/dispatcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "jobmanager/job/graph_check.h"
#include "jobmanager/store/job_entry.h"
#include "runtime/core/ids.h"
#include "runtime/core/log.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {

Dispatcher::Dispatcher(JobOptions job_options, DispatcherParts parts)
    : parts_(std::move(parts)),
      job_options_(std::move(job_options)),
      store_actor_("job-store", parts_.clock),
      actor_("dispatcher", parts_.clock) {
  actor_.PostAfter(std::chrono::milliseconds(kExpireIntervalMs), [this] { Tick(); });
}

void Dispatcher::Stop() {
  store_actor_.Stop();  // speaks to the jobs
  std::vector<std::shared_ptr<JobActor>> actors;
  actor_.Call([&] {
    for (const auto& job : jobs_) {
      if (auto actor = parts_.directory.Remove(job->id)) actors.push_back(std::move(actor));
    }
  });
  for (const auto& actor : actors) actor->Stop();  // they post to the dispatcher, so it goes last
  actor_.Stop();
}

void Dispatcher::SetWorkerAddress(const std::string& address) {
  actor_.Call([&] { job_options_.jobmanager_address = address; });
}

absl::StatusOr<std::string> Dispatcher::Submit(const JobSubmission& submission) {
  absl::StatusOr<std::string> result = Unavailable("the JobManager is shutting down");
  JobOptions options;
  absl::Status refused;
  if (!actor_.Call([&] {
        options = job_options_;
        refused = Check(submission);
      })) {
    return result;
  }
  PENSTOCK_RETURN_IF_ERROR(refused);
  PENSTOCK_ASSIGN_OR_RETURN(PreparedJob prepared, PrepareJob(submission, options));
  PENSTOCK_RETURN_IF_ERROR(MakeRestartStrategy(prepared.options.restart).status());
  const std::string id = JobId(RandomU64(), RandomU64()).ToString();
  PENSTOCK_RETURN_IF_ERROR(MakeDurable(id, submission, prepared));
  absl::Status started = result.status();
  actor_.Call([&] {
    // Another job of the uid may have come meanwhile; a store has seen to that.
    if (parts_.durable.store == nullptr) started = Check(submission);
    if (parts_.durable.store != nullptr || started.ok()) started = StartJob(id, submission, std::move(prepared));
  });
  if (!started.ok()) return started;
  return id;
}

absl::Status Dispatcher::MakeDurable(const std::string& id, const JobSubmission& submission,
                                     const PreparedJob& prepared) {
  JobStore* const store = parts_.durable.store;
  if (store == nullptr) return absl::OkStatus();
  if (parts_.programs != nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(const ProgramSource::Program program, parts_.programs->Find(submission.digest));
    PENSTOCK_RETURN_IF_ERROR(store->PutProgram(submission.digest, program.path));
  }
  const absl::Status added = store->Add(EntryOf(id, submission, prepared.start, parts_.clock.NowMs()));
  if (absl::IsAborted(added)) OnDecisionLost();
  return added;
}

absl::Status Dispatcher::Check(const JobSubmission& submission) const {
  PENSTOCK_RETURN_IF_ERROR(CheckGraph(submission.graph));
  PENSTOCK_RETURN_IF_ERROR(CheckProgram(submission));
  return CheckUid(submission.graph.uid());
}

absl::Status Dispatcher::StartJob(const std::string& id, const JobSubmission& submission, PreparedJob prepared) {
  PENSTOCK_ASSIGN_OR_RETURN(auto strategy, MakeRestartStrategy(prepared.options.restart));
  std::unique_ptr<CheckpointStore> store;
  if (prepared.storage != nullptr) store = std::make_unique<CheckpointStore>(prepared.storage, parts_.clock);
  auto actor =
      std::make_shared<JobActor>(id, submission, std::move(prepared.options), std::move(strategy), std::move(store),
                                 std::move(prepared.start), parts_.clock, parts_.cluster, *this);
  PENSTOCK_LOG(info, "job {} ({}) submitted: {} vertices, {} slots", id, submission.graph.name(),
               submission.graph.vertices_size(), SlotsNeeded(submission.graph));
  std::erase_if(jobs_, [&](const auto& job) { return job->id == id; });  // as it stood while it was taken over
  jobs_.insert(jobs_.begin(), actor->FirstSnapshot());
  parts_.directory.Add(id, actor);
  Publish();
  actor->Start();
  return absl::OkStatus();
}

absl::Status Dispatcher::CheckProgram(const JobSubmission& submission) const {
  if (parts_.programs == nullptr) return absl::OkStatus();
  const auto program = parts_.programs->Find(submission.digest);
  if (program.ok()) return absl::OkStatus();
  return FailedPrecondition("program {} is not uploaded: {}", submission.digest, MessageOf(program.status()));
}

absl::Status Dispatcher::CheckUid(const std::string& uid) const {
  size_t live = 0;
  for (const auto& job : jobs_) {
    if (IsTerminal(job->state)) continue;
    ++live;
    if (!uid.empty() && job->uid == uid) {
      return AlreadyExists("job {} with uid '{}' is {}: cancel it first, or give this one another uid", job->id, uid,
                           JobStateName(job->state));
    }
  }
  if (live >= kLiveJobsMax) return ResourceExhausted("{} jobs are live: this is the limit", live);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Dispatcher::RequestCheckpoint(const std::string& job_id, const CheckpointRequest& request) {
  if (auto actor = parts_.directory.Find(job_id)) return actor->RequestCheckpoint(request);
  return NotFound("job {} is unknown or has ended", job_id);
}

// A job that is rescaled gives its slots back first: it must not wait for ever for more than there are.
absl::Status Dispatcher::CheckSlots(const std::string& job_id, int32_t needed) const {
  int32_t have = 0;
  for (const TaskManagerSnapshot& taskmanager : taskmanagers_) {
    have += taskmanager.free_slots;
    for (const auto& allocation : taskmanager.allocations) {
      if (allocation.job_id == job_id) have += allocation.slots;
    }
  }
  if (needed <= have) return absl::OkStatus();
  return FailedPrecondition("it would need {} slots, and there are {} for it: add TaskManagers first", needed, have);
}

absl::StatusOr<uint64_t> Dispatcher::Rescale(const std::string& job_id, const proto::JobGraph& graph) {
  PENSTOCK_RETURN_IF_ERROR(CheckGraph(graph));
  const auto actor = parts_.directory.Find(job_id);
  if (actor == nullptr) return NotFound("job {} is unknown or has ended", job_id);
  absl::Status slots = Unavailable("the JobManager is shutting down");
  actor_.Call([&] { slots = CheckSlots(job_id, SlotsNeeded(graph)); });
  PENSTOCK_RETURN_IF_ERROR(slots);
  return actor->Rescale(graph);
}

absl::Status Dispatcher::Cancel(const std::string& job_id) {
  absl::Status result = Unavailable("the JobManager is shutting down");
  actor_.Call([&] {
    const auto known = std::ranges::find_if(jobs_, [&](const auto& job) { return job->id == job_id; });
    result = known != jobs_.end() ? absl::OkStatus() : NotFound("job {} is unknown", job_id);
    if (auto actor = parts_.directory.Find(job_id)) return actor->Cancel();
    if (known == jobs_.end() || IsTerminal((*known)->state)) return;
    result = Unavailable("job {} is just being taken over: try again", job_id);
  });
  return result;
}

void Dispatcher::ReadTaskManagerLog(const std::string& taskmanager_id, const proto::ReadLog& request,
                                    std::function<void(absl::StatusOr<proto::LogChunk>)> done) {
  parts_.cluster.ReadLog(taskmanager_id, request, std::move(done));
}

void Dispatcher::OnJobSnapshot(std::shared_ptr<const JobSnapshot> snapshot, bool drained) {
  actor_.Post([this, snapshot = std::move(snapshot), drained] {
    const auto at = std::ranges::find_if(jobs_, [&](const auto& job) { return job->id == snapshot->id; });
    if (at == jobs_.end()) return;
    *at = snapshot;
    if (drained) {
      parts_.directory.Remove(snapshot->id);  // ends the actor's thread, from this one
      ForgetOldJobs();
    }
    Publish();
  });
}

void Dispatcher::ForgetOldJobs() {
  const JobStoreLimits& limits = parts_.durable.limits;
  const int64_t oldest_ms = parts_.clock.NowMs() - limits.ended_expire_ms;
  size_t ended = 0;
  std::erase_if(jobs_, [&](const auto& job) {
    if (!IsTerminal(job->state)) return false;
    const bool old = ++ended > limits.ended_max || job->end_ms < oldest_ms;
    return old && parts_.directory.Find(job->id) == nullptr;
  });
}

void Dispatcher::Tick() {
  const size_t before = jobs_.size();
  ForgetOldJobs();
  if (jobs_.size() != before) Publish();
  if (parts_.durable.store != nullptr) store_actor_.Post([this] { parts_.durable.store->Expire(); });
  actor_.PostAfter(std::chrono::milliseconds(kExpireIntervalMs), [this] { Tick(); });
}

void Dispatcher::OnTaskManagers(std::vector<TaskManagerSnapshot> taskmanagers) {
  actor_.Post([this, taskmanagers = std::move(taskmanagers)]() mutable {
    taskmanagers_ = std::move(taskmanagers);
    Publish();
  });
}

void Dispatcher::Publish() {
  auto snapshot = std::make_shared<ClusterSnapshot>();
  snapshot->time_ms = parts_.clock.NowMs();
  snapshot->jobs = jobs_;
  snapshot->taskmanagers = taskmanagers_;
  parts_.snapshots.Set(std::move(snapshot));
}

}  // namespace penstock::jobmanager
