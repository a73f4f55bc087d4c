// process on two connected streams of which the first, or both, are keyed.
//
// Both keyed: process1(const A&, KeyedContext<K>&, Collector<Out>&) and process2(const B&, ...) share the key's states
// and timers. The second one broadcast: process(const A&, KeyedContext<K>&, Collector<Out>&) has the key's states and
// reads broadcast state; process_broadcast(const B&, KeyedBroadcastContext<K>&, Collector<Out>&) has no key at hand,
// writes broadcast state, and reaches the states of all keys by context.for_each_key.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_CO_PROCESS_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_CO_PROCESS_H_

#include <functional>
#include <optional>
#include <utility>

#include "runtime/operators/binary_operator.h"
#include "runtime/operators/broadcast_state.h"
#include "runtime/operators/co_process.h"
#include "runtime/operators/keyed_operator.h"

namespace penstock {

// Valid during the call of process_broadcast it was given to.
template <class K>
class KeyedBroadcastContext : public BroadcastContext {
 public:
  using EachKey = std::function<void(const K&)>;
  using ForEachKey = std::function<void(const EachKey&)>;
  explicit KeyedBroadcastContext(OperatorContext* context = nullptr, ForEachKey for_each_key = nullptr)
      : BroadcastContext(context), for_each_key_(std::move(for_each_key)) {}
  // Calls fn with the function's keyed states bound to one key after the other: all keys of this subtask that have a
  // state, those whose values have just expired perhaps among them. It runs to its end before the task does anything
  // else, barriers too; with RocksDB it reads every key from disk.
  void for_each_key(const EachKey& fn) { for_each_key_(fn); }

 private:
  ForEachKey for_each_key_;
};

template <class First, class Second, class K, class KeyOfFirst, class KeyOfSecond, class Out, class Fn>
class KeyedCoProcessOperator final : public KeyedOperator<BinaryOperator<First, Second, Out>, K, Out, Fn> {
 public:
  KeyedCoProcessOperator(KeyOfFirst key_of_first, KeyOfSecond key_of_second, const Fn& prototype)
      : KeyedOperator<BinaryOperator<First, Second, Out>, K, Out, Fn>(prototype),
        key_of_first_(std::move(key_of_first)),
        key_of_second_(std::move(key_of_second)) {}
  void OnFirst(const First& value, TimestampMs timestamp) override {
    this->CallWithKeyOf(value, key_of_first_, timestamp,
                        [&] { this->fn_->process1(value, *this->keyed_context_, this->collector_); });
  }
  void OnSecond(const Second& value, TimestampMs timestamp) override {
    this->CallWithKeyOf(value, key_of_second_, timestamp,
                        [&] { this->fn_->process2(value, *this->keyed_context_, this->collector_); });
  }

 private:
  const KeyOfFirst key_of_first_;
  const KeyOfSecond key_of_second_;
};

template <class In, class Element, class K, class KeyOf, class Out, class Fn>
class KeyedBroadcastOperator final : public KeyedOperator<BinaryOperator<In, Element, Out>, K, Out, Fn> {
  using Base = KeyedOperator<BinaryOperator<In, Element, Out>, K, Out, Fn>;

 public:
  KeyedBroadcastOperator(KeyOf key_of, const Fn& prototype) : Base(prototype), key_of_(std::move(key_of)) {}

  absl::Status Open(OperatorContext& context) override {
    broadcast_context_ =
        KeyedBroadcastContext<K>(&context, [this](const std::function<void(const K&)>& fn) { this->ForEachKey(fn); });
    return Base::Open(context);
  }
  void OnFirst(const In& value, TimestampMs timestamp) override {
    this->CallWithKeyOf(value, key_of_, timestamp,
                        [&] { this->fn_->process(value, *this->keyed_context_, this->collector_); });
  }
  void OnSecond(const Element& value, TimestampMs timestamp) override {
    broadcast_context_.set_record(timestamp);
    this->collector_.set_timestamp(timestamp);
    this->fn_.set_timestamp(timestamp);
    CallUser(this->context_, [&] { this->fn_->process_broadcast(value, broadcast_context_, this->collector_); });
  }
  void OnWatermark(TimestampMs watermark) override {
    broadcast_context_.set_watermark(watermark);
    Base::OnWatermark(watermark);
  }

 private:
  const KeyOf key_of_;
  KeyedBroadcastContext<K> broadcast_context_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_CO_PROCESS_H_
