// What a task hands in, as the message that stands in the manifest.
#ifndef PENSTOCK_TASKMANAGER_WORKER_TASK_HANDLE_H_
#define PENSTOCK_TASKMANAGER_WORKER_TASK_HANDLE_H_

#include <functional>
#include <string>

#include "proto/checkpoint.pb.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/state_file.h"
#include "runtime/task/task_info.h"
#include "runtime/task/task_snapshot.h"

namespace penstock::worker {

inline constexpr int kTaskHandleVersion = 1;

// locate: where a file lies; REQUIRES that all are durable.
inline proto::TaskHandle HandleOf(const TaskInfo& info, const TaskSnapshot& snapshot,
                                  const std::function<std::string(const StateFile&)>& locate) {
  proto::TaskHandle handle;
  handle.set_version(kTaskHandleVersion);
  const KeyGroupRange range = RangeOfSubtask(info.subtask, info.parallelism, info.key_groups);
  handle.set_key_group_begin(range.begin);
  handle.set_key_group_end(range.end);
  handle.set_key_groups(info.key_groups);
  handle.set_watermark_ms(snapshot.watermark);
  for (const auto& [uid, states] : snapshot.operators) {
    proto::OperatorHandle& op = *handle.add_operators();
    op.set_uid(uid);
    for (const auto& [name, state] : states) {
      proto::OperatorStateHandle& out = *op.add_states();
      out.set_name(name);
      out.set_kind(state.kind == OperatorStateKind::kSplit   ? proto::OperatorStateHandle::SPLIT
                   : state.kind == OperatorStateKind::kUnion ? proto::OperatorStateHandle::UNION
                                                             : proto::OperatorStateHandle::BROADCAST);
      for (const std::string& item : state.items) out.add_items(item);
      for (size_t item = 0; item < state.files.size(); ++item) {
        for (const StateFilePtr& file : state.files[item]) {
          proto::OperatorFile& entry = *out.add_files();
          entry.set_item(static_cast<int32_t>(item));
          entry.set_name(file->name());
          entry.set_size_bytes(file->size_bytes());
          entry.set_checksum(file->checksum());
          entry.set_location(locate(*file));
        }
      }
    }
  }
  return handle;
}

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_TASK_HANDLE_H_
