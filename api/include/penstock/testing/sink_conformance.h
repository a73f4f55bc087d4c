// What every sink must do, as a program: give it a way to make writers, and a way to see what readers see.
//
//   const absl::Status status = testing::CheckSink<std::string>({
//       .make = [&] { return sink.CreateWriter<std::string>(); },
//       .read = [&] { return LinesIn(directory); },
//       .delivery = Delivery::exactly_once,
//   });
//   REQUIRE(status.ok());
//
// Checked: what is flushed can be read; views are not kept; Close at any time; writers that add to what is there. A job
// of one source that counts, and this sink, dies between any two steps (before a snapshot, behind it, behind the
// decision, behind the commit), at random too, goes on from its last checkpoint with another parallelism, and nothing
// is lost; with exactly_once nothing is there twice, and nothing is seen before it is decided. With stall: a writer
// whose records nobody takes makes its task wait, and ends that wait when it is cancelled. The caller's thread is the
// tasks'. docs/how_to_add_a_connector.md is the guide.
#ifndef PENSTOCK_TESTING_SINK_CONFORMANCE_H_
#define PENSTOCK_TESTING_SINK_CONFORMANCE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/testing/fake_context.h"
#include "penstock/testing/sink_job.h"
#include "runtime/core/status.h"

namespace penstock::testing {

// T: what is written; it owns its bytes.
template <class T = std::string>
struct SinkConformance {
  std::function<std::unique_ptr<SinkWriter<T>>()> make;
  std::function<std::vector<std::string>()> read;  // what readers see now, in any order
  Delivery delivery = Delivery::at_least_once;
  // Record i, and what readers see of it; other numbers give others.
  std::function<T(int)> record = [](int i) -> T { return T("record " + std::to_string(i)); };
  std::function<std::string(int)> shown = [](int i) { return "record " + std::to_string(i); };

  // Writing a record again leaves it there once (a row by its primary key): then nothing may be there twice either.
  bool idempotent = false;
  int seeds = 20;  // random lives of a job
  uint64_t first_seed = 1;
  // Called before `read` when a job is over: returns when everything that was committed can be read. May be empty.
  std::function<void()> before_read;
  // May be empty: true: nothing of what is written is taken any more; false: all is again. And how many records a
  // writer may accept meanwhile before it waits.
  std::function<void(bool)> stall;
  int stalled_records_max = 100'000;
};

template <class T>
class SinkCheck {
 public:
  explicit SinkCheck(const SinkConformance<T>& sink) : sink_(sink) {}

  absl::Status Run() {
    PENSTOCK_RETURN_IF_ERROR(Named("closing", CheckCloses()));
    PENSTOCK_RETURN_IF_ERROR(Named("writing", CheckWrites()));
    for (const DiesAt at :
         {DiesAt::kWritten, DiesAt::kPrepared, DiesAt::kDecided, DiesAt::kNotified, DiesAt::kCommitted}) {
      for (const auto& [from, to] : {std::pair{1, 1}, {2, 1}, {1, 3}}) {
        const absl::Status survived = CheckDeath(at, from, to);
        if (!survived.ok()) {
          return Internal("dead {}, and {} subtasks began again as {}: {}", NameOf(at), from, to, MessageOf(survived));
        }
      }
    }
    PENSTOCK_RETURN_IF_ERROR(Named("a checkpoint that is given up", CheckGivenUp()));
    for (int i = 0; i < sink_.seeds; ++i) {
      const uint64_t seed = sink_.first_seed + static_cast<uint64_t>(i);
      const absl::Status survived = CheckRandomLife(seed);
      if (!survived.ok()) return Internal("a random life, seed {}: {}", seed, MessageOf(survived));
    }
    if (!sink_.stall) return absl::OkStatus();
    PENSTOCK_RETURN_IF_ERROR(Named("back-pressure", CheckStall()));
    return Named("cancelled while it waits", CheckCancelledWait());
  }

 private:
  enum class DiesAt { kWritten, kPrepared, kDecided, kNotified, kCommitted };
  static const char* NameOf(DiesAt at) {
    switch (at) {
      case DiesAt::kWritten:
        return "before the snapshot";
      case DiesAt::kPrepared:
        return "behind the snapshot, before the decision";
      case DiesAt::kDecided:
        return "behind the decision, before its notice";
      case DiesAt::kNotified:
        return "behind the notice, within the commit";
      case DiesAt::kCommitted:
        return "behind the commit";
    }
    return "?";
  }
  static absl::Status Named(const char* what, const absl::Status& status) {
    return status.ok() ? status : Internal("{}: {}", what, MessageOf(status));
  }

  bool once() const { return sink_.delivery == Delivery::exactly_once || sink_.idempotent; }

  SinkJob<T> NewJob() { return SinkJob<T>(sink_.make, sink_.record, written_); }

  // Of all records that any job here has written: those up to `count` are there, and no others. `exact`: nothing twice.
  absl::Status Audit(int count, bool at_end = true) {
    if (at_end && sink_.before_read) sink_.before_read();
    std::map<std::string, int> times;
    for (const std::string& each : sink_.read()) ++times[each];
    size_t known = 0;
    for (int i = 0; i < count; ++i) {
      const auto found = times.find(sink_.shown(i));
      if (found == times.end()) {
        if (at_end) return Internal("record {} of {} is lost", i, count);
        continue;
      }
      ++known;
      if (once() && found->second > 1) return Internal("record {} of {} is there {} times", i, count, found->second);
    }
    // An at-least-once sink shows what its job has written for a checkpoint that never came to be.
    if (sink_.delivery == Delivery::exactly_once && known != times.size()) {
      return Internal("something is there that was not decided: {} records seen, of {} that may be", times.size(),
                      known);
    }
    return absl::OkStatus();
  }

  absl::Status Finish(SinkJob<T>& job) {
    PENSTOCK_RETURN_IF_ERROR(job.Write(7));
    PENSTOCK_RETURN_IF_ERROR(job.Take());
    job.Stop();
    written_ = job.next();
    return Audit(written_);
  }

  absl::Status CheckCloses() {
    sink_.make()->Close();  // never opened
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(2));
    job.Stop();  // closes twice
    return absl::OkStatus();
  }

  absl::Status CheckWrites() {
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(2));
    PENSTOCK_RETURN_IF_ERROR(job.Take());  // of nothing
    for (const int count : {2000, 1, 30}) {
      PENSTOCK_RETURN_IF_ERROR(job.Write(count));
      PENSTOCK_RETURN_IF_ERROR(job.Take());
      PENSTOCK_RETURN_IF_ERROR(Audit(job.next()));
    }
    return Finish(job);
  }

  absl::Status CheckDeath(DiesAt at, int from, int to) {
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(from));
    PENSTOCK_RETURN_IF_ERROR(job.Write(10));
    PENSTOCK_RETURN_IF_ERROR(job.Take());
    PENSTOCK_RETURN_IF_ERROR(job.Write(10));
    if (at != DiesAt::kWritten) {
      PENSTOCK_RETURN_IF_ERROR(job.Prepare());
      if (at != DiesAt::kPrepared) job.Decide(at != DiesAt::kDecided);
      if (at == DiesAt::kCommitted) PENSTOCK_RETURN_IF_ERROR(job.AwaitCommit());
    }
    job.Die();
    PENSTOCK_RETURN_IF_ERROR(job.Start(to));
    return Finish(job);
  }

  absl::Status CheckGivenUp() {
    for (const bool told : {true, false}) {
      SinkJob<T> job = NewJob();
      PENSTOCK_RETURN_IF_ERROR(job.Start(2));
      PENSTOCK_RETURN_IF_ERROR(job.Write(10));
      PENSTOCK_RETURN_IF_ERROR(job.Prepare());
      job.GiveUp(told);
      PENSTOCK_RETURN_IF_ERROR(job.Write(10));
      PENSTOCK_RETURN_IF_ERROR(job.Take());
      PENSTOCK_RETURN_IF_ERROR(Finish(job));
    }
    return absl::OkStatus();
  }

  absl::Status CheckRandomLife(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto draw = [&](int below) { return static_cast<int>(random() % static_cast<uint64_t>(below)); };
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(1 + draw(3)));
    for (int step = 0; step < 40; ++step) {
      const int kind = draw(10);
      if (kind < 4) {
        PENSTOCK_RETURN_IF_ERROR(job.Write(draw(20)));
      } else if (kind < 7) {
        if (!job.prepared()) {
          PENSTOCK_RETURN_IF_ERROR(job.Prepare());
        } else if (draw(4) == 0) {
          job.GiveUp(draw(2) == 0);
        } else {
          job.Decide(draw(3) != 0);
        }
      } else if (kind == 7) {
        PENSTOCK_RETURN_IF_ERROR(job.Advance());
      } else if (kind == 8 && !job.prepared()) {
        PENSTOCK_RETURN_IF_ERROR(job.Take());
        PENSTOCK_RETURN_IF_ERROR(Audit(job.decided(), false));
      } else if (kind == 9) {
        draw(2) == 0 ? job.Die() : job.Stop();
        PENSTOCK_RETURN_IF_ERROR(job.Start(1 + draw(3)));
      }
    }
    if (job.prepared()) job.Decide(true);
    return Finish(job);
  }

  absl::Status CheckStall() {
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(1));
    sink_.stall(true);
    bool waited = false;
    job.context(0).on_wait = [&] {
      if (!std::exchange(waited, true)) sink_.stall(false);
      return true;
    };
    int accepted = 0;
    while (!waited && accepted < sink_.stalled_records_max) {
      PENSTOCK_RETURN_IF_ERROR(job.Write(1));
      ++accepted;
    }
    if (!waited) {
      sink_.stall(false);
      return Internal("{} records were accepted that nobody took", accepted);
    }
    return Finish(job);
  }

  absl::Status CheckCancelledWait() {
    SinkJob<T> job = NewJob();
    PENSTOCK_RETURN_IF_ERROR(job.Start(1));
    sink_.stall(true);
    job.context(0).on_wait = [] { return false; };
    absl::Status status;
    for (int i = 0; status.ok() && i < sink_.stalled_records_max; ++i) status = job.Write(1);
    const int64_t start = Clock::System().MonotonicMs();
    job.Stop();
    const int64_t took_ms = Clock::System().MonotonicMs() - start;
    sink_.stall(false);
    if (status.ok()) return Internal("writing goes on after the wait was ended");
    if (took_ms > kCloseMaxMs) return Internal("Close took {} ms", took_ms);
    PENSTOCK_RETURN_IF_ERROR(job.Start(1));  // the records come again
    return Finish(job);
  }

  static constexpr int64_t kCloseMaxMs = 10'000;

  const SinkConformance<T>& sink_;
  int written_ = 0;  // by the jobs that are over
};

// OK, or what it does wrong.
template <class T = std::string>
absl::Status CheckSink(const SinkConformance<T>& sink) {
  return SinkCheck<T>(sink).Run();
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_SINK_CONFORMANCE_H_
