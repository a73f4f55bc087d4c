// A writer that gathers records into batches and delivers them at least once: what the network sinks share.
#ifndef PENSTOCK_CONNECTORS_BATCHING_BATCH_WRITER_H_
#define PENSTOCK_CONNECTORS_BATCHING_BATCH_WRITER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "connectors/batching/batch_delivery.h"
#include "runtime/core/clock.h"
#include "runtime/core/status_macros.h"
#include "runtime/task/sink.h"

namespace penstock {

// Batch: default-constructible, with records() and bytes().
template <class T, class Batch>
class BatchTarget {
 public:
  virtual ~BatchTarget() = default;
  // Task's thread, before anything else. Connects nowhere: tries do.
  virtual absl::Status Open(Context& context) = 0;
  // Task's thread. View members of value are valid until it returns.
  virtual absl::Status Append(const T& value, TimestampMs timestamp, Batch& batch) = 0;
  // Task's thread: nothing more comes into the batch.
  virtual void Finish(Batch& batch) { (void)batch; }
  // On the lane's thread. Of a batch that was tried before, anything may have arrived.
  virtual TryResult Try(int lane, const Batch& batch, const StopRequest& stop) = 0;
};

template <class T, class Batch>
class BatchWriter final : public SinkWriter<T> {
 public:
  BatchWriter(std::unique_ptr<BatchTarget<T, Batch>> target, std::string what, int lanes, const Batching& batching,
              const Retrying& retrying)
      : target_(std::move(target)), what_(std::move(what)), lanes_(lanes), batching_(batching), retrying_(retrying) {}
  ~BatchWriter() override { Close(); }

  absl::Status Open(Context& context) override {
    clock_ = &context.clock();
    PENSTOCK_RETURN_IF_ERROR(target_->Open(context));
    delivery_ = std::make_unique<BatchDelivery>(context, what_, lanes_, retrying_);
    return absl::OkStatus();
  }

  absl::Status Write(const T& value, TimestampMs timestamp) override {
    if (batch_ == nullptr) {
      batch_ = std::make_shared<Batch>();
      begun_ms_ = clock_->MonotonicMs();
    }
    PENSTOCK_RETURN_IF_ERROR(target_->Append(value, timestamp, *batch_));
    const bool full =
        batch_->records() >= static_cast<size_t>(batching_.records_max) || batch_->bytes() >= batching_.bytes_max;
    return full ? Submit() : absl::OkStatus();
  }

  absl::Status Tick() override {
    PENSTOCK_RETURN_IF_ERROR(delivery_->Check());
    const bool due = batch_ != nullptr && clock_->MonotonicMs() - begun_ms_ >= batching_.linger.count();
    return due && delivery_->HasFreeLane() ? Submit() : absl::OkStatus();
  }

  absl::Status Flush() override {
    if (batch_ != nullptr) PENSTOCK_RETURN_IF_ERROR(Submit());
    return delivery_->Drain();
  }

  void Close() override {
    if (delivery_ != nullptr) delivery_->Close();
    delivery_.reset();
  }

 private:
  absl::Status Submit() {
    target_->Finish(*batch_);
    return delivery_->Submit([target = target_.get(), batch = std::shared_ptr<const Batch>(std::move(batch_))](
                                 int lane, const StopRequest& stop) { return target->Try(lane, *batch, stop); });
  }

  const std::unique_ptr<BatchTarget<T, Batch>> target_;
  const std::string what_;
  const int lanes_;
  const Batching batching_;
  const Retrying retrying_;
  const Clock* clock_ = nullptr;
  std::shared_ptr<Batch> batch_;  // being filled
  int64_t begun_ms_ = 0;
  std::unique_ptr<BatchDelivery> delivery_;  // last: its threads use the target
};

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_BATCHING_BATCH_WRITER_H_
