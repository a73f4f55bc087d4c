#include "runtime/task/committer.h"

#include <algorithm>
#include <utility>

namespace penstock {

void Committer::Start(std::function<absl::Status()> call) {
  actor_.Post([this, call = std::move(call)] {
    absl::Status status = call();
    {
      MutexLock lock(&mutex_);
      outcome_ = std::move(status);
      note_.clear();
    }
    waker_->Wake();
  });
}

std::optional<absl::Status> Committer::Take() {
  MutexLock lock(&mutex_);
  return std::exchange(outcome_, std::nullopt);
}

void Committer::Interrupt() {
  stop_at_ms_ = clock_.MonotonicMs();
  actor_.Call([] {});
  stop_at_ms_ = INT64_MAX;
  (void)Take();
}

void Committer::Stop(std::function<void()> last) {
  stop_at_ms_ = std::min(stop_at_ms_.load(), clock_.MonotonicMs() + (last ? kCloseGraceMs : 0));
  if (last) actor_.Post(std::move(last));
  actor_.Stop();
}

void Committer::SetNote(std::string note) {
  {
    MutexLock lock(&mutex_);
    note_ = std::move(note);
  }
  waker_->Wake();
}

std::string Committer::note() const {
  MutexLock lock(&mutex_);
  return note_;
}

}  // namespace penstock
