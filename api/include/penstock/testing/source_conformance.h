// What every source must do, as a program: give it a bounded input and what is in it.
//
//   const absl::Status status = testing::CheckSource<Bytes, std::string>({
//       .make = [&] { return my::Source{...}.CreateReader(); },
//       .keep = [](const Bytes& bytes) { return bytes.str(); },
//       .expected = {"a", "b", "c"},
//   });
//   REQUIRE(status.ok());
//
// Checked: every record once at several parallelisms; order within a split; batches that end, and end early when a
// checkpoint waits; splits that finish, and the end; restores at every position (between any two records, at the
// beginning, at the end), with other parallelisms, and restores of restores; positions that are none; Close at any
// time. With make_endless also: caught up at the end of what is there, what comes later, and that it does not finish.
// The caller's thread is the task's. docs/how_to_add_a_connector.md is the guide.
#ifndef PENSTOCK_TESTING_SOURCE_CONFORMANCE_H_
#define PENSTOCK_TESTING_SOURCE_CONFORMANCE_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/testing/fake_context.h"
#include "runtime/core/status.h"

namespace penstock::testing {

inline constexpr size_t kRecordsPerPollMax = 1000;
inline constexpr int64_t kSourceStepMaxMs = 60'000;  // for anything to happen

// T: what the source emits. Kept: the same with its own bytes, ordered.
template <class T, class Kept = T>
struct SourceConformance {
  std::function<std::unique_ptr<SourceReader<T>>()> make;  // of the bounded input
  std::function<Kept(const T&)> keep = [](const T& value) { return Kept(value); };
  std::vector<Kept> expected;  // distinct values; those of one split stand in its order
  // False: what was read is gone after a failure (a socket). A restore is then only asked to begin without error.
  bool replayable = true;
  // How many positions restores are tried at, spread over the input; all when the input is not longer.
  size_t restore_points_max = 200;

  // May be empty: the same input, read on without end; and a way to add one record to it, which gives what was added.
  std::function<std::unique_ptr<SourceReader<T>>()> make_endless;
  std::function<Kept()> append;
};

// One attempt of one subtask: opened, and prepared as the task does it.
template <class T, class Kept>
class SourceAttempt {
 public:
  SourceAttempt(std::unique_ptr<SourceReader<T>> reader, const std::function<Kept(const T&)>& keep, int subtask,
                int parallelism)
      : context_(subtask, parallelism), output_(keep), reader_(std::move(reader)) {}
  ~SourceAttempt() { reader_->Close(); }
  SourceAttempt(const SourceAttempt&) = delete;
  SourceAttempt& operator=(const SourceAttempt&) = delete;

  // positions: null at a first start.
  absl::Status Start(const std::vector<std::string>* positions) {
    if (positions != nullptr) PENSTOCK_RETURN_IF_ERROR(reader_->Restore(*positions));
    PENSTOCK_RETURN_IF_ERROR(reader_->Open(context_, output_));
    const int64_t deadline = Clock::System().MonotonicMs() + kSourceStepMaxMs;
    while (true) {
      PENSTOCK_ASSIGN_OR_RETURN(const bool prepared, reader_->Prepare(output_));
      if (!output_.records.empty()) return Internal("Prepare has emitted a record");
      if (prepared) return absl::OkStatus();
      if (Clock::System().MonotonicMs() > deadline) return DeadlineExceeded("Prepare did not come to an end");
      context_.fake_waker().WaitFor(std::chrono::milliseconds(50));
    }
  }

  // Until so many records have been read in all, or its input is at its end.
  absl::Status ReadTo(size_t count) {
    const int64_t deadline = Clock::System().MonotonicMs() + kSourceStepMaxMs;
    output_.yield_at = count;
    while (!finished_ && output_.records.size() < count) {
      if (Clock::System().MonotonicMs() > deadline) {
        return DeadlineExceeded("{} records after a minute of waiting, and no end", output_.records.size());
      }
      PENSTOCK_RETURN_IF_ERROR(Poll());
    }
    return absl::OkStatus();
  }
  absl::Status ReadToEnd() { return ReadTo(SIZE_MAX); }

  absl::Status Poll() {
    const size_t before = output_.records.size();
    PENSTOCK_ASSIGN_OR_RETURN(const PollResult result, reader_->Poll(output_));
    const size_t emitted = output_.records.size() - before;
    if (emitted > kRecordsPerPollMax) {
      return Internal("Poll has emitted {} records: at most {}", emitted, kRecordsPerPollMax);
    }
    const size_t allowed = std::min(output_.yield_every > 0 ? output_.yield_every : SIZE_MAX,
                                    output_.yield_at > before ? output_.yield_at - before : 1);
    if (emitted > allowed) {
      return Internal("Poll has emitted {} records after ShouldYield said that a checkpoint waits", emitted - allowed);
    }
    dry_ = result == PollResult::kDry;
    finished_ = result == PollResult::kFinished;
    if (dry_) context_.fake_waker().WaitFor(std::chrono::milliseconds(50));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Snapshot() {
    std::vector<std::string> positions;
    PENSTOCK_RETURN_IF_ERROR(reader_->Snapshot(++checkpoint_id_, &positions));
    return positions;
  }

  // Splits are the source's own, in order, and finished once each when the input is at its end. place: where each
  // expected record stands.
  absl::Status CheckSplits(const std::map<Kept, size_t>& place) const {
    std::map<SplitIndex, size_t> last_place;
    for (const auto& record : output_.records) {
      if (record.split < 0 || record.split >= static_cast<SplitIndex>(output_.splits.size())) {
        return Internal("split {} was never added", record.split);
      }
      const auto found = place.find(record.value);
      if (found == place.end()) return Internal("a record has come that is not in the input");
      const auto [last, first] = last_place.try_emplace(record.split, found->second);
      if (!first && found->second <= last->second) {
        return Internal("record {} has come behind record {} of the same split '{}'", found->second, last->second,
                        output_.splits[static_cast<size_t>(record.split)]);
      }
      last->second = found->second;
    }
    if (!finished_) return absl::OkStatus();
    std::vector<SplitIndex> finished = output_.finished;
    std::sort(finished.begin(), finished.end());
    if (std::unique(finished.begin(), finished.end()) != finished.end()) return Internal("a split has finished twice");
    if (finished.size() != output_.splits.size()) {
      return Internal("{} of {} splits have finished at the end", finished.size(), output_.splits.size());
    }
    return absl::OkStatus();
  }

  SourceReader<T>& reader() { return *reader_; }
  FakeOutput<T, Kept>& output() { return output_; }
  bool finished() const { return finished_; }
  bool dry() const { return dry_; }

 private:
  FakeContext context_;
  FakeOutput<T, Kept> output_;
  const std::unique_ptr<SourceReader<T>> reader_;
  uint64_t checkpoint_id_ = 0;
  bool finished_ = false;
  bool dry_ = false;
};

template <class T, class Kept>
class SourceCheck {
 public:
  explicit SourceCheck(const SourceConformance<T, Kept>& source) : source_(source) {
    for (size_t i = 0; i < source.expected.size(); ++i) place_[source.expected[i]] = i;
  }

  absl::Status Run() {
    if (place_.size() != source_.expected.size()) return InvalidArgument(".expected has a value twice");
    PENSTOCK_RETURN_IF_ERROR(CheckCloses());
    for (const auto& [parallelism, yield_every] :
         {std::pair{1, size_t{0}}, {3, size_t{0}}, {1, size_t{1}}, {2, size_t{3}}}) {
      const absl::Status read = CheckWhole(parallelism, yield_every);
      if (!read.ok()) {
        return Internal("read by {} subtasks, a checkpoint every {} records: {}", parallelism, yield_every,
                        MessageOf(read));
      }
    }
    if (!source_.replayable) return CheckForgets();
    PENSTOCK_RETURN_IF_ERROR(CheckForeignPositions());
    for (const auto& [from, to] : {std::pair{1, 1}, {2, 1}, {1, 3}, {3, 2}}) {
      const absl::Status restored = CheckRestores(from, to);
      if (!restored.ok()) return Internal("restored from {} to {} subtasks: {}", from, to, MessageOf(restored));
    }
    const absl::Status again = CheckRestoresOfRestores();
    if (!again.ok()) return Internal("restored again and again: {}", MessageOf(again));
    if (!source_.make_endless) return absl::OkStatus();
    const absl::Status endless = CheckEndless();
    return endless.ok() ? endless : Internal("read without end: {}", MessageOf(endless));
  }

 private:
  using Attempt = SourceAttempt<T, Kept>;
  using Positions = std::vector<std::string>;
  using Attempts = std::vector<std::unique_ptr<Attempt>>;

  absl::StatusOr<std::unique_ptr<Attempt>> Begin(int subtask, int parallelism, const Positions* positions,
                                                 bool endless = false) {
    auto attempt = std::make_unique<Attempt>(endless ? source_.make_endless() : source_.make(), source_.keep, subtask,
                                             parallelism);
    PENSTOCK_RETURN_IF_ERROR(attempt->Start(positions));
    return attempt;
  }

  absl::StatusOr<Attempts> BeginAll(int parallelism, const Positions* positions) {
    Attempts attempts;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      PENSTOCK_ASSIGN_OR_RETURN(attempts.emplace_back(), Begin(subtask, parallelism, positions));
    }
    return attempts;
  }

  static void Keep(Attempt& attempt, std::vector<Kept>* seen) {
    for (const auto& record : attempt.output().records) seen->push_back(record.value);
  }

  // Every record once.
  absl::Status Compare(const std::vector<Kept>& seen) const {
    std::vector<int> times(source_.expected.size());
    for (const Kept& value : seen) {
      const auto found = place_.find(value);
      if (found == place_.end()) return Internal("a record has come that is not in the input");
      ++times[found->second];
    }
    for (size_t i = 0; i < times.size(); ++i) {
      if (times[i] == 0) return Internal("record {} of {} is lost", i, times.size());
      if (times[i] > 1) return Internal("record {} of {} has come {} times", i, times.size(), times[i]);
    }
    return absl::OkStatus();
  }

  absl::Status CheckWhole(int parallelism, size_t yield_every) {
    std::vector<Kept> seen;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      Attempt attempt(source_.make(), source_.keep, subtask, parallelism);
      attempt.output().yield_every = yield_every;
      PENSTOCK_RETURN_IF_ERROR(attempt.Start(nullptr));
      PENSTOCK_RETURN_IF_ERROR(attempt.ReadToEnd());
      PENSTOCK_RETURN_IF_ERROR(attempt.CheckSplits(place_));
      if (absl::Status last = attempt.Snapshot().status(); !last.ok()) return last;
      Keep(attempt, &seen);
    }
    return Compare(seen);
  }

  // Subtask i of the first attempt stops at another position than the others; the second attempt reads the rest.
  absl::Status CheckRestores(int from, int to) {
    const size_t all = source_.expected.size();
    const size_t step = std::max<size_t>(1, all / std::max<size_t>(1, source_.restore_points_max));
    for (size_t at = 0; at <= all + step; at += step) {
      std::vector<Kept> seen;
      Positions positions;
      for (int subtask = 0; subtask < from; ++subtask) {
        PENSTOCK_ASSIGN_OR_RETURN(const auto attempt, Begin(subtask, from, nullptr));
        // Beyond the last record: the end itself has been seen.
        const size_t count = at > all ? SIZE_MAX : (at + static_cast<size_t>(subtask) * (all / 2 + 1)) % (all + 1);
        PENSTOCK_RETURN_IF_ERROR(attempt->ReadTo(count));
        PENSTOCK_RETURN_IF_ERROR(attempt->CheckSplits(place_));
        PENSTOCK_ASSIGN_OR_RETURN(const Positions own, attempt->Snapshot());
        positions.insert(positions.end(), own.begin(), own.end());
        Keep(*attempt, &seen);
      }
      PENSTOCK_ASSIGN_OR_RETURN(const Attempts rest, BeginAll(to, &positions));
      for (const auto& attempt : rest) {
        PENSTOCK_RETURN_IF_ERROR(attempt->ReadToEnd());
        PENSTOCK_RETURN_IF_ERROR(attempt->CheckSplits(place_));
        Keep(*attempt, &seen);
      }
      if (absl::Status same = Compare(seen); !same.ok()) {
        return Internal("snapshot after {} records: {}", std::min(at, all), MessageOf(same));
      }
    }
    return absl::OkStatus();
  }

  // A few records each time, and each time another parallelism.
  absl::Status CheckRestoresOfRestores() {
    const size_t step = std::max<size_t>(1, source_.expected.size() / std::max<size_t>(1, source_.restore_points_max));
    std::vector<Kept> seen;
    Positions positions;
    bool finished = false;
    for (size_t round = 0; !finished; ++round) {
      if (round > source_.expected.size() + 10) return Internal("no end after {} restores", round);
      PENSTOCK_ASSIGN_OR_RETURN(const Attempts attempts,
                                BeginAll(static_cast<int>(round % 3) + 1, round == 0 ? nullptr : &positions));
      positions.clear();
      finished = true;
      for (const auto& attempt : attempts) {
        PENSTOCK_RETURN_IF_ERROR(attempt->ReadTo(step));
        PENSTOCK_ASSIGN_OR_RETURN(const Positions own, attempt->Snapshot());
        positions.insert(positions.end(), own.begin(), own.end());
        Keep(*attempt, &seen);
        finished = finished && attempt->finished();
      }
    }
    return Compare(seen);
  }

  absl::Status CheckForeignPositions() {
    const Positions foreign = {"\x01no position of any source\xff"};
    if (Begin(0, 1, &foreign).ok()) return Internal("a position that is none was taken");
    return absl::OkStatus();
  }

  // Not replayable: a restore goes on with what comes.
  absl::Status CheckForgets() {
    PENSTOCK_ASSIGN_OR_RETURN(const auto attempt, Begin(0, 1, nullptr));
    PENSTOCK_RETURN_IF_ERROR(attempt->ReadTo(1));
    PENSTOCK_ASSIGN_OR_RETURN(const Positions positions, attempt->Snapshot());
    return Begin(0, 2, &positions).status();
  }

  absl::Status CheckCloses() {
    source_.make()->Close();
    for (const bool polled : {false, true}) {
      PENSTOCK_ASSIGN_OR_RETURN(const auto attempt, Begin(0, 1, nullptr));
      if (polled) PENSTOCK_RETURN_IF_ERROR(attempt->Poll());
      attempt->reader().Close();
      attempt->reader().Close();  // harmless
    }
    return absl::OkStatus();
  }

  static absl::Status Await(Attempt& attempt, const char* what, const std::function<bool()>& done) {
    const int64_t deadline = Clock::System().MonotonicMs() + kSourceStepMaxMs;
    while (!done()) {
      if (Clock::System().MonotonicMs() > deadline) return DeadlineExceeded("{}: not within a minute", what);
      PENSTOCK_RETURN_IF_ERROR(attempt.Poll());
      if (attempt.finished()) return Internal("{}: it has finished instead", what);
    }
    return absl::OkStatus();
  }
  static absl::Status AwaitCaughtUp(Attempt& attempt) {
    return Await(attempt, "caught up at the end of all splits", [&] {
      return attempt.dry() &&
             attempt.output().caught_up.size() + attempt.output().finished.size() == attempt.output().splits.size();
    });
  }

  absl::Status CheckEndless() {
    PENSTOCK_ASSIGN_OR_RETURN(auto attempt, Begin(0, 1, nullptr, true));
    const size_t all = source_.expected.size();
    PENSTOCK_RETURN_IF_ERROR(Await(*attempt, "what is there", [&] { return attempt->output().records.size() >= all; }));
    PENSTOCK_RETURN_IF_ERROR(AwaitCaughtUp(*attempt));
    std::vector<Kept> added;
    for (int round = 0; round < 3; ++round) {
      added.push_back(source_.append());
      PENSTOCK_RETURN_IF_ERROR(Await(*attempt, "a record that was added",
                                     [&] { return attempt->output().records.size() >= all + added.size(); }));
      if (attempt->output().records.back().value != added.back()) return Internal("another record has come twice");
    }
    PENSTOCK_RETURN_IF_ERROR(AwaitCaughtUp(*attempt));
    PENSTOCK_ASSIGN_OR_RETURN(const Positions positions, attempt->Snapshot());
    attempt.reset();
    const Kept meanwhile = source_.append();
    PENSTOCK_ASSIGN_OR_RETURN(auto later, Begin(0, 1, &positions, true));
    PENSTOCK_RETURN_IF_ERROR(
        Await(*later, "a record that was added while nobody read", [&] { return !later->output().records.empty(); }));
    PENSTOCK_RETURN_IF_ERROR(AwaitCaughtUp(*later));
    if (later->output().values() != std::vector<Kept>{meanwhile}) {
      return Internal("after a restore {} records have come instead of the one that is new",
                      later->output().records.size());
    }
    return absl::OkStatus();
  }

  const SourceConformance<T, Kept>& source_;
  std::map<Kept, size_t> place_;  // in expected
};

// OK, or what it does wrong.
template <class T, class Kept = T>
absl::Status CheckSource(const SourceConformance<T, Kept>& source) {
  return SourceCheck<T, Kept>(source).Run();
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_SOURCE_CONFORMANCE_H_
