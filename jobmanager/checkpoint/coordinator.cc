#include "jobmanager/checkpoint/coordinator.h"

#include <algorithm>
#include <utility>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/log.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

// Without checkpoint 0 no record flows, so it is tried again soon, whatever the interval is.
constexpr int64_t kFirstCheckpointRetryMs = 1'000;
constexpr int64_t kNever = INT64_MAX;

bool IsOfLaterLeader(const CheckpointConfig& config, const StoredCheckpoints& stored) {
  return config.leader_epoch > 0 && stored.newest_cluster_id == config.cluster_id &&
         stored.newest_leader_epoch > config.leader_epoch;
}

}  // namespace

CheckpointCoordinator::CheckpointCoordinator(CheckpointConfig config, proto::JobGraph graph, const Clock& clock,
                                             CoordinatorEffects& effects)
    : config_(std::move(config)), directory_(JobDirectoryOf(graph.uid())), clock_(clock), effects_(effects) {
  SetGraph(std::move(graph));
}

void CheckpointCoordinator::SetGraph(proto::JobGraph graph) {
  graph_ = std::move(graph);
  subtasks_.clear();
  for (const proto::Vertex& vertex : graph_.vertices()) {
    widest_parallelism_ = std::max(widest_parallelism_, vertex.parallelism());
    for (int32_t i = 0; i < vertex.parallelism(); ++i) subtasks_.emplace(vertex.id(), i);
  }
}

void CheckpointCoordinator::Start(CheckpointStart start) {
  restore_ = std::move(start.restore);
  goes_on_ = start.goes_on;
  foreign_id_ = start.stored.next_id;
  if (start.taken_over && IsOfLaterLeader(config_, start.stored)) return effects_.DecisionLost();
  if (start.stored.next_id > 0 || goes_on_) return Seal(start.stored.next_id, "sealed at the start of the job");
  TakeStored(std::move(start.stored));
}

// What attempts left that died before a decision goes now: the id below is ours, so no JobManager that was paused can
// decide a checkpoint of these files any more.
void CheckpointCoordinator::TakeStored(StoredCheckpoints stored) {
  read_ = true;
  sealed_.reset();
  next_id_ = stored.next_id;
  retained_.assign(stored.checkpoints.begin(), stored.checkpoints.end());
  const bool newer = goes_on_ && !retained_.empty() && retained_.back().point.id >= foreign_id_;
  if (newer) restore_ = retained_.back().point;
  if (restore_) next_id_ = std::max(next_id_, restore_->id + 1);  // ids grow, also behind one that was taken elsewhere
  if (!stored.orphans.empty()) effects_.Delete(std::move(stored.orphans));
}

// A seal holds only if nothing newer is found afterwards: an id whose manifest was retired meanwhile is free again, and
// its seal stops nobody. With the newest id sealed, the predecessor's own next one is taken.
void CheckpointCoordinator::OnStorageRead(StoredCheckpoints stored) {
  if (read_ || open_decision_) return;
  // A later leader has decided what was not there at first: nothing is sealed, decided or begun here any more.
  const bool deposed = stored.next_id > foreign_id_ && IsOfLaterLeader(config_, stored);
  if (deposed) return effects_.DecisionLost();
  if (!sealed_ || stored.next_id != *sealed_ + 1) return Seal(stored.next_id, "sealed at the start of the job");
  TakeStored(std::move(stored));
}

void CheckpointCoordinator::BeginAttempt(uint32_t attempt) {
  attempt_ = attempt;
  goes_on_ = true;
  generation_ = RandomHex(8);
  parent_ = restore_;
  running_ = false;
  sources_started_ = false;
  stopped_ = false;
  workers_.clear();
  decided_.reset();
  given_up_.reset();
  if (parent_) ++counts_.restored;
}

// protocols.md A4. The damaged one stays until a newer one is decided: somebody may want to look at it.
AfterDamage CheckpointCoordinator::OnCheckpointDamaged(bool may_repeat_output) {
  if (!parent_) return AfterDamage::kSameAgain;
  if (!unread_ || !unread_->SameAs(*parent_)) {
    unread_ = parent_;
    return AfterDamage::kSameAgain;
  }
  if (!may_repeat_output) return AfterDamage::kNothingLeft;
  for (auto at = retained_.rbegin(); at != retained_.rend(); ++at) {
    at->damaged |= at->point.SameAs(*parent_);
    if (at->damaged || at->point.id > parent_->id) continue;
    restore_ = at->point;
    restore_->ends_job = false;
    restore_->allow_duplicates = true;
    return AfterDamage::kOlder;
  }
  return AfterDamage::kNothingLeft;
}

proto::CheckpointPlan CheckpointCoordinator::Plan() const {
  proto::CheckpointPlan plan;
  plan.set_enabled(true);
  plan.set_generation(generation_);
  plan.set_job_uid(graph_.uid());
  plan.set_storage(config_.storage);
  plan.set_job_directory(directory_);
  plan.set_cluster_id(config_.cluster_id);
  plan.set_interval_ms(config_.interval_ms);
  plan.set_timeout_ms(config_.timeout_ms);
  plan.set_widest_parallelism(widest_parallelism_);
  if (parent_) {
    plan.set_restore_manifest(parent_->manifest_name);
    plan.set_restore_id(parent_->id);
    plan.set_restore_generation(parent_->generation);
    plan.set_restore_directory(parent_->directory);
    plan.set_restore_storage(parent_->storage);
    plan.set_allow_duplicates(parent_->allow_duplicates);
    plan.set_restore_committed(parent_->committed);
  }
  return plan;
}

void CheckpointCoordinator::OnAllRunning(const std::set<std::string>& workers) {
  if (running_) return;
  running_ = true;
  unread_.reset();
  for (const std::string& worker : workers) workers_[worker];
  if (parent_) CommittedUpTo(parent_->id);  // a sink runs when what it began from is committed
  if (parent_ && parent_->ends_job) {
    stopped_ = true;
    return effects_.AlreadyStopped();
  }
  if (parent_) {
    sources_started_ = true;
    proto::JobManagerToWorker message;
    message.mutable_start_sources();
    effects_.Broadcast(std::move(message));
    next_trigger_ms_ = config_.interval_ms > 0 ? clock_.MonotonicMs() + config_.interval_ms : kNever;
  } else {
    next_trigger_ms_ = 0;  // checkpoint 0 (protocols.md B5)
  }
  TriggerWhenDue();
}

void CheckpointCoordinator::Tick() {
  if (in_flight_ && !deciding_ && clock_.MonotonicMs() >= in_flight_->deadline_ms) {
    std::string late;
    for (const Subtask& subtask : subtasks_) {
      if (!in_flight_->acked.contains(subtask)) {
        late += fmt::format("{}{}/{}", late.empty() ? "" : ", ", subtask.first, subtask.second);
      }
    }
    Abort(fmt::format("not complete after {} ms; nothing came from {}", config_.timeout_ms, late),
          CheckpointOutcome::kExpired);
  }
  RepeatNotices(clock_.MonotonicMs());
  TriggerWhenDue();
}

void CheckpointCoordinator::TriggerWhenDue() {
  if (!running_ || stopped_ || !Settled()) return;
  const int64_t now_ms = clock_.MonotonicMs();
  const bool asked = !requests_.empty() && sources_started_;
  const bool due = now_ms >= next_trigger_ms_ && (!sources_started_ || config_.interval_ms > 0);
  if (asked || due) Trigger();
}

void CheckpointCoordinator::Trigger() {
  const int64_t now_ms = clock_.MonotonicMs();
  InFlight& flight = in_flight_.emplace();
  flight.id = next_id_;
  flight.trigger_ms = clock_.NowMs();
  flight.deadline_ms = now_ms + config_.timeout_ms;
  CheckpointRecord record;
  if (!requests_.empty() && sources_started_) {
    flight.kind = requests_.front().kind;
    flight.ending = requests_.front().ending;
    flight.request = record.request = requests_.front().number;
    requests_.pop_front();
    if (RequestRecord* asked = FindRequest(flight.request)) {
      asked->triggered = true;
      asked->checkpoint_id = flight.id;
    }
  }
  record.id = flight.id;
  record.kind = flight.kind;
  record.trigger_ms = flight.trigger_ms;
  record.subtasks = static_cast<int>(subtasks_.size());
  history_.push_front(std::move(record));
  if (history_.size() > kHistoryMax) history_.pop_back();
  counts_.in_progress = 1;
  next_trigger_ms_ = config_.interval_ms > 0 ? now_ms + config_.interval_ms : kNever;

  given_up_.reset();
  effects_.Broadcast(TriggerMessage());
}

void CheckpointCoordinator::OnAck(const proto::CheckpointAck& ack) {
  for (const proto::SubtaskSnapshot& subtask : ack.subtasks()) {
    for (const proto::SnapshotFile& file : subtask.files()) Saw(file.name());
  }
  if (!in_flight_ || deciding_ || ack.checkpoint().id() != in_flight_->id ||
      ack.checkpoint().generation() != generation_) {
    return;  // of one that was given up
  }
  for (const proto::SubtaskSnapshot& subtask : ack.subtasks()) {
    const Subtask key(subtask.vertex_id(), subtask.subtask());
    if (!subtasks_.contains(key)) continue;
    in_flight_->acked[key] = subtask;
    Record().acked[key] = {clock_.NowMs(), subtask.figures()};
  }
  if (in_flight_->acked.size() == subtasks_.size()) WriteManifest();
}

void CheckpointCoordinator::OnDeclined(const proto::CheckpointDeclined& declined) {
  if (!in_flight_ || deciding_ || declined.checkpoint().id() != in_flight_->id ||
      declined.checkpoint().generation() != generation_) {
    return;
  }
  Abort(fmt::format("declined by subtask {} of vertex {}: {}", declined.subtask(), declined.vertex_id(),
                    declined.reason()),
        CheckpointOutcome::kAborted);
}

proto::Manifest CheckpointCoordinator::BaseManifest(proto::Manifest::Kind kind, uint64_t id) const {
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_kind(kind);
  manifest.set_cluster_id(config_.cluster_id);
  manifest.set_job_uid(graph_.uid());
  manifest.set_checkpoint_id(id);
  manifest.set_generation(generation_);
  if (parent_) {
    manifest.set_parent_generation(parent_->generation);
    manifest.set_parent_id(parent_->id);
  }
  manifest.set_attempt(attempt_);
  manifest.set_leader_epoch(config_.leader_epoch);
  manifest.set_decided_ms(clock_.NowMs());
  return manifest;
}

void CheckpointCoordinator::WriteManifest() {
  proto::Manifest manifest = BaseManifest(in_flight_->kind, in_flight_->id);
  manifest.set_trigger_ms(in_flight_->trigger_ms);
  manifest.set_ends_job(in_flight_->kind == proto::Manifest::SAVEPOINT &&
                        in_flight_->ending != proto::TriggerCheckpoint::GOES_ON);
  *manifest.mutable_graph() = graph_;
  CheckpointRecord& record = Record();
  for (const auto& [key, subtask] : in_flight_->acked) {
    *manifest.add_subtasks() = subtask;
    record.written_bytes += subtask.figures().written_bytes();
    record.state_bytes += subtask.figures().state_bytes();
  }
  record.manifest_name = ManifestName(directory_, in_flight_->id);
  open_decision_ = in_flight_->id;
  deciding_ = std::move(manifest);
  effects_.Decide(in_flight_->id, record.manifest_name, EncodeManifest(*deciding_));
}

void CheckpointCoordinator::Seal(uint64_t id, const std::string& reason) {
  proto::Manifest tombstone = BaseManifest(proto::Manifest::TOMBSTONE, id);
  tombstone.set_reason(reason);
  open_decision_ = id;
  effects_.Decide(id, ManifestName(directory_, id), EncodeManifest(tombstone));
}

void CheckpointCoordinator::OnDecided(uint64_t id, bool won) {
  if (open_decision_ != id) return;
  open_decision_.reset();
  next_id_ = id + 1;
  if (!read_) {
    if (won) sealed_ = id;
    return effects_.ReadStorage();
  }
  if (!won) {
    const std::string reason = fmt::format(
        "checkpoint {} of job '{}' was decided by somebody else: another JobManager runs this job, or took it over", id,
        graph_.uid());
    if (in_flight_) {
      FailRequest(in_flight_->request, CheckpointOutcome::kAborted, reason);
      Record().outcome = CheckpointOutcome::kAborted;
      Record().end_ms = clock_.NowMs();
      Record().failure = reason;
      ++counts_.failed;
    }
    deciding_.reset();
    in_flight_.reset();
    delete_when_sealed_.clear();
    counts_.in_progress = 0;
    read_ = false;
    foreign_id_ = id;
    effects_.ReadStorage();
    effects_.DecisionLost();
    return effects_.FailAttempt(reason);
  }
  const bool sealed = !deciding_.has_value();
  if (sealed && !finished_) tombstones_.push_back(ManifestName(directory_, id));
  if (!sealed) OnManifestDecided();
  if (finished_ && !sealed) return DeleteAll();  // a checkpoint that was decided after the end goes like the others
  if (!delete_when_sealed_.empty()) effects_.Delete(std::exchange(delete_when_sealed_, {}));
  TriggerWhenDue();
}

void CheckpointCoordinator::OnManifestDecided() {
  StoredCheckpoint stored;
  stored.point = {.id = deciding_->checkpoint_id(),
                  .generation = deciding_->generation(),
                  .manifest_name = ManifestName(directory_, deciding_->checkpoint_id()),
                  .directory = directory_,
                  .storage = "",
                  .is_savepoint = deciding_->kind() == proto::Manifest::SAVEPOINT,
                  .ends_job = deciding_->ends_job()};
  stored.kind = deciding_->kind();
  for (const proto::SubtaskSnapshot& subtask : deciding_->subtasks()) {
    for (const proto::SnapshotFile& file : subtask.files()) stored.files.insert(file.name());
  }
  const bool stops = in_flight_->ending != proto::TriggerCheckpoint::GOES_ON;
  const uint64_t request = in_flight_->request;
  stopped_ = stops;
  restore_ = stored.point;
  retained_.push_back(std::move(stored));
  deciding_.reset();
  in_flight_.reset();
  failures_in_a_row_ = 0;
  ++counts_.completed;
  counts_.in_progress = 0;
  Record().outcome = CheckpointOutcome::kCompleted;
  Record().end_ms = clock_.NowMs();
  if (next_trigger_ms_ != kNever) {
    next_trigger_ms_ = std::max(next_trigger_ms_, clock_.MonotonicMs() + config_.min_pause_ms);
  }
  if (running_) {
    decided_ = restore_->id;
    next_notice_ms_ = clock_.MonotonicMs() + kNoticeRepeatMs;
    effects_.Broadcast(DecidedMessage(restore_->id));
    if (!std::exchange(sources_started_, true)) {
      proto::JobManagerToWorker start;
      start.mutable_start_sources();
      effects_.Broadcast(std::move(start));
    }
  }
  if (stops) effects_.StopDecided();
  OnRequestDecided(request, *restore_);
  Retire();
}

// Files of another job, whose savepoint this one began from, are that job's to delete.
void CheckpointCoordinator::Saw(const std::string& file) {
  if (file.starts_with(directory_ + "/")) seen_files_.insert(file);
}

std::set<std::string> CheckpointCoordinator::ReferencedFiles() const {
  std::set<std::string> files;
  for (const StoredCheckpoint& checkpoint : retained_) files.insert(checkpoint.files.begin(), checkpoint.files.end());
  return files;
}

// What no checkpoint needs any more goes. The manifests go first, so that nobody begins from one whose files are gone.
void CheckpointCoordinator::Retire() {
  std::vector<std::string> names = std::exchange(tombstones_, {});
  auto plain = std::count_if(retained_.begin(), retained_.end(), [](const StoredCheckpoint& c) {
    return c.kind == proto::Manifest::CHECKPOINT && !c.damaged;
  });
  for (auto at = retained_.begin(); at != retained_.end();) {
    if (at->kind != proto::Manifest::CHECKPOINT || (!at->damaged && plain <= config_.retained)) {
      ++at;
      continue;
    }
    names.push_back(at->point.manifest_name);
    for (const std::string& file : at->files) Saw(file);
    for (CheckpointRecord& record : history_) record.discarded |= record.id == at->point.id;
    plain -= at->damaged ? 0 : 1;
    at = retained_.erase(at);
  }
  const std::set<std::string> needed = ReferencedFiles();
  for (auto at = seen_files_.begin(); at != seen_files_.end();) {
    if (needed.contains(*at)) {
      ++at;
      continue;
    }
    names.push_back(*at);
    at = seen_files_.erase(at);
  }
  if (!names.empty()) effects_.Delete(std::move(names));
}

void CheckpointCoordinator::DeleteAll() {
  finished_ = true;
  std::vector<std::string> names = std::exchange(delete_when_sealed_, {});
  names.insert(names.end(), tombstones_.begin(), tombstones_.end());
  tombstones_.clear();
  for (auto at = retained_.begin(); at != retained_.end();) {
    if (at->kind != proto::Manifest::CHECKPOINT) {
      ++at;
      continue;
    }
    names.push_back(at->point.manifest_name);
    for (const std::string& file : at->files) Saw(file);
    at = retained_.erase(at);
  }
  const std::set<std::string> needed = ReferencedFiles();
  for (const std::string& file : seen_files_) {
    if (!needed.contains(file)) names.push_back(file);
  }
  seen_files_.clear();
  restore_.reset();
  // Something must say which ids were used, once the manifests are gone.
  if (names.empty()) return;
  delete_when_sealed_.insert(delete_when_sealed_.end(), names.begin(), names.end());
  if (!open_decision_) Seal(next_id_, "the job has finished");
}

void CheckpointCoordinator::Abort(const std::string& reason, CheckpointOutcome outcome) {
  const InFlight flight = *std::move(in_flight_);
  in_flight_.reset();
  PENSTOCK_LOG(warn, "job '{}': checkpoint {} is given up: {}", graph_.uid(), flight.id, reason);
  ++counts_.failed;
  counts_.in_progress = 0;
  Record().outcome = outcome;
  Record().end_ms = clock_.NowMs();
  Record().failure = reason;
  FailRequest(flight.request, outcome, reason);
  if (running_) {
    given_up_ = Given{flight.id, reason};
    next_notice_ms_ = clock_.MonotonicMs() + kNoticeRepeatMs;
    effects_.Broadcast(AbortedMessage(flight.id, reason));
  }
  const int64_t now_ms = clock_.MonotonicMs();
  if (!sources_started_) next_trigger_ms_ = now_ms + kFirstCheckpointRetryMs;
  if (next_trigger_ms_ != kNever) next_trigger_ms_ = std::max(next_trigger_ms_, now_ms + config_.min_pause_ms);
  Seal(flight.id, reason);
  if (!running_) return;
  ++failures_in_a_row_;
  if (flight.ending != proto::TriggerCheckpoint::GOES_ON) {
    // Its sources have stopped for it: only a new attempt makes them go on.
    effects_.FailAttempt(fmt::format("the checkpoint that was to end the job is given up: {}", reason));
  } else if (config_.tolerable_failures >= 0 && failures_in_a_row_ > config_.tolerable_failures) {
    effects_.FailAttempt(
        fmt::format("{} checkpoints in a row were given up, the last because: {}", failures_in_a_row_, reason));
  }
}

void CheckpointCoordinator::EndAttempt(const std::string& reason) {
  running_ = false;
  sources_started_ = false;
  for (const CheckpointRequest& request : requests_) FailRequest(request.number, CheckpointOutcome::kAborted, reason);
  requests_.clear();
  if (in_flight_ && !deciding_) Abort(reason, CheckpointOutcome::kAborted);
}

}  // namespace penstock::jobmanager
