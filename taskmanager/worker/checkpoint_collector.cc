#include "taskmanager/worker/checkpoint_collector.h"

#include <algorithm>
#include <chrono>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::worker {
namespace {

proto::SubtaskSnapshot ToProto(const TaskInfo& info, const TaskSnapshot& snapshot, bool finished,
                               const StateUpload& upload) {
  proto::SubtaskSnapshot out;
  out.set_vertex_id(info.vertex_id);
  out.set_subtask(info.subtask);
  out.set_finished(finished);
  std::set<std::string> objects;
  int64_t file_bytes = 0;
  proto::TaskHandle handle = HandleOf(info, snapshot, [&](const StateFile& file) {
    const StateLocation& location = upload.LocationOf(file);
    objects.insert(location.object);
    file_bytes += file.size_bytes();
    return location.Encode();
  });
  if (snapshot.keyed) {
    handle.set_keyed(upload.Encode(*snapshot.keyed, &objects));
    file_bytes += snapshot.keyed->TotalBytes();
  }
  for (const std::string& object : objects) out.add_files()->set_name(object);
  out.set_handle(handle.SerializeAsString());
  proto::SnapshotFigures& figures = *out.mutable_figures();
  figures.set_sync_us(snapshot.sync_us);
  figures.set_alignment_us(snapshot.alignment_us);
  figures.set_start_delay_us(snapshot.start_delay_us);
  figures.set_waited_for(snapshot.waited_for);
  figures.set_waited_us(snapshot.waited_us);
  figures.set_state_bytes(static_cast<int64_t>(out.handle().size()) + file_bytes);
  return out;
}

void AddFilesOf(const TaskSnapshot& snapshot, std::vector<StateFilePtr>& files) {
  for (const auto& [uid, states] : snapshot.operators) {
    for (const auto& [name, state] : states) {
      for (const auto& of_item : state.files) files.insert(files.end(), of_item.begin(), of_item.end());
    }
  }
  if (!snapshot.keyed) return;
  for (const ChainPart& part : snapshot.keyed->parts) {
    for (const ChainFile& file : part.files) files.push_back(file.file);
  }
}

}  // namespace

CheckpointCollector::CheckpointCollector(std::string generation, std::set<Subtask> subtasks,
                                         std::shared_ptr<Storage> storage, std::string prefix, std::string copies_dir,
                                         BaseDone base_done, TaskEvents& events, const Clock& clock)
    : generation_(std::move(generation)),
      subtasks_(std::move(subtasks)),
      base_done_(std::move(base_done)),
      events_(events),
      clock_(clock),
      upload_(std::move(storage), std::move(prefix)),
      copies_(std::move(copies_dir)),
      uploader_("checkpoint", clock),
      bases_("base", clock) {}

CheckpointCollector::~CheckpointCollector() {
  bases_.Stop();
  uploader_.Stop();
}

void CheckpointCollector::OnNewBase(const TaskInfo& info, ChainPart base) {
  uploader_.Post([this, info, id = base.id, base = std::move(base)] {
    bases_.Post([this, info, id, missing = upload_.MissingOf(base)] {
      absl::StatusOr<StateUpload::Locations> written = upload_.WriteBase(missing);
      if (!written.ok()) {
        PENSTOCK_LOG(warn, "the base of {} could not be uploaded: {}", info.Label(), MessageOf(written.status()));
        return base_done_(info, id, false);
      }
      uploader_.Post([this, info, id, written = *std::move(written)]() mutable {
        upload_.AddBase(std::move(written));
        base_done_(info, id, true);
      });
    });
  });
}

CheckpointCollector::Open* CheckpointCollector::FindOrOpen(uint64_t id) {
  if (static_cast<int64_t>(id) <= done_) return nullptr;
  while (open_.size() >= kOpenCheckpointsMax && open_.begin()->first < id) open_.erase(open_.begin());
  return &open_[id];
}

void CheckpointCollector::OnTrigger(uint64_t id) {
  MutexLock lock(&mutex_);
  if (FindOrOpen(id) != nullptr) UploadWhenWhole(id);
}

void CheckpointCollector::OnSnapshot(const TaskInfo& info, TaskSnapshot snapshot, bool last) {
  const Subtask subtask(info.vertex_id, info.subtask);
  MutexLock lock(&mutex_);
  if (!last) {
    const uint64_t id = snapshot.barrier.id;
    Open* open = FindOrOpen(id);
    if (open == nullptr) return;
    open->handed_in[subtask] = {info, std::move(snapshot)};
    return UploadWhenWhole(id);
  }
  last_[subtask] = {info, std::move(snapshot)};
  std::vector<uint64_t> ids;
  for (const auto& [id, open] : open_) ids.push_back(id);
  for (const uint64_t id : ids) UploadWhenWhole(id);
}

void CheckpointCollector::OnDecided(uint64_t id) {
  OnAborted(id);
  uploader_.Post([this, id] { copies_.OnDecided(id); });
}

void CheckpointCollector::OnAborted(uint64_t id) {
  MutexLock lock(&mutex_);
  outcome_ = std::max(outcome_, static_cast<int64_t>(id));
  done_ = std::max(done_, static_cast<int64_t>(id));
  open_.erase(open_.begin(), open_.upper_bound(id));
}

// Of the newest only: its outcome settles those before it.
void CheckpointCollector::AskWhenUnknown(uint64_t id) {
  {
    MutexLock lock(&mutex_);
    if (acked_ != static_cast<int64_t>(id) || outcome_ >= acked_) return;
  }
  proto::OutcomeAsked asked;
  asked.mutable_checkpoint()->set_id(id);
  asked.mutable_checkpoint()->set_generation(generation_);
  events_.OnOutcomeAsked(std::move(asked));
  uploader_.PostAfter(std::chrono::milliseconds(kOutcomeAskMs), [this, id] { AskWhenUnknown(id); });
}

void CheckpointCollector::UploadWhenWhole(uint64_t id) {
  Open& open = open_.at(id);
  std::set<Subtask> finished;
  for (const Subtask& subtask : subtasks_) {
    if (open.handed_in.contains(subtask)) continue;
    if (!last_.contains(subtask)) return;
    finished.insert(subtask);
  }
  std::map<Subtask, HandedIn> handed_in = std::move(open.handed_in);
  for (const Subtask& subtask : finished) handed_in[subtask] = last_.at(subtask);
  done_ = std::max(done_, static_cast<int64_t>(id));
  open_.erase(open_.begin(), open_.upper_bound(id));
  uploader_.Post([this, id, handed_in = std::move(handed_in), finished = std::move(finished)]() mutable {
    Upload(id, std::move(handed_in), finished);
  });
}

void CheckpointCollector::Upload(uint64_t id, std::map<Subtask, HandedIn> handed_in,
                                 const std::set<Subtask>& finished) {
  const int64_t began_ns = clock_.MonotonicNs();
  proto::CheckpointAck ack;
  ack.mutable_checkpoint()->set_id(id);
  ack.mutable_checkpoint()->set_generation(generation_);
  std::vector<StateFilePtr> files;
  if (const absl::Status status = FillAck(id, handed_in, finished, ack, files); !status.ok()) {
    proto::CheckpointDeclined declined;
    *declined.mutable_checkpoint() = ack.checkpoint();
    declined.set_vertex_id(handed_in.begin()->first.first);
    declined.set_subtask(handed_in.begin()->first.second);
    declined.set_reason(MessageOf(status));
    return events_.OnCheckpointDeclined(std::move(declined));
  }
  for (proto::SubtaskSnapshot& subtask : *ack.mutable_subtasks()) {
    subtask.mutable_figures()->set_async_us((clock_.MonotonicNs() - began_ns) / 1000);
  }
  {
    MutexLock lock(&mutex_);
    acked_ = static_cast<int64_t>(id);
  }
  uploader_.PostAfter(std::chrono::milliseconds(kOutcomeAskMs), [this, id] { AskWhenUnknown(id); });
  events_.OnCheckpointAck(std::move(ack));
  copies_.Keep(id, files);
}

absl::Status CheckpointCollector::FillAck(uint64_t id, const std::map<Subtask, HandedIn>& handed_in,
                                          const std::set<Subtask>& finished, proto::CheckpointAck& ack,
                                          std::vector<StateFilePtr>& files) {
  std::map<Subtask, int64_t> written_bytes;  // one object for all, but each has its part in it
  for (const auto& [subtask, part] : handed_in) {
    std::vector<StateFilePtr> own;
    AddFilesOf(part.snapshot, own);
    written_bytes[subtask] = upload_.MissingBytes(own);
    files.insert(files.end(), own.begin(), own.end());
  }
  PENSTOCK_RETURN_IF_ERROR(upload_.Upload(id, files));
  for (const auto& [subtask, part] : handed_in) {
    proto::SubtaskSnapshot& out = *ack.add_subtasks();
    out = ToProto(part.info, part.snapshot, finished.contains(subtask), upload_);
    out.mutable_figures()->set_written_bytes(written_bytes[subtask]);
  }
  upload_.Retain(files);
  return absl::OkStatus();
}

}  // namespace penstock::worker
