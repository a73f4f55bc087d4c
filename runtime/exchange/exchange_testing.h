// What tests of the exchange share: a task's wait and a task that reads.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_TESTING_H_
#define PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_TESTING_H_

#include <atomic>
#include <string>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/exchange/input_gate.h"
#include "runtime/record/frame.h"
#include "runtime/record/task_wait.h"

namespace penstock {

// A task's mailbox wait, as far as the exchange needs it.
class TestWait final : public TaskWait {
 public:
  bool WaitUntil(WaitKind, std::string_view, absl::FunctionRef<bool()> ready) override {
    MutexLock lock(&mutex_);
    while (true) {
      if (cancelled_) return false;
      mutex_.Unlock();
      const bool done = ready();
      mutex_.Lock();
      if (done) return true;
      ++waits_;
      while (!signal_ && !cancelled_) cond_.Wait(&mutex_);
      signal_ = false;
    }
  }
  bool cancelled() const override { return cancelled_; }
  void Wake() {
    MutexLock lock(&mutex_);
    signal_ = true;
    cond_.NotifyAll();
  }
  void Cancel() {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    cond_.NotifyAll();
  }
  int waits() const { return waits_; }

 private:
  Mutex mutex_;
  CondVar cond_;
  bool signal_ = false;
  std::atomic<bool> cancelled_{false};
  std::atomic<int> waits_{0};
};

// Reads whole elements until the end frame; "<kind>:<payload>" each.
inline std::vector<std::string> ReadAll(InputGate& gate, TestWait& wait) {
  std::vector<std::string> elements;
  std::string partial;
  while (true) {
    InputGate::Input input;
    if (!wait.WaitUntil(WaitKind::kInput, "", [&] { return gate.Next(input); })) return elements;
    FrameReader reader(input.buffer.data(), input.buffer.size());
    Frame frame;
    while (reader.Next(frame) == FrameResult::kFrame) {
      partial += frame.payload;
      if (frame.more) continue;
      if (frame.kind == FrameKind::kEnd) return elements;
      elements.push_back(std::to_string(static_cast<int>(frame.kind)) + ":" + partial);
      partial.clear();
    }
  }
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_TESTING_H_
