#include "runtime/exchange/remote_input_channel.h"

#include <utility>

#include "runtime/core/status.h"

namespace penstock {

absl::StatusOr<std::shared_ptr<RemoteInputChannel>> RemoteInputChannel::Create(BufferPool& pool,
                                                                               std::function<void()> on_grant) {
  std::shared_ptr<RemoteInputChannel> channel(new RemoteInputChannel(std::move(on_grant)));
  std::weak_ptr<RemoteInputChannel> weak = channel;
  auto quota = pool.CreateQuota(1, kExclusiveBuffersPerChannel, kFloatingBuffersPerChannelMax, [weak] {
    if (const auto self = weak.lock()) self->ReserveMore();
  });
  if (!quota.ok()) return quota.status();
  channel->quota_ = *std::move(quota);
  channel->ReserveMore();
  return channel;
}

void RemoteInputChannel::ReserveMore() {
  bool announce = false;
  {
    MutexLock lock(&mutex_);
    if (closed_) return;
    while (credits_.WantedReservations() > 0) {
      Buffer buffer = quota_->Request(0, limit_.receiver_buffers);
      if (!buffer) break;  // the quota calls again when there is room
      reserved_.push_back(std::move(buffer));
      credits_.Reserved(1);
    }
    announce = credits_.ShouldAnnounce();
  }
  if (announce) on_grant_();
}

absl::Status RemoteInputChannel::Deliver(const wire::BufferHeader& header, wire::Cursor& cursor) {
  std::function<void()> notify;
  Buffer buffer;  // outlives the lock: giving it back may call ReserveMore
  {
    MutexLock lock(&mutex_);
    if (closed_) {  // the task is gone: swallow
      std::string dropped(header.size, '\0');
      return cursor.Copy(dropped.data(), dropped.size()) ? absl::OkStatus() : DataLoss("an exchange message was cut");
    }
    switch (credits_.Arrived(header.sequence, header.backlog)) {
      case ReceiverCredits::Arrival::kAccept:
        break;
      case ReceiverCredits::Arrival::kGap:
        return DataLoss("channel {} jumped to sequence {}", header.channel, header.sequence);
      case ReceiverCredits::Arrival::kNoCredit:
        return FailedPrecondition("channel {} was sent a buffer without credit", header.channel);
    }
    buffer = std::move(reserved_.back());
    reserved_.pop_back();
    if (header.size > buffer.capacity()) {
      return FailedPrecondition(
          "channel {} was sent {} bytes, buffers here have {}: set the same "
          "taskmanager.memory.segment-size on all TaskManagers",
          header.channel, header.size, buffer.capacity());
    }
    if (!cursor.Copy(buffer.data(), header.size)) return DataLoss("an exchange message was cut");
    buffer.set_size(header.size);
    if (queue_.empty()) notify = on_data_;
    queued_bytes_ += buffer.size();
    queue_.push_back(std::move(buffer));
  }
  if (notify) notify();
  ReserveMore();
  return absl::OkStatus();
}

uint32_t RemoteInputChannel::TakeGrant() {
  MutexLock lock(&mutex_);
  return credits_.TakeGrant();
}

std::optional<ChannelLimit> RemoteInputChannel::TakeLimit() {
  MutexLock lock(&mutex_);
  if (std::exchange(limit_told_, true)) return std::nullopt;
  return limit_;
}

void RemoteInputChannel::SetLimit(const ChannelLimit& limit) {
  {
    MutexLock lock(&mutex_);
    if (closed_ || limit == limit_) return;
    limit_ = limit;
    limit_told_ = false;
  }
  on_grant_();
  ReserveMore();
}

int64_t RemoteInputChannel::QueuedBytes() const {
  MutexLock lock(&mutex_);
  const int64_t buffer_bytes = queue_.empty() ? 0 : queued_bytes_ / static_cast<int64_t>(queue_.size());
  // Of what the sender holds back only the number is known: they are taken to be as full as those that came.
  return queued_bytes_ + buffer_bytes * credits_.backlog();
}

Buffer RemoteInputChannel::Pop(bool* more) {
  MutexLock lock(&mutex_);
  *more = queue_.size() > 1;
  if (queue_.empty()) return Buffer();
  Buffer buffer = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= buffer.size();
  return buffer;
}

void RemoteInputChannel::Subscribe(std::function<void()> on_data) {
  bool has_data = false;
  {
    MutexLock lock(&mutex_);
    on_data_ = on_data;
    has_data = !queue_.empty();
  }
  if (has_data) on_data();
}

void RemoteInputChannel::Close() {
  std::vector<Buffer> reserved;
  std::deque<Buffer> queue;
  MutexLock lock(&mutex_);
  closed_ = true;
  on_data_ = nullptr;
  reserved.swap(reserved_);
  queue.swap(queue_);
  queued_bytes_ = 0;
}

}  // namespace penstock
