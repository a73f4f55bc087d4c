// A source as fast as it goes in front of a sink that takes nothing, until the job is cancelled. With --rate the source
// is slow: to see what the job's processes weigh without the pressure.
#include <penstock/connectors/datagen.h>
#include <penstock/job.h>
#include <penstock/sink.h>

#include <cstdint>
#include <memory>
#include <string>

using namespace penstock;

namespace {

class StuckWriter final : public SinkWriter<std::string> {
 public:
  absl::Status Open(Context& context) override {
    context_ = &context;
    return absl::OkStatus();
  }
  absl::Status Write(const std::string&, TimestampMs) override {
    context_->WaitUntil("a customer who never comes", [] { return false; });
    return absl::OkStatus();
  }
  absl::Status Flush() override { return absl::OkStatus(); }
  void Close() override {}

 private:
  Context* context_ = nullptr;
};

struct StuckSink {
  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "stuck"; }
  Delivery DeliveryGuarantee() const { return Delivery::none; }
  template <class T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const {
    return std::make_unique<StuckWriter>();
  }
};

}  // namespace

PENSTOCK_JOB("system-blocked", (Environment & env, const Args& args)) {
  env.source("parcels", datagen::Source<std::string>{.generate = [](uint64_t) { return std::string(1000, 'p'); },
                                                     .rate = static_cast<double>(args.get_int("rate", 0))})
      .rebalance()
      .sink("customer", StuckSink{});
}
