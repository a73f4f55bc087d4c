#include "runtime/exchange/subpartition.h"

#include <utility>

namespace penstock {

void Subpartition::Subscribe(std::function<void()> on_data) {
  bool has_data = false;
  {
    MutexLock lock(&mutex_);
    on_data_ = on_data;
    has_data = !queue_.empty();
  }
  if (has_data && on_data) on_data();
}

void Subpartition::Push(Buffer buffer) {
  std::function<void()> notify;
  {
    MutexLock lock(&mutex_);
    if (closed_) return;
    // Only the change from empty to not is news: the consumer goes on by itself while there is more.
    if (queue_.empty()) notify = on_data_;
    queued_bytes_ += buffer.size();
    queue_.push_back(std::move(buffer));
  }
  if (notify) notify();
}

Buffer Subpartition::Pop(int* backlog) {
  MutexLock lock(&mutex_);
  if (queue_.empty()) {
    *backlog = 0;
    return Buffer();
  }
  Buffer buffer = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= buffer.size();
  *backlog = static_cast<int>(queue_.size());
  return buffer;
}

int Subpartition::size() const {
  MutexLock lock(&mutex_);
  return static_cast<int>(queue_.size());
}

int64_t Subpartition::queued_bytes() const {
  MutexLock lock(&mutex_);
  return queued_bytes_;
}

void Subpartition::SetLimit(const ChannelLimit& limit) {
  buffer_bytes_.store(limit.buffer_bytes, std::memory_order_relaxed);
  sender_buffers_.store(limit.sender_buffers, std::memory_order_relaxed);
}

ChannelLimit Subpartition::limit() const {
  ChannelLimit limit;
  limit.buffer_bytes = buffer_bytes_.load(std::memory_order_relaxed);
  limit.sender_buffers = sender_buffers_.load(std::memory_order_relaxed);
  return limit;
}

void Subpartition::Close() {
  std::deque<Buffer> dropped;
  MutexLock lock(&mutex_);
  closed_ = true;
  on_data_ = nullptr;
  dropped.swap(queue_);
  queued_bytes_ = 0;
}

}  // namespace penstock
