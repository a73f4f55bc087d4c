// map and filter.
#ifndef PENSTOCK_RUNTIME_OPERATORS_MAP_H_
#define PENSTOCK_RUNTIME_OPERATORS_MAP_H_

#include <functional>

#include "runtime/operators/plain_state.h"
#include "runtime/operators/unary_operator.h"

namespace penstock {

template <class In, class Out, class Fn>
class MapOperator final : public UnaryOperator<In, Out> {
 public:
  explicit MapOperator(const Fn& fn) : fn_(fn) {}
  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    return fn_.Open(context, this->sides_);
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    fn_.set_timestamp(timestamp);
    const Out result = CallUser(this->context_, [&]() -> Out { return std::invoke(*fn_, value); });
    this->out_->OnRecord(result, timestamp);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 private:
  PlainFunction<Fn> fn_;
};

template <class T, class Fn>
class FilterOperator final : public UnaryOperator<T, T> {
 public:
  explicit FilterOperator(const Fn& fn) : fn_(fn) {}
  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    return fn_.Open(context, this->sides_);
  }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    fn_.set_timestamp(timestamp);
    if (CallUser(this->context_, [&] { return static_cast<bool>(std::invoke(*fn_, value)); })) {
      this->out_->OnRecord(value, timestamp);
    }
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 private:
  PlainFunction<Fn> fn_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_MAP_H_
