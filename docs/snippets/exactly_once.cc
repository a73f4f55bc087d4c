// The code of docs/exactly_once.md, compiled and tested. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>
#include <penstock/testing/connector_conformance.h>
#include <penstock/two_phase_sink.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/mutex.h"

using namespace penstock;

// Somebody's storage. Thread-safe: what is prepared is committed on a thread of its own.
class Store {
 public:
  static std::shared_ptr<Store> Connect() {
    static const auto store = std::make_shared<Store>();
    return store;
  }
  absl::Status Stage(const std::string& name, std::vector<std::string> entries) {
    MutexLock lock(&mutex_);
    staged_[name] = std::move(entries);
    return absl::OkStatus();
  }
  absl::Status PublishOnce(const std::string& name) {
    MutexLock lock(&mutex_);
    const auto found = staged_.find(name);
    if (found == staged_.end()) return absl::DataLossError(name + " was never staged");
    published_.insert(published_.end(), found->second.begin(), found->second.end());
    found->second.clear();  // it stays known: a second call has nothing to do
    return absl::OkStatus();
  }
  std::vector<std::string> Published() {
    MutexLock lock(&mutex_);
    return published_;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::vector<std::string>> staged_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> published_ ABSL_GUARDED_BY(mutex_);
};

void KafkaExactlyOnce(DataStream<std::string>& lines, const Args& args) {
  lines.sink("lines", kafka::Sink{.brokers = args["brokers"], .topic = "results", .delivery = Delivery::exactly_once});
}

class Ledger final : public TwoPhaseSink<std::string> {
 public:
  absl::Status Open(Context& context, const AttemptOrigin& origin, const std::string& sink_uid) override {
    prefix_ = fmt::format("{}/{}-{}", sink_uid, origin.generation, context.subtask());  // no other attempt's
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& entry, TimestampMs) override {
    entries_.push_back(entry);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Committable>> Prepare(uint64_t checkpoint_id) override {
    const std::string name = fmt::format("{}-{}", prefix_, checkpoint_id);
    if (absl::Status stored = store_->Stage(name, std::exchange(entries_, {})); !stored.ok()) return stored;
    return std::vector<Committable>{name};
  }
  absl::Status Commit(const Committable& name) override { return store_->PublishOnce(name); }
  void Close() override {}

 private:
  std::shared_ptr<Store> store_ = Store::Connect();
  std::string prefix_;
  std::vector<std::string> entries_;
};

TEST_CASE("The ledger writes exactly once") {
  const absl::Status status = testing::CheckSink<std::string>({
      .make = [] { return std::make_unique<TwoPhaseWriter<std::string>>(std::make_unique<Ledger>()); },
      .read = [] { return Store::Connect()->Published(); },
      .delivery = Delivery::exactly_once,
  });
  INFO(status);
  REQUIRE(status.ok());
}
