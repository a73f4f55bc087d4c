#include "taskmanager/worker/checkpoint_collector.h"

#include <algorithm>

#include "runtime/core/log.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::worker {
namespace {

proto::SubtaskSnapshot ToProto(const TaskInfo& info, const TaskSnapshot& snapshot, bool finished) {
  proto::SubtaskSnapshot out;
  out.set_vertex_id(info.vertex_id);
  out.set_subtask(info.subtask);
  out.set_finished(finished);
  out.set_handle(HandleOf(info, snapshot).SerializeAsString());
  proto::SnapshotFigures& figures = *out.mutable_figures();
  figures.set_sync_us(snapshot.sync_us);
  figures.set_alignment_us(snapshot.alignment_us);
  figures.set_start_delay_us(snapshot.start_delay_us);
  figures.set_waited_for(snapshot.waited_for);
  figures.set_state_bytes(static_cast<int64_t>(out.handle().size()));
  return out;
}

}  // namespace

CheckpointCollector::CheckpointCollector(std::string generation, std::set<Subtask> subtasks, TaskEvents& events,
                                         const Clock& clock)
    : generation_(std::move(generation)),
      subtasks_(std::move(subtasks)),
      events_(events),
      clock_(clock),
      uploader_("checkpoint", clock) {}

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

void CheckpointCollector::OnDone(uint64_t id) {
  MutexLock lock(&mutex_);
  done_ = std::max(done_, static_cast<int64_t>(id));
  open_.erase(open_.begin(), open_.upper_bound(id));
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
  for (const auto& [subtask, part] : handed_in) {
    *ack.add_subtasks() = ToProto(part.info, part.snapshot, finished.contains(subtask));
  }
  for (proto::SubtaskSnapshot& subtask : *ack.mutable_subtasks()) {
    subtask.mutable_figures()->set_async_us((clock_.MonotonicNs() - began_ns) / 1000);
  }
  events_.OnCheckpointAck(std::move(ack));
}

}  // namespace penstock::worker
