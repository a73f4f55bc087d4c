#include "jobmanager/store/job_entry.h"

#include <array>

#include "jobmanager/job/execution_graph.h"

namespace penstock::jobmanager {
namespace {

JobState TerminalStateOf(const std::string& name) {
  for (const JobState state : std::array{JobState::kFinished, JobState::kCanceled}) {
    if (name == JobStateName(state)) return state;
  }
  return JobState::kFailed;
}

proto::TaskState TaskStateIn(JobState state) {
  switch (state) {
    case JobState::kFinished:
      return proto::FINISHED;
    case JobState::kFailed:
      return proto::FAILED;
    default:
      return proto::CANCELED;
  }
}

}  // namespace

proto::JobEntry EntryOf(const std::string& job_id, const JobSubmission& submission, const CheckpointStart& start,
                        int64_t now_ms) {
  proto::JobEntry entry;
  entry.set_job_id(job_id);
  entry.set_submitted_ms(now_ms);
  *entry.mutable_graph() = submission.graph;
  entry.set_digest(submission.digest);
  entry.set_is_bundle(submission.is_bundle);
  for (const std::string& argument : submission.arguments) entry.add_arguments(argument);
  for (const auto& [key, value] : submission.config) (*entry.mutable_config())[key] = value;
  proto::JobStart& out = *entry.mutable_start();
  out.set_allow_non_restored(submission.restore.allow_non_restored);
  out.set_allow_duplicates(submission.restore.allow_duplicates);
  out.set_first_own_id(start.stored.next_id);
  if (start.restore) {
    out.set_has_restore(true);
    out.set_id(start.restore->id);
    out.set_generation(start.restore->generation);
    out.set_manifest_name(start.restore->manifest_name);
    out.set_directory(start.restore->directory);
    out.set_storage(start.restore->storage);
    out.set_committed(start.restore->committed);
  }
  return entry;
}

JobSubmission SubmissionOf(const proto::JobEntry& entry) {
  JobSubmission submission;
  submission.graph = entry.graph();
  submission.digest = entry.digest();
  submission.is_bundle = entry.is_bundle();
  submission.arguments.assign(entry.arguments().begin(), entry.arguments().end());
  submission.config.insert(entry.config().begin(), entry.config().end());
  submission.restore.allow_non_restored = entry.start().allow_non_restored();
  submission.restore.allow_duplicates = entry.start().allow_duplicates();
  return submission;
}

proto::JobEnd EndOf(const JobSnapshot& snapshot) {
  proto::JobEnd end;
  end.set_state(JobStateName(snapshot.state));
  end.set_end_ms(snapshot.end_ms);
  end.set_attempt(snapshot.attempt);
  for (const FailureSnapshot& failure : snapshot.failures) {
    proto::JobFailure& out = *end.add_failures();
    out.set_time_ms(failure.time_ms);
    *out.mutable_failure() = failure.failure;
    out.set_task_name(failure.task_name);
    out.set_operator_name(failure.operator_name);
    out.set_endpoint(failure.endpoint);
    out.set_taskmanager_id(failure.taskmanager_id);
  }
  return end;
}

std::shared_ptr<const JobSnapshot> SnapshotOf(const proto::JobEntry& entry) {
  auto snapshot = std::make_shared<JobSnapshot>();
  snapshot->id = entry.job_id();
  snapshot->name = entry.graph().name();
  snapshot->uid = entry.graph().uid();
  snapshot->start_ms = entry.submitted_ms();
  snapshot->last_modified_ms = entry.time_ms();
  snapshot->attempt = entry.attempts_before();
  snapshot->parallelism = entry.graph().parallelism();
  snapshot->digest = entry.digest();
  snapshot->arguments.assign(entry.arguments().begin(), entry.arguments().end());
  snapshot->graph = entry.graph();
  ExecutionGraph execution(entry.graph());
  if (entry.kind() == proto::JobEntry::ENDED) {
    snapshot->state = TerminalStateOf(entry.end().state());
    snapshot->end_ms = entry.end().end_ms();
    snapshot->last_modified_ms = snapshot->end_ms;
    snapshot->attempt = entry.end().attempt();
    snapshot->state_entered_ms[static_cast<int>(snapshot->state)] = snapshot->end_ms;
    for (const proto::JobFailure& failure : entry.end().failures()) {
      snapshot->failures.push_back({failure.time_ms(), failure.failure(), failure.task_name(), failure.operator_name(),
                                    failure.endpoint(), failure.taskmanager_id()});
    }
    execution.BeginAttempt(snapshot->attempt, snapshot->start_ms);
    if (snapshot->state == JobState::kFinished) {
      execution.SetStateOfAll("", proto::RUNNING, snapshot->start_ms);
    }
    execution.SetStateOfAll("", TaskStateIn(snapshot->state), snapshot->end_ms);
  } else {
    snapshot->waits_for = "being taken over from another JobManager";
  }
  snapshot->state_entered_ms[static_cast<int>(JobState::kInitializing)] = snapshot->start_ms;
  snapshot->vertices = execution.vertices();
  return snapshot;
}

}  // namespace penstock::jobmanager
