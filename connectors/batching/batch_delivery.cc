#include "connectors/batching/batch_delivery.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/core/clock.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int64_t kLookMs = 50;  // how often a waiting lane looks at the clock

// Client libraries write to sockets that may be broken: this thread wants to know by EPIPE.
void BlockBrokenPipe() {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
}

}  // namespace

void StopRequest::Request() {
  MutexLock lock(&mutex_);
  requested_ = true;
  stopped_.NotifyAll();
}

bool StopRequest::WaitMs(const Clock& clock, int64_t ms) const {
  const int64_t deadline = clock.MonotonicMs() + ms;
  MutexLock lock(&mutex_);
  while (!requested()) {
    const int64_t left = deadline - clock.MonotonicMs();
    if (left <= 0) return true;
    stopped_.WaitFor(&mutex_, std::chrono::milliseconds(std::min(left, kLookMs)));
  }
  return false;
}

BatchDelivery::BatchDelivery(Context& context, std::string what, int lanes, const Retrying& retrying)
    : context_(context), what_(std::move(what)), retrying_(retrying), clock_(context.clock()) {
  for (int i = 0; i < lanes; ++i) {
    lanes_.push_back({.committer = std::make_unique<Committer>(clock_, context.waker())});
  }
  const auto gauge = [&](const char* name, std::atomic<int64_t> Counts::*count) {
    context.gauge(name, [counts = counts_, count] { return static_cast<double>((*counts.*count).load()); });
  };
  gauge("retries", &Counts::retries);
  gauge("recordsSkipped", &Counts::skipped);
  gauge("batchesInFlight", &Counts::in_flight);
}

absl::Status BatchDelivery::Check() {
  TakeOutcomes();
  return failure_;
}

bool BatchDelivery::HasFreeLane() {
  TakeOutcomes();
  return FreeLane() >= 0;
}

absl::Status BatchDelivery::Submit(Try attempt) {
  PENSTOCK_RETURN_IF_ERROR(WaitUntil("a batch to be delivered", [this] { return FreeLane() >= 0; }));
  const int number = FreeLane();
  Lane& lane = lanes_[static_cast<size_t>(number)];
  lane.busy = true;
  ++counts_->in_flight;
  lane.committer->Start([this, number, attempt = std::move(attempt)] { return Run(number, attempt); });
  return absl::OkStatus();
}

absl::Status BatchDelivery::Drain() {
  return WaitUntil("all batches to be delivered", [this] {
    return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy; });
  });
}

void BatchDelivery::Close() {
  stop_.Request();
  for (Lane& lane : lanes_) lane.committer->Stop();
}

void BatchDelivery::TakeOutcomes() {
  std::string note;
  for (Lane& lane : lanes_) {
    if (!lane.busy) continue;
    const std::optional<absl::Status> outcome = lane.committer->Take();
    if (outcome) {
      lane.busy = false;
      --counts_->in_flight;
      if (failure_.ok()) failure_ = *outcome;
    } else if (note.empty()) {
      note = lane.committer->note();
    }
  }
  if (note != note_) context_.set_status_note(note_ = note);
}

int BatchDelivery::FreeLane() const {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (!lanes_[i].busy) return static_cast<int>(i);
  }
  return -1;
}

absl::Status BatchDelivery::Run(int lane, const Try& attempt) {
  BlockBrokenPipe();
  const int64_t begun_ms = clock_.MonotonicMs();
  int64_t backoff_ms = retrying_.first.count();
  for (int tries = 1;; ++tries) {
    const TryResult result = attempt(lane, stop_);
    counts_->skipped += result.skipped;
    if (result.status.ok()) return result.status;
    if (stop_.requested()) return Cancelled("the task is to stop");
    if (!result.retry) return MakeStatus(result.status.code(), "{}: {}", what_, MessageOf(result.status));
    const int64_t shortened_ms =
        backoff_ms - static_cast<int64_t>(RandomU64() % static_cast<uint64_t>(backoff_ms / 2 + 1));
    const int64_t wait_ms = std::max(shortened_ms, result.retry_after_ms);
    const int64_t spent_ms = clock_.MonotonicMs() - begun_ms;
    if (spent_ms + wait_ms > retrying_.give_up.count()) {
      return MakeStatus(result.status.code(), "{}: given up after {} tries in {} ms: {}", what_, tries, spent_ms,
                        MessageOf(result.status));
    }
    ++counts_->retries;
    lanes_[static_cast<size_t>(lane)].committer->SetNote(
        fmt::format("{}: {}; retrying", what_, MessageOf(result.status)));
    if (!stop_.WaitMs(clock_, wait_ms)) return Cancelled("the task is to stop");
    backoff_ms = std::min<int64_t>(backoff_ms * 2, retrying_.longest.count());
  }
}

absl::Status BatchDelivery::WaitUntil(const char* why, const std::function<bool()>& ready) {
  const bool go_on = context_.WaitUntil(why, [&] {
    TakeOutcomes();
    return !failure_.ok() || ready();
  });
  if (!failure_.ok()) return failure_;
  return go_on ? absl::OkStatus() : Cancelled("the task is to stop");
}

}  // namespace penstock
