// discard::Sink: takes anything and keeps nothing.
#ifndef PENSTOCK_CONNECTORS_DISCARD_H_
#define PENSTOCK_CONNECTORS_DISCARD_H_

#include <memory>
#include <string>

#include "runtime/task/sink.h"

namespace penstock::discard {

struct Sink {
  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "discard"; }
  Delivery DeliveryGuarantee() const { return Delivery::none; }

  template <class T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const {
    return std::make_unique<Writer<T>>();
  }

 private:
  template <class T>
  class Writer final : public SinkWriter<T> {
   public:
    absl::Status Open(Context&) override { return absl::OkStatus(); }
    absl::Status Write(const T&, TimestampMs) override { return absl::OkStatus(); }
    absl::Status Flush() override { return absl::OkStatus(); }
    void Close() override {}
  };
};

}  // namespace penstock::discard

#endif  // PENSTOCK_CONNECTORS_DISCARD_H_
