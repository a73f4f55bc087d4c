// process on a keyed stream: a function with ValueState members, one row of them per key.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_

#include <functional>
#include <utility>

#include "runtime/operators/keyed_operator.h"
#include "runtime/operators/unary_operator.h"

namespace penstock {

template <class In, class K, class KeyOf, class Out, class Fn>
class KeyedProcessOperator final : public KeyedOperator<UnaryOperator<In, Out>, K, Out, Fn> {
 public:
  KeyedProcessOperator(KeyOf key_of, const Fn& prototype)
      : KeyedOperator<UnaryOperator<In, Out>, K, Out, Fn>(prototype), key_of_(std::move(key_of)) {}
  void OnRecord(const In& value, TimestampMs timestamp) override {
    this->CallWithKeyOf(value, key_of_, timestamp,
                        [&] { std::invoke(*this->fn_, value, *this->keyed_context_, this->collector_); });
  }

 private:
  const KeyOf key_of_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_PROCESS_H_
