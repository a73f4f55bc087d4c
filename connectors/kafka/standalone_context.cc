#include "connectors/kafka/standalone_context.h"

#include <utility>

#include "runtime/core/clock.h"
#include "runtime/core/log.h"
#include "runtime/core/mutex.h"

namespace penstock::kafka {
namespace {

constexpr std::chrono::milliseconds kWaitRound{100};

}  // namespace

class StandaloneContext::Bell final : public Waker {
 public:
  void Wake() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    rung_ = true;
    cond_.NotifyAll();
  }
  void Wait(std::chrono::milliseconds at_most) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!rung_) cond_.WaitFor(&mutex_, at_most);
    rung_ = false;
  }

 private:
  Mutex mutex_;
  CondVar cond_;
  bool rung_ ABSL_GUARDED_BY(mutex_) = false;
};

StandaloneContext::StandaloneContext(std::string name) : name_(std::move(name)), bell_(std::make_shared<Bell>()) {}
StandaloneContext::~StandaloneContext() = default;

void StandaloneContext::Sleep(std::chrono::milliseconds at_most) { bell_->Wait(at_most); }

void StandaloneContext::Stop() {
  stopped_ = true;
  bell_->Wake();
}

const Clock& StandaloneContext::clock() const { return Clock::System(); }
void StandaloneContext::log_info(std::string_view line) { PENSTOCK_LOG(info, "{}", line); }
void StandaloneContext::log_warn(std::string_view line) { PENSTOCK_LOG(warn, "{}", line); }
std::shared_ptr<Waker> StandaloneContext::waker() { return bell_; }

bool StandaloneContext::WaitUntil(std::string_view, const std::function<bool()>& ready) {
  while (!ready()) {
    if (stopped_ || (stop_check_ && stop_check_())) return false;
    bell_->Wait(kWaitRound);
  }
  return true;
}

}  // namespace penstock::kafka
