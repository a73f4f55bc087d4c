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
  *backlog = static_cast<int>(queue_.size());
  return buffer;
}

int Subpartition::size() const {
  MutexLock lock(&mutex_);
  return static_cast<int>(queue_.size());
}

void Subpartition::Close() {
  std::deque<Buffer> dropped;
  MutexLock lock(&mutex_);
  closed_ = true;
  on_data_ = nullptr;
  dropped.swap(queue_);
}

}  // namespace penstock
