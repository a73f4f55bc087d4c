// A job whose source counts and whose sink is under test, and a coordinator of a few lines that stands for the
// JobManager's. Record i is written by subtask i % parallelism. One thread.
#ifndef PENSTOCK_TESTING_SINK_JOB_H_
#define PENSTOCK_TESTING_SINK_JOB_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/testing/fake_context.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"
#include "runtime/task/sink.h"

namespace penstock::testing {

template <class T>
class SinkJob {
 public:
  // first: number of its first record.
  SinkJob(std::function<std::unique_ptr<SinkWriter<T>>()> make, std::function<T(int)> record, int first)
      : make_(std::move(make)), record_(std::move(record)), uid_("job-" + RandomHex(6)), first_(first), next_(first) {}
  ~SinkJob() { Die(); }
  SinkJob(const SinkJob&) = delete;
  SinkJob& operator=(const SinkJob&) = delete;

  // An attempt from the newest decided checkpoint.
  absl::Status Start(int parallelism) {
    Die();
    prepared_.reset();
    parent_ = newest_ ? newest_->generation : "";
    generation_ = fmt::format("{}-{}", uid_, ++generations_);  // no other attempt's, of any job
    next_ = decided();
    widest_ = std::max(widest_, parallelism);
    SinkStart start{.origin = {.checkpoints = true,
                               .cluster_id = "conformance",
                               .job_uid = uid_,
                               .generation = generation_,
                               .widest_parallelism = widest_},
                    .sink_uid = "out"};
    if (newest_) {
      start.origin.restored = {newest_->id, newest_->generation, newest_->parent, "conformance", uid_, false};
      start.parts = newest_->parts;
    }
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      contexts_.push_back(std::make_unique<FakeContext>(subtask, parallelism));
      writers_.push_back(make_());
      if (SinkTransactions* const transactions = writers_.back()->transactions()) transactions->Begin(start);
      PENSTOCK_RETURN_IF_ERROR(writers_.back()->Open(*contexts_.back()));
    }
    return newest_ ? absl::OkStatus() : Take();  // the first checkpoint is taken before any record
  }

  absl::Status Write(int count) {
    for (const int end = next_ + count; next_ < end; ++next_) {
      T passing = record_(next_);
      const auto writer = static_cast<size_t>(next_) % writers_.size();
      PENSTOCK_RETURN_IF_ERROR(writers_[writer]->Write(passing, 1'700'000'000'000 + next_));
      // Views are over when Write returns.
      if constexpr (std::is_same_v<T, std::string>) passing.assign(passing.size(), '#');
    }
    return absl::OkStatus();
  }

  // Barriers, handed in by all: what a decision would be taken on.
  absl::Status Prepare() {
    Checkpoint checkpoint{.id = next_id_++, .generation = generation_, .parent = parent_, .position = next_};
    for (const auto& writer : writers_) {
      SinkTransactions* const transactions = writer->transactions();
      if (transactions == nullptr) {
        PENSTOCK_RETURN_IF_ERROR(writer->Flush());
        continue;
      }
      PENSTOCK_ASSIGN_OR_RETURN(checkpoint.parts.emplace_back(),
                                transactions->Prepare({.id = checkpoint.id, .last_decided = last_decided_}));
    }
    prepared_ = std::move(checkpoint);
    return absl::OkStatus();
  }
  // Of what is prepared. notify: the sink is told; else it learns it by the next barrier.
  void Decide(bool notify) {
    newest_ = std::exchange(prepared_, std::nullopt);
    last_decided_ = newest_->id;
    for (const auto& writer : writers_) {
      if (notify && writer->transactions() != nullptr) writer->transactions()->OnDecided(newest_->id);
    }
  }
  void GiveUp(bool notify) {
    for (const auto& writer : writers_) {
      if (notify && writer->transactions() != nullptr) writer->transactions()->OnAborted(prepared_->id);
    }
    prepared_.reset();
  }
  absl::Status Advance() {
    for (const auto& writer : writers_) {
      if (writer->transactions() != nullptr) PENSTOCK_RETURN_IF_ERROR(writer->transactions()->Advance());
    }
    return absl::OkStatus();
  }
  absl::Status AwaitCommit() {
    for (size_t i = 0; i < writers_.size(); ++i) {
      SinkTransactions* const transactions = writers_[i]->transactions();
      if (transactions == nullptr) continue;
      absl::Status status;
      const bool committed = contexts_[i]->WaitUntil("commit", [&] {
        status = transactions->Advance();
        return !status.ok() || !transactions->OldestUncommitted();
      });
      PENSTOCK_RETURN_IF_ERROR(status);
      if (!committed) return DeadlineExceeded("a decided checkpoint was not committed");
    }
    return absl::OkStatus();
  }
  // A whole checkpoint.
  absl::Status Take() {
    PENSTOCK_RETURN_IF_ERROR(Prepare());
    Decide(true);
    return AwaitCommit();
  }

  // The writers go without a word.
  void Die() {
    writers_.clear();
    contexts_.clear();
  }
  // As a cancel.
  void Stop() {
    for (const auto& writer : writers_) {
      writer->Close();
      writer->Close();  // harmless
    }
    Die();
  }

  FakeContext& context(int subtask) { return *contexts_[static_cast<size_t>(subtask)]; }
  bool prepared() const { return prepared_.has_value(); }
  int next() const { return next_; }                                    // record to be written
  int decided() const { return newest_ ? newest_->position : first_; }  // records before it are in a checkpoint

 private:
  struct Checkpoint {
    uint64_t id = 0;
    std::string generation;
    std::string parent;
    int position = 0;
    std::vector<SinkPart> parts;
  };

  const std::function<std::unique_ptr<SinkWriter<T>>()> make_;
  const std::function<T(int)> record_;
  const std::string uid_;
  const int first_;
  int next_;
  std::string generation_;
  std::string parent_;
  int generations_ = 0;
  int widest_ = 0;
  uint64_t next_id_ = 0;
  std::optional<uint64_t> last_decided_;
  std::optional<Checkpoint> prepared_;
  std::optional<Checkpoint> newest_;
  std::vector<std::unique_ptr<FakeContext>> contexts_;
  std::vector<std::unique_ptr<SinkWriter<T>>> writers_;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_SINK_JOB_H_
