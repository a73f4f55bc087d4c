// The code of docs/exactly_once.md, compiled. docs/snippets/check.py compares the two.
#include <fmt/format.h>
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>
#include <penstock/two_phase_sink.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace penstock;

// Somebody's storage.
struct Store {
  static std::shared_ptr<Store> Connect() { return std::make_shared<Store>(); }
  absl::Status Stage(const std::string&, std::vector<std::string>) { return absl::OkStatus(); }
  absl::Status PublishOnce(const std::string&) { return absl::OkStatus(); }
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

std::unique_ptr<SinkWriter<std::string>> MakeLedger() {
  return std::make_unique<TwoPhaseWriter<std::string>>(std::make_unique<Ledger>());
}
