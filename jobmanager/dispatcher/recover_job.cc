#include "jobmanager/dispatcher/recover_job.h"

#include <set>
#include <utility>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "jobmanager/job/graph_check.h"
#include "jobmanager/store/job_entry.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

// The newest checkpoint that the job itself has taken; else what it was submitted with.
absl::StatusOr<std::optional<RestorePoint>> RestorePointOf(const proto::JobEntry& entry,
                                                           const JobSubmission& submission,
                                                           const StoredCheckpoints& stored) {
  const proto::JobStart& start = entry.start();
  std::optional<RestorePoint> restore;
  if (start.has_restore()) {
    restore = RestorePoint{.id = start.id(),
                           .generation = start.generation(),
                           .manifest_name = start.manifest_name(),
                           .directory = start.directory(),
                           .storage = start.storage(),
                           .committed = start.committed(),
                           .allow_duplicates = start.allow_duplicates()};
  }
  uint64_t newest = 0;
  if (!stored.checkpoints.empty() && stored.checkpoints.back().point.id >= start.first_own_id()) {
    restore = stored.checkpoints.back().point;
    newest = restore->id;
  }
  const bool damaged =
      stored.newest_damaged && *stored.newest_damaged >= start.first_own_id() && *stored.newest_damaged > newest;
  if (!damaged) return restore;
  for (const std::string& damage : stored.damaged) PENSTOCK_LOG(error, "{}", damage);
  if (!restore) {
    return FailedPrecondition(
        "no checkpoint of job '{}' can be read: {}; submit it again with --allow-empty to begin without state",
        submission.graph.uid(), stored.damaged.back());
  }
  if (HasExactlyOnceSink(submission.graph) && !submission.restore.allow_duplicates) {
    return FailedPrecondition(
        "the newest checkpoint of job '{}' cannot be read, and beginning from an older one would repeat output: {}; "
        "submit it again with -s PATH --allow-duplicates to take that in",
        submission.graph.uid(), stored.damaged.back());
  }
  PENSTOCK_LOG(warn, "job {}: begins from checkpoint {}, because newer ones are damaged", entry.job_id(), restore->id);
  restore->allow_duplicates = true;
  return restore;
}

}  // namespace

absl::StatusOr<PreparedJob> PrepareRecovery(const proto::JobEntry& entry, const JobOptions& cluster) {
  const JobSubmission submission = SubmissionOf(entry);
  PreparedJob job;
  PENSTOCK_ASSIGN_OR_RETURN(job.options, ResolveOptions(submission, cluster));
  job.options.attempts_before = entry.attempts_before();
  job.options.submitted_ms = entry.submitted_ms();
  PENSTOCK_ASSIGN_OR_RETURN(const auto strategy, MakeRestartStrategy(job.options.restart));
  if (!job.options.checkpoints.enabled()) {
    if (!strategy->CanRestart()) {
      return FailedPrecondition(
          "its JobManager was lost; the job takes no checkpoints, and restart-strategy.type {} allows no other attempt",
          job.options.restart.type);
    }
    PENSTOCK_LOG(warn, "job {} ({}) takes no checkpoints: it starts again from its beginning", entry.job_id(),
                 submission.graph.name());
    return job;
  }
  PENSTOCK_ASSIGN_OR_RETURN(job.storage, OpenStorage(job.options.checkpoints.storage, job.options.storage));
  PENSTOCK_ASSIGN_OR_RETURN(job.start.stored, ReadCheckpoints(*job.storage, JobDirectoryOf(submission.graph.uid())));
  PENSTOCK_ASSIGN_OR_RETURN(job.start.restore, RestorePointOf(entry, submission, job.start.stored));
  job.start.goes_on = true;
  job.start.taken_over = true;
  PENSTOCK_LOG(info, "job {} ({}) is taken over, {}", entry.job_id(), submission.graph.name(),
               job.start.restore ? fmt::format("from checkpoint {}", job.start.restore->id) : "without a checkpoint");
  return job;
}

proto::JobGraph GraphToGoOnWith(const proto::JobEntry& entry, const PreparedJob& prepared) {
  const std::optional<RestorePoint>& restore = prepared.start.restore;
  const bool own = restore && restore->storage.empty() && restore->id >= entry.start().first_own_id();
  if (!own) return entry.graph();
  const absl::StatusOr<std::string> bytes = prepared.storage->ReadAll(restore->manifest_name);
  if (!bytes.ok()) return entry.graph();  // the attempt will say so
  const absl::StatusOr<proto::Manifest> manifest = DecodeManifest(*bytes, restore->manifest_name);
  const bool same = manifest.ok() && manifest->graph().hash() == entry.graph().hash() &&
                    manifest->graph().key_groups() == entry.graph().key_groups();
  return same ? manifest->graph() : entry.graph();
}

absl::Status DeleteFinished(const proto::JobEntry& entry, const JobOptions& cluster) {
  PENSTOCK_ASSIGN_OR_RETURN(const JobOptions options, ResolveOptions(SubmissionOf(entry), cluster));
  if (!options.checkpoints.enabled()) return absl::OkStatus();
  PENSTOCK_ASSIGN_OR_RETURN(const auto storage, OpenStorage(options.checkpoints.storage, options.storage));
  const std::string directory = JobDirectoryOf(entry.graph().uid());
  PENSTOCK_ASSIGN_OR_RETURN(const StoredCheckpoints stored, ReadCheckpoints(*storage, directory));
  std::vector<std::string> names;
  std::set<std::string> files;
  std::set<std::string> needed;
  for (const StoredCheckpoint& checkpoint : stored.checkpoints) {
    const bool plain = checkpoint.kind == proto::Manifest::CHECKPOINT;
    if (plain) names.push_back(checkpoint.point.manifest_name);
    (plain ? files : needed).insert(checkpoint.files.begin(), checkpoint.files.end());
  }
  if (names.empty()) return absl::OkStatus();
  // Something must say which ids were used, once the manifests are gone.
  proto::Manifest tombstone;
  tombstone.set_version(1);
  tombstone.set_kind(proto::Manifest::TOMBSTONE);
  tombstone.set_job_uid(entry.graph().uid());
  tombstone.set_checkpoint_id(stored.next_id);
  tombstone.set_leader_epoch(cluster.leader_epoch);
  tombstone.set_reason("the job has finished");
  PENSTOCK_ASSIGN_OR_RETURN(const bool won,
                            PutIfAbsent(*storage, ManifestName(directory, stored.next_id), EncodeManifest(tombstone)));
  if (!won) return absl::OkStatus();  // somebody else is at work there
  for (const std::string& file : files) {
    if (!needed.contains(file)) names.push_back(file);
  }
  return storage->Delete(names);
}

}  // namespace penstock::jobmanager
