#include "runtime/exchange/result_partition.h"

#include <algorithm>
#include <utility>

#include "runtime/core/status.h"

namespace penstock {

absl::StatusOr<std::unique_ptr<ResultPartition>> ResultPartition::Create(BufferPool& pool, int subpartitions,
                                                                         TaskWait& wait, std::function<void()> on_room,
                                                                         const ChannelLimit& limit) {
  auto quota = pool.CreateQuota(subpartitions, 1, kFloatingBuffersPerPartition, std::move(on_room));
  if (!quota.ok()) return quota.status();
  std::unique_ptr<ResultPartition> partition(new ResultPartition(subpartitions, wait));
  partition->quota_ = *std::move(quota);
  for (const Writer& writer : partition->writers_) writer.subpartition->SetLimit(limit);
  return partition;
}

ResultPartition::ResultPartition(int subpartitions, TaskWait& wait) : wait_(wait), writers_(subpartitions) {
  for (Writer& writer : writers_) writer.subpartition = std::make_shared<Subpartition>();
  dirty_.reserve(subpartitions);
}

void ResultPartition::MarkDirty(Writer& writer, int index) {
  writer.dirty = true;
  dirty_.push_back(index);
}

void ResultPartition::HandOn(Writer& writer) {
  if (writer.buffer.size() == 0) return;
  bytes_out_.Add(writer.buffer.size());
  buffers_out_.Add();
  writer.subpartition->Push(std::move(writer.buffer));
}

bool ResultPartition::RequestBuffer(int index) {
  Writer& writer = writers_[index];
  const ChannelLimit limit = writer.subpartition->limit();
  writer.buffer = quota_->Request(index, limit.sender_buffers);
  if (!writer.buffer) return false;
  writer.buffer.Limit(limit.buffer_bytes);
  return true;
}

void ResultPartition::DescribeConsumers(std::string vertex, int first) {
  consumer_vertex_ = std::move(vertex);
  first_consumer_ = first;
}

std::string ResultPartition::WhyThereIsNoRoom(int index) const {
  if (quota_->starved()) return "network buffers (taskmanager.network.memory.size)";
  if (consumer_vertex_.empty()) return "room in the exchange";
  return fmt::format("room in the exchange to subtask {} of {}", first_consumer_ + index, consumer_vertex_);
}

bool ResultPartition::EnsureBuffer(int index) {
  if (writers_[index].buffer || RequestBuffer(index)) return true;
  // What lies in half-full buffers may be just what a consumer needs in order to make room.
  Flush();
  return wait_.WaitUntil(WaitKind::kOutput, WhyThereIsNoRoom(index), [&] { return RequestBuffer(index); });
}

void ResultPartition::AppendSlow(int index, FrameKind kind, std::string_view payload) {
  Writer& writer = writers_[index];
  if (wait_.cancelled()) return;
  if (writer.buffer) HandOn(writer);
  do {
    if (!EnsureBuffer(index)) return;
    const size_t part = std::min<size_t>(payload.size(), writer.buffer.room() - kFrameHeaderBytes);
    const bool more = part < payload.size();
    AppendFrame(writer, index, kind, payload.substr(0, part), more);
    payload.remove_prefix(part);
    if (more) HandOn(writer);
  } while (!payload.empty());
}

void ResultPartition::AppendToAll(FrameKind kind, std::string_view payload) {
  for (int i = 0; i < size(); ++i) Append(i, kind, payload);
}

void ResultPartition::AppendWatermarkToAll(TimestampMs watermark) {
  AppendToAll(FrameKind::kWatermark, {reinterpret_cast<const char*>(&watermark), sizeof watermark});
}

void ResultPartition::AppendIdleToAll(bool idle) {
  const char byte = idle ? 1 : 0;
  AppendToAll(FrameKind::kStatus, {&byte, 1});
}

void ResultPartition::AppendEndToAll(bool drain) {
  const char byte = drain ? 1 : 0;
  AppendToAll(FrameKind::kEnd, {&byte, 1});
}

void ResultPartition::Flush() {
  for (const int index : dirty_) {
    Writer& writer = writers_[index];
    writer.dirty = false;
    if (writer.buffer) HandOn(writer);
  }
  dirty_.clear();
}

}  // namespace penstock
