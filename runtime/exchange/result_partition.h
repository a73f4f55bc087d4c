// A task's output along one edge: one subpartition per consumer, filled frame by frame.
//
// Owner: the task's thread. Appending blocks in the task's mailbox wait when no buffer is to be had; after cancel it
// drops. A buffer is handed on when it is full, and by Flush when the input has run dry. Outlives its task only by the
// shared subpartitions.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_RESULT_PARTITION_H_
#define PENSTOCK_RUNTIME_EXCHANGE_RESULT_PARTITION_H_

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/exchange/subpartition.h"
#include "runtime/metrics/metrics.h"
#include "runtime/record/frame.h"
#include "runtime/record/task_wait.h"
#include "runtime/record/time.h"

namespace penstock {

class ResultPartition {
 public:
  // on_room: wakes the task (any thread). limit: of each subpartition until its consumer says otherwise.
  static absl::StatusOr<std::unique_ptr<ResultPartition>> Create(BufferPool& pool, int subpartitions, TaskWait& wait,
                                                                 std::function<void()> on_room,
                                                                 const ChannelLimit& limit = ChannelLimit());

  // For those who ask what the task waits for: subpartition i belongs to subtask first + i of the vertex.
  void DescribeConsumers(std::string vertex, int first);

  int size() const { return static_cast<int>(writers_.size()); }
  const std::shared_ptr<Subpartition>& subpartition(int index) const { return writers_[index].subpartition; }

  // Payload as frame.h says for the kind.
  void Append(int index, FrameKind kind, std::string_view payload) {
    Writer& writer = writers_[index];
    if (kind == FrameKind::kRecord || kind == FrameKind::kBareRecord) records_out_.Add();
    if (writer.buffer.room() >= payload.size() + kFrameHeaderBytes) {
      AppendFrame(writer, index, kind, payload, false);
    } else {
      AppendSlow(index, kind, payload);
    }
  }
  void AppendToAll(FrameKind kind, std::string_view payload);
  void AppendWatermarkToAll(TimestampMs watermark);
  void AppendIdleToAll(bool idle);
  void AppendEndToAll(bool drain);

  // Hands on every buffer that has data. Costs nothing for the others.
  void Flush();
  bool has_unflushed() const { return !dirty_.empty(); }

  const Counter& records_out() const { return records_out_; }
  const Counter& bytes_out() const { return bytes_out_; }
  const Counter& buffers_out() const { return buffers_out_; }

 private:
  struct Writer {
    std::shared_ptr<Subpartition> subpartition;
    Buffer buffer;
    bool dirty = false;  // stands in dirty_
  };

  ResultPartition(int subpartitions, TaskWait& wait);
  void AppendFrame(Writer& writer, int index, FrameKind kind, std::string_view payload, bool more) {
    const uint32_t header = EncodeFrameHeader(kind, static_cast<uint32_t>(payload.size()), more);
    char* out = writer.buffer.data() + writer.buffer.size();
    std::memcpy(out, &header, kFrameHeaderBytes);
    std::memcpy(out + kFrameHeaderBytes, payload.data(), payload.size());
    writer.buffer.set_size(writer.buffer.size() + kFrameHeaderBytes + static_cast<uint32_t>(payload.size()));
    if (!writer.dirty) MarkDirty(writer, index);
  }
  void MarkDirty(Writer& writer, int index);
  void AppendSlow(int index, FrameKind kind, std::string_view payload);
  bool EnsureBuffer(int index);  // false: cancelled
  bool RequestBuffer(int index);
  std::string WhyThereIsNoRoom(int index) const;
  void HandOn(Writer& writer);

  TaskWait& wait_;
  std::shared_ptr<BufferQuota> quota_;
  std::vector<Writer> writers_;
  std::vector<int> dirty_;
  std::string consumer_vertex_;
  int first_consumer_ = 0;
  Counter records_out_;
  Counter bytes_out_;
  Counter buffers_out_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_RESULT_PARTITION_H_
