#include "runtime/core/actor.h"

#include <future>
#include <utility>

#include "runtime/core/thread_name.h"

namespace penstock {

Actor::Actor(std::string name, const Clock& clock)
    : name_(std::move(name)), clock_(clock), thread_([this] { Run(); }) {}

Actor::~Actor() { Stop(); }

bool Actor::Post(std::function<void()> fn) {
  MutexLock lock(&mutex_);
  if (stopping_ || queue_.size() >= kActorQueueMax) return false;
  queue_.push_back(std::move(fn));
  wake_.NotifyOne();
  return true;
}

bool Actor::PostAfter(std::chrono::milliseconds delay, std::function<void()> fn) {
  const int64_t due_ns = clock_.MonotonicNs() + std::chrono::nanoseconds(delay).count();
  MutexLock lock(&mutex_);
  if (stopping_ || timers_.size() >= kActorQueueMax) return false;
  timers_.emplace(due_ns, std::move(fn));
  wake_.NotifyOne();
  return true;
}

bool Actor::Call(std::function<void()> fn) {
  std::promise<void> done;
  if (!Post([&] {
        fn();
        done.set_value();
      })) {
    return false;
  }
  done.get_future().wait();
  return true;
}

void Actor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable() && !OnOwnThread()) thread_.join();
}

void Actor::Run() {
  SetThreadName(name_);
  mutex_.Lock();
  while (true) {
    const int64_t now_ns = clock_.MonotonicNs();
    if (!timers_.empty() && timers_.begin()->first <= now_ns && !stopping_) {
      queue_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
      continue;
    }
    if (!queue_.empty()) {
      std::function<void()> fn = std::move(queue_.front());
      queue_.pop_front();
      mutex_.Unlock();
      fn();
      fn = nullptr;  // its captures die outside the lock
      mutex_.Lock();
      continue;
    }
    if (stopping_) break;
    if (timers_.empty()) {
      wake_.Wait(&mutex_);
    } else {
      wake_.WaitFor(&mutex_, std::chrono::nanoseconds(timers_.begin()->first - now_ns));
    }
  }
  mutex_.Unlock();
}

}  // namespace penstock
