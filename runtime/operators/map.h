// map and filter.
#ifndef PENSTOCK_RUNTIME_OPERATORS_MAP_H_
#define PENSTOCK_RUNTIME_OPERATORS_MAP_H_

#include <functional>
#include <utility>

#include "runtime/operators/unary_operator.h"

namespace penstock {

template <class In, class Out, class Fn>
class MapOperator final : public UnaryOperator<In, Out> {
 public:
  explicit MapOperator(Fn fn) : fn_(std::move(fn)) {}
  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    OpenFunction(fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    const Out result = CallUser(this->context_, [&]() -> Out { return std::invoke(fn_, value); });
    this->out_->OnRecord(result, timestamp);
  }
  void Close() override { CloseFunction(fn_); }

 private:
  Fn fn_;
};

template <class T, class Fn>
class FilterOperator final : public UnaryOperator<T, T> {
 public:
  explicit FilterOperator(Fn fn) : fn_(std::move(fn)) {}
  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    OpenFunction(fn_, this->context_);
    return absl::OkStatus();
  }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    if (CallUser(this->context_, [&] { return static_cast<bool>(std::invoke(fn_, value)); })) {
      this->out_->OnRecord(value, timestamp);
    }
  }
  void Close() override { CloseFunction(fn_); }

 private:
  Fn fn_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_MAP_H_
