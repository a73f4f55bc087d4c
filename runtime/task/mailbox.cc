#include "runtime/task/mailbox.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock {

bool Mailbox::PostAnytime(std::function<void()> mail) {
  {
    MutexLock lock(&mutex_);
    if (anytime_.size() >= kMailboxMax) return false;
    anytime_.push_back(std::move(mail));
    has_anytime_ = true;
  }
  Wake();
  return true;
}

bool Mailbox::PostBetweenRecords(std::function<void()> mail) {
  {
    MutexLock lock(&mutex_);
    if (between_records_.size() >= kMailboxMax) return false;
    between_records_.push_back(std::move(mail));
    has_between_records_ = true;
  }
  Wake();
  return true;
}

void Mailbox::Wake() {
  nudged_.store(true, std::memory_order_release);
  // A signal that is set already will be seen before the next sleep.
  if (signalled_.exchange(true)) return;
  MutexLock lock(&mutex_);
  wake_.NotifyAll();
}

void Mailbox::Cancel() {
  cancelled_ = true;
  Wake();
}

void Mailbox::RunBetweenRecords() {
  if (has_anytime_.load(std::memory_order_relaxed)) RunAnytime();
  if (!has_between_records_.load(std::memory_order_relaxed)) return;
  std::deque<std::function<void()>> mails;
  {
    MutexLock lock(&mutex_);
    mails.swap(between_records_);
    has_between_records_ = false;
  }
  for (std::function<void()>& mail : mails) mail();
}

void Mailbox::RunAnytime() {
  std::deque<std::function<void()>> mails;
  {
    MutexLock lock(&mutex_);
    mails.swap(anytime_);
    has_anytime_ = false;
  }
  for (std::function<void()>& mail : mails) mail();
}

bool Mailbox::WaitUntilDeadline(WaitKind kind, std::string_view why, absl::FunctionRef<bool()> ready,
                                int64_t deadline_ns) {
  if (cancelled()) return false;
  if (ready()) return true;
  {
    MutexLock lock(&mutex_);
    waiting_for_.assign(why);
  }
  const int64_t began_ns = clock_.MonotonicNs();
  wait_kind_ = static_cast<int>(kind);
  wait_began_ns_ = began_ns;
  bool in_time = true;
  while (true) {
    signalled_ = false;  // before looking: what happens from here on sets it again
    RunAnytime();
    if (cancelled() || ready() || !in_time) break;
    // Only a task that waits for input is between records.
    if (kind == WaitKind::kInput && has_between_records_) break;
    in_time = Sleep(deadline_ns);
  }
  wait_began_ns_ = 0;
  std::atomic<int64_t>& total = kind == WaitKind::kInput ? idle_ns_ : backpressured_ns_;
  const int64_t ended_ns = clock_.MonotonicNs();
  total += ended_ns - began_ns;
  if (kind == WaitKind::kOutput) NoteWait(why, began_ns, ended_ns);
  MutexLock lock(&mutex_);
  waiting_for_.clear();
  return !cancelled();
}

void Mailbox::NoteWait(std::string_view why, int64_t began_ns, int64_t ended_ns) {
  last_wait_why_.assign(why);
  last_wait_began_ns_ = began_ns;
  last_wait_ended_ns_ = ended_ns;
  const int64_t took_ns = ended_ns - std::max(began_ns, watch_began_ns_);
  if (took_ns <= longest_wait_.took_ns) return;
  longest_wait_.why.assign(why);
  longest_wait_.took_ns = took_ns;
}

Mailbox::OutputWait Mailbox::LastWaitSince(int64_t since_ns) const {
  return {last_wait_why_, std::max<int64_t>(0, last_wait_ended_ns_ - std::max(last_wait_began_ns_, since_ns))};
}

bool Mailbox::Sleep(int64_t deadline_ns) {
  MutexLock lock(&mutex_);
  while (!signalled_) {
    if (deadline_ns == kNoDeadline) {
      wake_.Wait(&mutex_);
      continue;
    }
    const int64_t left_ns = deadline_ns - clock_.MonotonicNs();
    if (left_ns <= 0) return false;
    wake_.WaitFor(&mutex_, std::chrono::nanoseconds(left_ns));
  }
  return true;
}

Mailbox::Times Mailbox::ReadTimes() const {
  int64_t idle_ns = idle_ns_;
  int64_t backpressured_ns = backpressured_ns_;
  const int64_t now_ns = clock_.MonotonicNs();
  if (const int64_t began_ns = wait_began_ns_; began_ns != 0) {
    (wait_kind_ == static_cast<int>(WaitKind::kInput) ? idle_ns : backpressured_ns) += now_ns - began_ns;
  }
  Times times;
  times.idle_ms = idle_ns / 1'000'000;
  times.backpressured_ms = backpressured_ns / 1'000'000;
  times.busy_ms = std::max<int64_t>(0, (now_ns - started_ns_ - idle_ns - backpressured_ns) / 1'000'000);
  return times;
}

std::string Mailbox::WaitingFor() const {
  MutexLock lock(&mutex_);
  return waiting_for_;
}

}  // namespace penstock
