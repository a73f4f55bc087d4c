#include "taskmanager/worker/restore.h"

#include <algorithm>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/record/key_hash.h"
#include "taskmanager/worker/state_upload.h"
#include "taskmanager/worker/task_handle.h"

namespace penstock::worker {
namespace {

void AddItem(const std::string& name, const OperatorState& state, size_t item, RestoredState& into) {
  into.Add(name, state.items[item],
           item < state.files.size() ? state.files[item] : std::vector<std::shared_ptr<const StateFile>>());
}

void AddAll(const std::string& name, const OperatorState& state, RestoredState& into) {
  for (size_t item = 0; item < state.items.size(); ++item) AddItem(name, state, item, into);
}

// Items of split state are dealt out in the order of the old subtasks.
void AddSplit(const std::string& name, const OperatorState& state, size_t& next, const TaskInfo& info,
              RestoredState& into) {
  for (size_t item = 0; item < state.items.size(); ++item) {
    if (next++ % static_cast<size_t>(info.parallelism) != static_cast<size_t>(info.subtask)) continue;
    AddItem(name, state, item, into);
  }
}

OperatorStateKind KindOf(proto::OperatorStateHandle::Kind kind) {
  if (kind == proto::OperatorStateHandle::UNION) return OperatorStateKind::kUnion;
  return kind == proto::OperatorStateHandle::BROADCAST ? OperatorStateKind::kBroadcast : OperatorStateKind::kSplit;
}

bool Overlap(const proto::TaskHandle& handle, const KeyGroupRange& range) {
  return handle.key_group_begin() < range.end && range.begin < handle.key_group_end();
}

}  // namespace

absl::StatusOr<RestoreSource> RestoreSource::From(const proto::Manifest& manifest, std::shared_ptr<Storage> storage,
                                                  const std::string& copies_dir) {
  std::map<std::string, std::set<std::string>> uids;  // by vertex
  for (const proto::Vertex& vertex : manifest.graph().vertices()) {
    for (const proto::Operator& op : vertex.operators()) uids[vertex.id()].insert(op.uid());
  }
  const OpenStateFile open = [storage, copies_dir](const std::string& name, int64_t size_bytes, uint64_t checksum,
                                                   const std::string& location) {
    return OpenStoredFile(storage, name, size_bytes, checksum, location, copies_dir);
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
    for (const proto::OperatorHandle& op : old.handle.operators()) {
      for (const proto::OperatorStateHandle& state : op.states()) {
        PENSTOCK_ASSIGN_OR_RETURN(old.operators[op.uid()][state.name()], Decode(state, open));
      }
    }
    source.subtasks_.push_back(std::move(old));
  }
  std::sort(source.subtasks_.begin(), source.subtasks_.end(), [](const Old& a, const Old& b) {
    return std::tie(a.vertex_id, a.subtask) < std::tie(b.vertex_id, b.subtask);
  });
  return source;
}

absl::StatusOr<OperatorState> RestoreSource::Decode(const proto::OperatorStateHandle& handle,
                                                    const OpenStateFile& open) {
  OperatorState state{.kind = KindOf(handle.kind()), .items = {handle.items().begin(), handle.items().end()}};
  state.files.resize(state.items.size());
  for (const proto::OperatorFile& file : handle.files()) {
    if (file.item() < 0 || file.item() >= handle.items_size()) {
      return DataLoss("file {} belongs to item {} of state '{}', which has {}", file.name(), file.item(), handle.name(),
                      handle.items_size());
    }
    PENSTOCK_ASSIGN_OR_RETURN(StateFilePtr opened,
                              open(file.name(), file.size_bytes(), file.checksum(), file.location()));
    state.files[file.item()].push_back(std::move(opened));
  }
  return state;
}

// Of each state that is alike in all subtasks, by uid and name: each new subtask takes one, its own where there is one.
std::map<std::pair<std::string, std::string>, int> RestoreSource::CountCopies() const {
  std::map<std::pair<std::string, std::string>, int> copies;
  for (const Old& old : subtasks_) {
    for (const auto& [uid, states] : old.operators) {
      for (const auto& [name, state] : states) copies[{uid, name}] += state.kind == OperatorStateKind::kBroadcast;
    }
  }
  return copies;
}

absl::StatusOr<std::unique_ptr<const TaskRestore>> RestoreSource::For(const TaskInfo& info,
                                                                      const std::vector<std::string>& uids) const {
  auto restore = std::make_unique<TaskRestore>();
  const KeyGroupRange range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
  std::map<std::pair<std::string, std::string>, size_t> dealt;  // items of split state so far, by uid and name
  const auto copies = CountCopies();
  std::map<std::pair<std::string, std::string>, int> copies_seen;
  bool has_watermark = false;
  std::vector<KeyedSnapshot> keyed;
  for (const Old& old : subtasks_) {
    const bool ours = std::any_of(uids.begin(), uids.end(),
                                  [&](const std::string& uid) { return !uid.empty() && old.uids.contains(uid); });
    for (const auto& [uid, states] : old.operators) {
      if (std::find(uids.begin(), uids.end(), uid) == uids.end()) continue;
      RestoredState& into = restore->operators[uid];
      for (const auto& [name, state] : states) {
        const auto key = std::make_pair(uid, name);
        if (state.kind == OperatorStateKind::kSplit) {
          AddSplit(name, state, dealt[key], info, into);
        } else if (state.kind == OperatorStateKind::kUnion || copies_seen[key]++ == info.subtask % copies.at(key)) {
          AddAll(name, state, into);
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
