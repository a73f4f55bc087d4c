#include "taskmanager/worker/restore.h"

#include <algorithm>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/record/key_hash.h"
#include "taskmanager/worker/state_upload.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::worker {
namespace {

// Items of split state are dealt out in the order of the old subtasks.
void AddSplit(const proto::OperatorStateHandle& state, size_t& next, const TaskInfo& info, RestoredState& into) {
  std::vector<std::string> own;
  for (const std::string& item : state.items()) {
    if (next++ % static_cast<size_t>(info.parallelism) == static_cast<size_t>(info.subtask)) own.push_back(item);
  }
  into.Add(state.name(), std::move(own));
}

bool Overlap(const proto::TaskHandle& handle, const KeyGroupRange& range) {
  return handle.key_group_begin() < range.end && range.begin < handle.key_group_end();
}

}  // namespace

absl::StatusOr<RestoreSource> RestoreSource::From(const proto::Manifest& manifest, std::shared_ptr<Storage> storage) {
  std::map<std::string, std::set<std::string>> uids;  // by vertex
  for (const proto::Vertex& vertex : manifest.graph().vertices()) {
    for (const proto::Operator& op : vertex.operators()) uids[vertex.id()].insert(op.uid());
  }
  const OpenStateFile open = [storage](const std::string& name, int64_t size_bytes, uint64_t checksum,
                                       const std::string& location) {
    return OpenStoredFile(storage, name, size_bytes, checksum, location);
  };
  RestoreSource source;
  for (const proto::SubtaskSnapshot& subtask : manifest.subtasks()) {
    Old old{subtask.vertex_id(), subtask.subtask(), {}, uids[subtask.vertex_id()], {}};
    if (!old.handle.ParseFromString(subtask.handle()) || old.handle.version() != kTaskHandleVersion) {
      return DataLoss("checkpoint {}: the handle of subtask {} of vertex {} is of version {}, this program reads {}",
                      manifest.checkpoint_id(), subtask.subtask(), subtask.vertex_id(), old.handle.version(),
                      kTaskHandleVersion);
    }
    if (!old.handle.keyed().empty()) {
      PENSTOCK_ASSIGN_OR_RETURN(old.keyed, DecodeKeyedSnapshot(old.handle.keyed(), open));
    }
    source.subtasks_.push_back(std::move(old));
  }
  std::sort(source.subtasks_.begin(), source.subtasks_.end(), [](const Old& a, const Old& b) {
    return std::tie(a.vertex_id, a.subtask) < std::tie(b.vertex_id, b.subtask);
  });
  return source;
}

absl::StatusOr<std::unique_ptr<const TaskRestore>> RestoreSource::For(const TaskInfo& info,
                                                                      const std::vector<std::string>& uids) const {
  auto restore = std::make_unique<TaskRestore>();
  const KeyGroupRange range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
  std::map<std::pair<std::string, std::string>, size_t> dealt;  // items of split state so far, by uid and name
  std::map<std::pair<std::string, std::string>, bool> broadcast_taken;
  bool has_watermark = false;
  std::vector<KeyedSnapshot> keyed;
  for (const Old& old : subtasks_) {
    const bool ours = std::any_of(uids.begin(), uids.end(),
                                  [&](const std::string& uid) { return !uid.empty() && old.uids.contains(uid); });
    for (const proto::OperatorHandle& op : old.handle.operators()) {
      if (std::find(uids.begin(), uids.end(), op.uid()) == uids.end()) continue;
      RestoredState& into = restore->operators[op.uid()];
      for (const proto::OperatorStateHandle& state : op.states()) {
        const auto key = std::make_pair(op.uid(), state.name());
        if (state.kind() == proto::OperatorStateHandle::SPLIT) {
          AddSplit(state, dealt[key], info, into);
        } else if (state.kind() == proto::OperatorStateHandle::UNION || !std::exchange(broadcast_taken[key], true)) {
          into.Add(state.name(), {state.items().begin(), state.items().end()});
        }
      }
    }
    if (!ours) continue;
    if (old.handle.key_groups() != info.key_groups) {
      return FailedPrecondition(
          "the state of '{}' was cut into {} key groups, the job has {} now: pipeline.max-parallelism may not change "
          "once there is state",
          info.vertex_name, old.handle.key_groups(), info.key_groups);
    }
    if (old.keyed) keyed.push_back(*old.keyed);
    if (Overlap(old.handle, range)) {
      const TimestampMs watermark = old.handle.watermark_ms();
      restore->watermark = has_watermark ? std::min(restore->watermark, watermark) : watermark;
      has_watermark = true;
    }
  }
  restore->keyed = PartsForRange(keyed, range);
  return std::unique_ptr<const TaskRestore>(std::move(restore));
}

}  // namespace penstock::worker
