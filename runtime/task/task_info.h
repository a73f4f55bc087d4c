// Who a task is, and what it reports.
#ifndef PENSTOCK_RUNTIME_TASK_TASK_INFO_H_
#define PENSTOCK_RUNTIME_TASK_TASK_INFO_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/record/time.h"
#include "runtime/time/split_table.h"

namespace penstock {

struct TaskInfo {
  std::string job_name;
  std::string vertex_id;
  std::string vertex_name;
  int subtask = 0;
  int parallelism = 1;
  uint32_t attempt = 0;
  uint32_t key_groups = 720;
  int64_t client_queue_bytes = 16 << 20;  // Context::client_queue_bytes

  // "parse -> sessions (3/8)"
  std::string Label() const {
    return vertex_name + " (" + std::to_string(subtask + 1) + "/" + std::to_string(parallelism) + ")";
  }
};

struct TaskFailure {
  enum class Domain { kUser, kExternal, kInternal };
  std::string message;
  std::string exception_type;
  std::string operator_name;
  std::vector<void*> stack;  // raw addresses of the throw, symbolised by whoever reports
  Domain domain = Domain::kUser;
  bool refused = false;             // while it was opened, with a status that IsRefusal: the next attempt would be, too
  bool checkpoint_damaged = false;  // while it was restored
};

// Cumulative figures since the task's start.
struct TaskStats {
  int64_t records_in = 0;
  int64_t records_out = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t busy_ms = 0;
  int64_t idle_ms = 0;
  int64_t backpressured_ms = 0;
  TimestampMs input_watermark = kNoTimestamp;
  TimestampMs output_watermark = kNoTimestamp;
  int64_t late_records = 0;
  int64_t malformed_records = 0;
  int64_t debloated_buffer_bytes = 0;  // how full a buffer on its way to the task gets; 0: it has no input
  int64_t consume_buffers_ms = 0;      // what it would need for all that waits for it
  std::vector<SplitTable::View> splits;
  std::string status_note;
  std::string watermark_holder;
  std::map<std::string, double> user;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_TASK_INFO_H_
