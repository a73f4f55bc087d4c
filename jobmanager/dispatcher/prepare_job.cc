#include "jobmanager/dispatcher/prepare_job.h"

#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "jobmanager/job/graph_check.h"
#include "runtime/checkpoint/savepoint_path.h"
#include "runtime/checkpoint/state_changes.h"
#include "runtime/core/config.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

bool Mentions(const JobSubmission& submission, std::string_view prefix) {
  return std::any_of(submission.config.begin(), submission.config.end(),
                     [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

bool MentionsStorage(const JobSubmission& submission) {
  return Mentions(submission, "execution.checkpointing.dir") || Mentions(submission, "s3.");
}

// Whether checkpoints have been decided behind the newest that can be read.
bool DamagedIsNewest(const StoredCheckpoints& stored) {
  return stored.newest_damaged &&
         (stored.checkpoints.empty() || *stored.newest_damaged > stored.checkpoints.back().point.id);
}

// What was asked for by name. stored: of the same uid.
absl::StatusOr<RestorePoint> ChooseAt(const JobSubmission& submission, const JobOptions& options, Storage& storage,
                                      const StoredCheckpoints& stored, bool repeats_output) {
  const std::string& storage_uri = options.checkpoints.storage;
  const std::string& path = submission.restore.path;
  PENSTOCK_ASSIGN_OR_RETURN(const FoundSavepoint found, FindSavepoint(path, storage_uri, &storage, options.storage));
  if (found.manifest.kind() == proto::Manifest::TOMBSTONE) {
    return FailedPrecondition("{} is no checkpoint: it was given up ({})", path, found.manifest.reason());
  }
  RestorePoint point = PointOf(found.manifest, found.manifest_name);
  point.storage = found.storage;
  point.committed = found.committed;
  point.ends_job = false;
  point.allow_duplicates = submission.restore.allow_duplicates;
  const StoredCheckpoint* newest = stored.checkpoints.empty() ? nullptr : &stored.checkpoints.back();
  if (DamagedIsNewest(stored) && repeats_output && point.id < *stored.newest_damaged) {
    return FailedPrecondition(
        "checkpoint {} is not the newest of job '{}': {}. Beginning from an older one would write again what an "
        "exactly-once sink has committed since; --allow-duplicates takes that in",
        point.id, submission.graph.uid(), stored.damaged.back());
  }
  if (newest != nullptr && !point.SameAs(newest->point) && repeats_output) {
    return FailedPrecondition(
        "checkpoint {} is not the newest of job '{}' ({} is): beginning from it would write again what an exactly-once "
        "sink has committed since; --allow-duplicates takes that in",
        point.id, submission.graph.uid(), newest->point.id);
  }
  return point;
}

absl::StatusOr<std::optional<RestorePoint>> Choose(const JobSubmission& submission, const JobOptions& options,
                                                   Storage& storage, const StoredCheckpoints& stored) {
  const std::string& uid = submission.graph.uid();
  const RestoreRequest& request = submission.restore;
  const StoredCheckpoint* newest = stored.checkpoints.empty() ? nullptr : &stored.checkpoints.back();
  const bool repeats_output = HasExactlyOnceSink(submission.graph) && !request.allow_duplicates;
  if (!request.path.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(RestorePoint chosen, ChooseAt(submission, options, storage, stored, repeats_output));
    return std::optional<RestorePoint>(std::move(chosen));
  }
  const bool goes_back = DamagedIsNewest(stored);
  for (const std::string& damage : stored.damaged) PENSTOCK_LOG(error, "{}", damage);
  if (goes_back && (request.resume || newest == nullptr) && !request.allow_empty) {
    if (newest == nullptr) {
      return FailedPrecondition("no checkpoint of job '{}' can be read: {}; --allow-empty begins without state", uid,
                                stored.damaged.back());
    }
    if (repeats_output) {
      return FailedPrecondition(
          "the newest checkpoint of job '{}' cannot be read: {}. Beginning from the one before, {}, would write again "
          "what an exactly-once sink has committed since; --allow-duplicates takes that in",
          uid, stored.damaged.back(), newest->point.id);
    }
  }
  if (request.resume) {
    if (newest == nullptr) return FailedPrecondition("job '{}' has no checkpoint to resume from", uid);
    RestorePoint point = newest->point;
    point.ends_job = false;
    point.allow_duplicates = goes_back;
    return std::optional<RestorePoint>(std::move(point));
  }
  if (newest != nullptr && !request.allow_empty) {
    return FailedPrecondition(
        "job '{}' has checkpoints, the newest is {}: say --resume to go on from it, -s PATH to begin from another, or "
        "--allow-empty to begin without state",
        uid, newest->point.id);
  }
  return std::optional<RestorePoint>();
}

// Before anything runs: whether the program can read the state it is to begin from.
absl::Status CheckRestore(const JobSubmission& submission, const RestorePoint& point, const PreparedJob& job) {
  const std::string& own_uri = job.options.checkpoints.storage;
  const std::string& root = point.storage.empty() ? own_uri : point.storage;
  const std::string path = fmt::format("{}{}{}", root, root.ends_with('/') ? "" : "/", point.manifest_name);
  PENSTOCK_ASSIGN_OR_RETURN(const FoundSavepoint found,
                            FindSavepoint(path, own_uri, job.storage.get(), job.options.storage));
  return CheckStates(found.manifest.graph(), submission.graph, submission.restore.allow_non_restored);
}

}  // namespace

absl::StatusOr<JobOptions> ResolveOptions(const JobSubmission& submission, const JobOptions& cluster) {
  JobOptions options = cluster;
  if (MentionsStorage(submission) || Mentions(submission, "execution.checkpointing.") ||
      Mentions(submission, "restart-strategy.") || Mentions(submission, "cluster.id")) {
    ConfigSources sources;
    for (const auto& [key, value] : cluster.worker_config) sources.overrides.emplace_back(key, value);
    for (const auto& [key, value] : submission.config) sources.overrides.emplace_back(key, value);
    PENSTOCK_ASSIGN_OR_RETURN(const Config config, Config::Load(sources));
    PENSTOCK_ASSIGN_OR_RETURN(options.checkpoints, CheckpointConfig::From(config));
    options.storage = StorageOptions::From(config);
    if (Mentions(submission, "restart-strategy.")) options.restart = RestartOptions::From(config);
  }
  options.checkpoints.leader_epoch = cluster.leader_epoch;
  if (options.restart.type == "auto") {
    options.restart.type = options.checkpoints.enabled() ? "exponential-delay" : "none";
  }
  return options;
}

absl::StatusOr<PreparedJob> PrepareJob(const JobSubmission& submission, const JobOptions& cluster) {
  PreparedJob job;
  PENSTOCK_ASSIGN_OR_RETURN(job.options, ResolveOptions(submission, cluster));
  if (!job.options.checkpoints.enabled()) {
    if (submission.restore.resume || !submission.restore.path.empty()) {
      return FailedPrecondition("there is no checkpoint storage to begin from: set execution.checkpointing.dir");
    }
    return job;
  }
  PENSTOCK_ASSIGN_OR_RETURN(job.storage, OpenStorage(job.options.checkpoints.storage, job.options.storage));
  if (MentionsStorage(submission))
    PENSTOCK_RETURN_IF_ERROR(ProbeStorage(*job.storage));  // the JobManager has looked at its own
  PENSTOCK_ASSIGN_OR_RETURN(job.start.stored, ReadCheckpoints(*job.storage, JobDirectoryOf(submission.graph.uid())));
  PENSTOCK_ASSIGN_OR_RETURN(job.start.restore, Choose(submission, job.options, *job.storage, job.start.stored));
  job.start.goes_on = submission.restore.resume;
  if (job.start.restore) PENSTOCK_RETURN_IF_ERROR(CheckRestore(submission, *job.start.restore, job));
  return job;
}

}  // namespace penstock::jobmanager
