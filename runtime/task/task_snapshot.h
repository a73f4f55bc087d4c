// What a task hands in at a barrier, and what it begins from after a restore.
#ifndef PENSTOCK_RUNTIME_TASK_TASK_SNAPSHOT_H_
#define PENSTOCK_RUNTIME_TASK_TASK_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/checkpoint/barrier.h"
#include "runtime/record/time.h"
#include "runtime/state/chain.h"
#include "runtime/task/operator_state.h"

namespace penstock {

struct TaskSnapshot {
  Barrier barrier;
  std::map<std::string, std::map<std::string, OperatorState>> operators;  // by uid and name
  std::optional<KeyedSnapshot> keyed;                                     // with keyed state only
  TimestampMs watermark = kNoTimestamp;                                   // of the task's input
  int64_t sync_us = 0;
  int64_t alignment_us = 0;
  int64_t start_delay_us = 0;
  std::string waited_for;  // what took longest of all that it waited for; empty: nothing
  int64_t waited_us = 0;
};

struct TaskRestore {
  std::map<std::string, RestoredState> operators;  // by uid
  std::vector<ChainPart> keyed;                    // masked to the task's key groups
  TimestampMs watermark = kNoTimestamp;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_TASK_SNAPSHOT_H_
