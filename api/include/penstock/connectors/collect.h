// collect::Sink: keeps what reaches it, for tests that run a job in their own process.
//   collect::Results<int> results;
//   stream.sink("out", collect::Sink<int>{results});
//   ... run ...;  REQUIRE(results.values() == ...);
#ifndef PENSTOCK_CONNECTORS_COLLECT_H_
#define PENSTOCK_CONNECTORS_COLLECT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"

namespace penstock::collect {

// A handle on shared results: copies refer to the same ones. Thread-safe. Unbounded: it holds all there is.
template <class T>
class Results {
 public:
  Results() : shared_(std::make_shared<Shared>()) {}

  std::vector<T> values() const {
    MutexLock lock(&shared_->mutex);
    return shared_->values;
  }
  size_t size() const {
    MutexLock lock(&shared_->mutex);
    return shared_->values.size();
  }
  void clear() {
    MutexLock lock(&shared_->mutex);
    shared_->values.clear();
  }
  void Add(T value) const {
    MutexLock lock(&shared_->mutex);
    shared_->values.push_back(std::move(value));
  }

 private:
  struct Shared {
    mutable Mutex mutex;
    std::vector<T> values ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<Shared> shared_;
};

// Keeps T; Bytes may be collected as std::string.
template <class T>
struct Sink {
  static_assert(!std::is_same_v<T, Bytes>, "Bytes is a view: use collect::Sink<std::string>");

  Results<T> results;

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "collect"; }
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }

  template <class U>
  requires std::is_same_v<U, T> ||
      (std::is_same_v<U, Bytes>&& std::is_same_v<T, std::string>)std::unique_ptr<SinkWriter<U>> CreateWriter() const {
    return std::make_unique<Writer<U>>(results);
  }

 private:
  template <class U>
  class Writer final : public SinkWriter<U> {
   public:
    explicit Writer(Results<T> results) : results_(std::move(results)) {}
    absl::Status Open(Context&) override { return absl::OkStatus(); }
    absl::Status Write(const U& value, TimestampMs) override {
      if constexpr (std::is_same_v<U, Bytes> && !std::is_same_v<U, T>) {
        results_.Add(value.str());
      } else {
        results_.Add(value);
      }
      return absl::OkStatus();
    }
    absl::Status Flush() override { return absl::OkStatus(); }
    void Close() override {}

   private:
    const Results<T> results_;
  };
};

}  // namespace penstock::collect

#endif  // PENSTOCK_CONNECTORS_COLLECT_H_
