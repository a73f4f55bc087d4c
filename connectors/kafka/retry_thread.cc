#include "connectors/kafka/retry_thread.h"

#include <utility>

#include "runtime/core/thread_name.h"

namespace penstock::kafka {

RetryThread::RetryThread(Step step) : step_(std::move(step)), thread_([this] { Run(); }) {}

RetryThread::~RetryThread() { Stop(); }

void RetryThread::Kick() {
  MutexLock lock(&mutex_);
  kicked_ = true;
  wake_.NotifyOne();
}

void RetryThread::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void RetryThread::Run() {
  SetThreadName("kafka-meta");
  while (true) {
    const std::optional<std::chrono::milliseconds> pause = step_();
    if (!pause) return;
    MutexLock lock(&mutex_);
    while (!stopping_ && !kicked_) {
      if (!wake_.WaitFor(&mutex_, *pause)) break;
    }
    if (stopping_) return;
    kicked_ = false;
  }
}

}  // namespace penstock::kafka
