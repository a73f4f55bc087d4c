// What a logical graph carries so that a worker can build tasks from it: typed code behind untyped factories. Made by
// the API when the program builds its graph; immutable and shared by all subtasks afterwards.
#ifndef PENSTOCK_RUNTIME_TASK_FACTORIES_H_
#define PENSTOCK_RUNTIME_TASK_FACTORIES_H_

#include <functional>
#include <memory>
#include <vector>

#include "runtime/exchange/result_partition.h"
#include "runtime/record/frame.h"
#include "runtime/record/receiver.h"
#include "runtime/task/operator.h"
#include "runtime/time/time_merge.h"

namespace penstock {

// Decodes records of one edge and hands them to a Receiver<T>. False: the bytes are no T.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  virtual bool Read(std::string_view payload, TimestampMs timestamp, ReceiverBase* to) = 0;
};

// Several receivers of one output.
class FanOutBase {
 public:
  virtual ~FanOutBase() = default;
  virtual ReceiverBase* receiver() = 0;
};

struct OperatorFactory {
  std::function<std::unique_ptr<Operator>()> create;  // a fresh operator per subtask
  bool is_source = false;
};

// Everything that depends on the element type of one output.
struct OutputFactory {
  std::function<std::unique_ptr<RecordReader>()> create_reader;
  std::function<std::unique_ptr<FanOutBase>(std::vector<ReceiverBase*>)> create_fan_out;
  // One of several inputs of a consumer in the same chain: records go to `to`, time goes into the merge.
  std::function<std::unique_ptr<ReceiverBase>(ReceiverBase* to, std::shared_ptr<TimeMerge> merge)> create_merged_input;
};

// Writes an edge's records into a partition; typed by element and partitioner. `subtask` is the producer's.
struct EdgeFactory {
  std::function<std::unique_ptr<ReceiverBase>(ResultPartition&, int subtask, uint32_t key_groups)> create_writer;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_FACTORIES_H_
