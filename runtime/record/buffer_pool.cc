#include "runtime/record/buffer_pool.h"

#include <utility>

#include "runtime/core/status.h"

namespace penstock {

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  Release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  slot_ = other.slot_;
  quota_ = std::move(other.quota_);
  return *this;
}

void Buffer::Release() {
  if (data_ == nullptr) return;
  quota_->Return(std::exchange(data_, nullptr), slot_);
  quota_.reset();
  size_ = 0;
}

BufferPool::BufferPool(uint32_t buffer_bytes, int buffer_count)
    : buffer_bytes_(buffer_bytes),
      buffer_count_(buffer_count),
      slab_(std::make_unique_for_overwrite<char[]>(static_cast<size_t>(buffer_bytes) * buffer_count)) {
  free_.reserve(buffer_count);
  // The last one first, so that low addresses are used again and again and the rest of the slab stays untouched.
  for (int i = buffer_count - 1; i >= 0; --i) free_.push_back(slab_.get() + static_cast<size_t>(i) * buffer_bytes);
}

absl::StatusOr<std::shared_ptr<BufferQuota>> BufferPool::CreateQuota(int slots, int exclusive, int floating_max,
                                                                     std::function<void()> on_room) {
  const int wanted = slots * exclusive;
  {
    MutexLock lock(&mutex_);
    const int available = buffer_count_ - reserved_ - floating_used_;
    if (wanted > available) {
      return ResourceExhausted(
          "{} network buffers of {} bytes are needed for {} channels, but only {} of {} are free: raise "
          "taskmanager.network.memory.size, or lower the parallelism",
          wanted, buffer_bytes_, slots, available, buffer_count_);
    }
    reserved_ += wanted;
  }
  return std::shared_ptr<BufferQuota>(
      new BufferQuota(shared_from_this(), slots, exclusive, floating_max, std::move(on_room)));
}

int BufferPool::used() const {
  MutexLock lock(&mutex_);
  return buffer_count_ - static_cast<int>(free_.size());
}

BufferQuota::BufferQuota(std::shared_ptr<BufferPool> pool, int slots, int exclusive, int floating_max,
                         std::function<void()> on_room)
    : pool_(std::move(pool)),
      exclusive_(exclusive),
      floating_max_(floating_max),
      on_room_(std::move(on_room)),
      held_(slots, 0) {}

BufferQuota::~BufferQuota() {
  MutexLock lock(&pool_->mutex_);
  pool_->reserved_ -= static_cast<int>(held_.size()) * exclusive_;
}

Buffer BufferQuota::Request(int slot, int held_max) {
  Buffer buffer;
  MutexLock lock(&pool_->mutex_);
  if (held_[slot] >= exclusive_) {
    const bool has_its_share = floating_held_ >= floating_max_ || held_[slot] >= held_max;
    const bool none_left = pool_->floating_used_ >= pool_->buffer_count_ - pool_->reserved_;
    if (has_its_share || none_left) {
      refused_ = true;
      starved_ = !has_its_share;
      if (starved_ && !std::exchange(waits_for_pool_, true)) pool_->waiting_.push_back(weak_from_this());
      return buffer;
    }
    ++floating_held_;
    ++pool_->floating_used_;
  }
  ++held_[slot];
  buffer.data_ = pool_->free_.back();
  pool_->free_.pop_back();
  buffer.capacity_ = pool_->buffer_bytes();
  buffer.slot_ = slot;
  buffer.quota_ = shared_from_this();
  return buffer;
}

bool BufferQuota::starved() const {
  MutexLock lock(&pool_->mutex_);
  return starved_;
}

void BufferQuota::Return(char* data, int slot) {
  std::vector<std::shared_ptr<BufferQuota>> waiting;  // outlives the lock, which the end of a quota takes
  bool notify = false;
  {
    MutexLock lock(&pool_->mutex_);
    pool_->free_.push_back(data);
    // Which buffers of a slot are the exclusive ones is only a matter of counting.
    if (held_[slot] > exclusive_) {
      --floating_held_;
      --pool_->floating_used_;
      for (const std::weak_ptr<BufferQuota>& weak : pool_->waiting_) {
        if (std::shared_ptr<BufferQuota> quota = weak.lock()) waiting.push_back(std::move(quota));
      }
      pool_->waiting_.clear();
      for (const std::shared_ptr<BufferQuota>& quota : waiting) quota->waits_for_pool_ = false;
    }
    --held_[slot];
    notify = std::exchange(refused_, false);
  }
  for (const std::shared_ptr<BufferQuota>& quota : waiting) quota->on_room_();
  if (notify) on_room_();
}

}  // namespace penstock
