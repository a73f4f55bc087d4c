// Exchange buffers of a fixed size, from one slab per worker.
//
// BufferPool owns the memory. A BufferQuota is one task's right to it: every slot (a subpartition, an input channel)
// has `exclusive` buffers of its own, reserved when the quota is made and never lent to anybody (protocols.md E1), and
// beyond these the quota's slots share at most `floating_max` buffers out of what no quota has reserved.
//
// Thread-safe: a buffer may be given back by any thread, also long after its task has ended (a transport may hold it),
// so each buffer holds its quota and each quota its pool.
#ifndef PENSTOCK_RUNTIME_RECORD_BUFFER_POOL_H_
#define PENSTOCK_RUNTIME_RECORD_BUFFER_POOL_H_

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"

namespace penstock {

class BufferQuota;

// A piece of the slab in somebody's hands. Move-only; gives itself back when destroyed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { Release(); }

  explicit operator bool() const { return data_ != nullptr; }
  char* data() { return data_; }
  const char* data() const { return data_; }
  uint32_t size() const { return size_; }
  void set_size(uint32_t size) { size_ = size; }
  uint32_t capacity() const { return capacity_; }
  uint32_t room() const { return capacity_ - size_; }
  // It is to hold no more than this.
  void Limit(uint32_t bytes) { capacity_ = std::min(capacity_, bytes); }
  void Release();  // gives the memory back now

 private:
  friend class BufferQuota;
  char* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  int slot_ = 0;
  std::shared_ptr<BufferQuota> quota_;
};

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static std::shared_ptr<BufferPool> Create(uint32_t buffer_bytes, int buffer_count) {
    return std::shared_ptr<BufferPool>(new BufferPool(buffer_bytes, buffer_count));
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // ResourceExhausted, with the numbers and the key to raise, when slots × exclusive buffers are not free to reserve.
  // `on_room` is called (from any thread, with no lock held) when a Request that was refused may succeed now.
  absl::StatusOr<std::shared_ptr<BufferQuota>> CreateQuota(int slots, int exclusive, int floating_max,
                                                           std::function<void()> on_room) ABSL_LOCKS_EXCLUDED(mutex_);

  uint32_t buffer_bytes() const { return buffer_bytes_; }
  int buffer_count() const { return buffer_count_; }
  int used() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class BufferQuota;
  BufferPool(uint32_t buffer_bytes, int buffer_count);

  const uint32_t buffer_bytes_;
  const int buffer_count_;
  const std::unique_ptr<char[]> slab_;

  mutable Mutex mutex_;  // of the pool and of all its quotas: what they count must fit together at every moment
  std::vector<char*> free_ ABSL_GUARDED_BY(mutex_);
  int reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // exclusive buffers of all quotas, in use or not
  int floating_used_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::weak_ptr<BufferQuota>> waiting_ ABSL_GUARDED_BY(mutex_);
};

class BufferQuota : public std::enable_shared_from_this<BufferQuota> {
 public:
  ~BufferQuota();
  // A buffer of size 0 charged to the slot, or an empty Buffer when the slot's own are out and no floating one is left;
  // then on_room will be called. So it is with a slot that holds held_max buffers; its own are never denied.
  Buffer Request(int slot, int held_max = INT_MAX);
  int floating_max() const { return floating_max_; }
  // Whether the newest refusal was for want of memory in the pool, not because the slot or the quota has its share.
  bool starved() const;

 private:
  friend class Buffer;
  friend class BufferPool;
  BufferQuota(std::shared_ptr<BufferPool> pool, int slots, int exclusive, int floating_max,
              std::function<void()> on_room);
  void Return(char* data, int slot);

  const std::shared_ptr<BufferPool> pool_;
  const int exclusive_;
  const int floating_max_;
  const std::function<void()> on_room_;

  std::vector<int> held_ ABSL_GUARDED_BY(pool_->mutex_);  // by slot: buffers out, exclusive ones first
  int floating_held_ ABSL_GUARDED_BY(pool_->mutex_) = 0;
  bool refused_ ABSL_GUARDED_BY(pool_->mutex_) = false;
  bool waits_for_pool_ ABSL_GUARDED_BY(pool_->mutex_) = false;  // stands in waiting_ there
  bool starved_ ABSL_GUARDED_BY(pool_->mutex_) = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_BUFFER_POOL_H_
