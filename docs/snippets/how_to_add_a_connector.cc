// The code of docs/how_to_add_a_connector.md: a connector to an outside system, which is a class here, and its tests.
#include <penstock/job.h>
#include <penstock/source.h>
#include <penstock/testing/connector_conformance.h>

#include <catch2/catch.hpp>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/mutex.h"

using namespace penstock;

// Stands for the client library of an outside system: an append-only log in partitions. Thread-safe.
class Log {
 public:
  explicit Log(int partitions) : partitions_(static_cast<size_t>(partitions)) {}
  int partitions() const { return static_cast<int>(partitions_.size()); }
  size_t size(int partition) const {
    MutexLock lock(&mutex_);
    return partitions_[static_cast<size_t>(partition)].size();
  }
  std::string at(int partition, size_t index) const {
    MutexLock lock(&mutex_);
    return partitions_[static_cast<size_t>(partition)][index];
  }
  void append(int partition, const std::string& text) {
    MutexLock lock(&mutex_);
    partitions_[static_cast<size_t>(partition)].push_back(text);
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::vector<std::string>> partitions_;
};

class LogReader final : public SourceReader<std::string> {
 public:
  LogReader(std::shared_ptr<Log> log, bool bounded) : log_(std::move(log)), bounded_(bounded) {}

  absl::Status Restore(const std::vector<std::string>& positions) override {
    restored_.assign(static_cast<size_t>(log_->partitions()), 0);
    for (const std::string& text : positions) {  // "<partition> <next>", of all subtasks
      size_t partition = 0, next = 0;
      const char* const end = text.data() + text.size();
      const char* at = std::from_chars(text.data(), end, partition).ptr;
      if (at != end) at = std::from_chars(at + 1, end, next).ptr;
      if (text.empty() || at != end || partition >= restored_.size()) {
        return absl::DataLossError("log source: '" + text + "' is no position");
      }
      restored_[partition] = next;
    }
    return absl::OkStatus();
  }
  absl::Status Open(Context& context, SourceOutput<std::string>& output) override {
    for (int i = context.subtask(); i < log_->partitions(); i += context.parallelism()) {
      const size_t next = restored_.empty() ? 0 : restored_[static_cast<size_t>(i)];
      parts_.push_back({i, output.AddSplit("partition " + std::to_string(i)), next, log_->size(i)});
    }
    return absl::OkStatus();
  }
  absl::StatusOr<PollResult> Poll(SourceOutput<std::string>& output) override {
    bool more = false;
    for (Part& part : parts_) {
      if (!bounded_) part.end = log_->size(part.number);
      for (int i = 0; i < kBatch && part.next < part.end; ++i) {
        output.Emit(part.split, log_->at(part.number, part.next++), kNoTimestamp);
        if (output.ShouldYield()) return PollResult::kMore;
      }
      more = more || part.next < part.end;
      if (part.next < part.end || part.finished) continue;
      output.SetCaughtUp(part.split);
      if (bounded_) output.FinishSplit(part.split), part.finished = true;
    }
    if (more) return PollResult::kMore;
    return bounded_ ? PollResult::kFinished : PollResult::kDry;
  }
  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    for (const Part& part : parts_) positions->push_back(fmt::format("{} {}", part.number, part.next));
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  static constexpr int kBatch = 100;
  struct Part {
    int number;
    SplitIndex split;
    size_t next;
    size_t end;
    bool finished = false;
  };
  const std::shared_ptr<Log> log_;
  const bool bounded_;
  std::vector<size_t> restored_;  // by partition
  std::vector<Part> parts_;       // this subtask's
};

struct LogSource {
  using Output = std::string;

  std::shared_ptr<Log> log;
  bool bounded = false;

  absl::Status Validate() const {
    return log != nullptr ? absl::OkStatus() : absl::InvalidArgumentError("log source: .log is null");
  }
  std::string Describe() const { return fmt::format("log of {} partitions", log == nullptr ? 0 : log->partitions()); }
  std::unique_ptr<SourceReader<std::string>> CreateReader() const { return std::make_unique<LogReader>(log, bounded); }
};

class LogWriter final : public SinkWriter<std::string> {
 public:
  explicit LogWriter(std::shared_ptr<Log> log) : log_(std::move(log)) {}
  absl::Status Open(Context& context) override {
    partition_ = context.subtask() % log_->partitions();
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& value, TimestampMs) override {
    waiting_.push_back(value);
    return waiting_.size() < kBatch ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() override {
    for (const std::string& value : waiting_) log_->append(partition_, value);
    waiting_.clear();
    return absl::OkStatus();
  }
  void Close() override {}

 private:
  static constexpr size_t kBatch = 100;
  const std::shared_ptr<Log> log_;
  int partition_ = 0;
  std::vector<std::string> waiting_;
};

struct LogSink {
  std::shared_ptr<Log> log;

  absl::Status Validate() const {
    return log != nullptr ? absl::OkStatus() : absl::InvalidArgumentError("log sink: .log is null");
  }
  std::string Describe() const { return "log"; }
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }
  template <std::same_as<std::string> T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const {
    return std::make_unique<LogWriter>(log);
  }
};

std::vector<std::string> Everything(const Log& log) {
  std::vector<std::string> all;
  for (int i = 0; i < log.partitions(); ++i) {
    for (size_t at = 0; at < log.size(i); ++at) all.push_back(log.at(i, at));
  }
  return all;
}

void Use(Environment& env, const std::shared_ptr<Log>& in, const std::shared_ptr<Log>& out) {
  env.source("in", LogSource{.log = in}).sink("out", LogSink{.log = out});
}

TEST_CASE("The log source conforms") {
  const auto log = std::make_shared<Log>(5);
  for (int i = 0; i < 60; ++i) log->append(i % 4, "record " + std::to_string(i));  // the last partition is empty
  int added = 60;
  const absl::Status status = testing::CheckSource<std::string>({
      .make = [&] { return LogSource{.log = log, .bounded = true}.CreateReader(); },
      .expected = Everything(*log),
      .make_endless = [&] { return LogSource{.log = log}.CreateReader(); },
      .append =
          [&] {
            const std::string text = "record " + std::to_string(added++);
            log->append(added % 5, text);
            return text;
          },
  });
  INFO(status);
  REQUIRE(status.ok());
  REQUIRE(testing::CheckSourceRefused(LogSource{}, {".log"}).ok());
}

TEST_CASE("The log sink conforms") {
  const auto log = std::make_shared<Log>(2);
  const absl::Status status = testing::CheckSink<std::string>({
      .make = [&] { return LogSink{.log = log}.CreateWriter<std::string>(); },
      .read = [&] { return Everything(*log); },
      .delivery = Delivery::at_least_once,
  });
  INFO(status);
  REQUIRE(status.ok());
  REQUIRE(testing::CheckSinkRefused<std::string>(LogSink{}, {".log"}).ok());
}

TEST_CASE("A graph is built with it") {
  Environment env;
  Use(env, std::make_shared<Log>(1), std::make_shared<Log>(1));
  REQUIRE(env.graph().errors.empty());
}
