// flat_map: any number of results per record, and the place where malformed data is told apart from failures.
//
// The function returns an optional, a range, a StatusOr of a value, optional or range, or takes (const In&,
// Collector<Out>&). A non-OK Status is malformed data: counted, sampled into the log, and skipped, failed or sent to
// the side output kMalformedName as the job says. But Unavailable, FailedPrecondition, Unauthenticated and
// PermissionDenied say that the function lacks what it needs (a registry does not answer), whatever the record is, and
// fail the task; Cancelled, that the task ends. An exception always fails the task.
#ifndef PENSTOCK_RUNTIME_OPERATORS_FLAT_MAP_H_
#define PENSTOCK_RUNTIME_OPERATORS_FLAT_MAP_H_

#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/operators/collector.h"
#include "runtime/operators/plain_state.h"
#include "runtime/operators/unary_operator.h"
#include "runtime/record/serde.h"
#include "runtime/time/split_table.h"

namespace penstock {

inline constexpr char kMalformedName[] = "malformed";

enum class OnError { kSkip, kFail, kSideOutput };

// A record that a function could not make sense of.
struct Malformed {
  std::string record;  // its bytes: Bytes as they came, a record of Kafka's value, others as their Serde writes them
  std::string reason;  // begins with the origin, where it is known
  std::string operator_name;
  std::string origin;  // "topic orders, partition 3, offset 17"
};

// Set through the stream's .on_error after the operator was added, read when tasks are built.
struct FlatMapSettings {
  OnError on_error = OnError::kSkip;
};

namespace detail {

template <class R>
struct FlatMapResult {  // a range
  static_assert(std::ranges::range<R> && !std::is_convertible_v<R, std::string_view>,
                "penstock: flat_map's function must return an optional, a range or a StatusOr of one, or take a "
                "Collector<Out>&; to return one value per record use map");
  using Out = std::ranges::range_value_t<R>;
};
template <class T>
struct FlatMapResult<std::optional<T>> {
  using Out = T;
};
template <class T>
struct StatusOrResult {
  using Out = T;
};
template <class T>
struct StatusOrResult<std::optional<T>> {
  using Out = T;
};
template <class T>
struct StatusOrResult<std::vector<T>> {
  using Out = T;
};
template <class T>
struct FlatMapResult<absl::StatusOr<T>> : StatusOrResult<T> {};

}  // namespace detail

template <class In, class Out, class Fn>
class FlatMapOperator final : public UnaryOperator<In, Out> {
 public:
  FlatMapOperator(const Fn& fn, std::shared_ptr<const FlatMapSettings> settings)
      : fn_(fn), settings_(std::move(settings)), collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    collector_.set_receiver(this->out_);
    // Behind the function's own.
    if (this->sides_.size() > fn_.side_outputs()) {
      malformed_ = static_cast<Receiver<Malformed>*>(this->sides_[fn_.side_outputs()]);
    }
    return fn_.Open(context, this->sides_);
  }
  void OnRecord(const In& value, TimestampMs timestamp) override {
    fn_.set_timestamp(timestamp);
    if constexpr (std::is_invocable_v<Fn&, const In&, Collector<Out>&>) {
      collector_.set_timestamp(timestamp);
      CallUser(this->context_, [&] { std::invoke(*fn_, value, collector_); });
    } else {
      const auto result = CallUser(this->context_, [&] { return std::invoke(*fn_, value); });
      Emit(result, value, timestamp);
    }
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_.Snapshot(state); }
  void Close() override { fn_.Close(); }

 private:
  template <class R>
  void Emit(const R& result, const In& value, TimestampMs timestamp) {
    if constexpr (requires { result.status(); }) {
      if (result.ok()) {
        EmitValue(*result, timestamp);
      } else {
        OnStatus(value, result.status(), timestamp);
      }
    } else {
      EmitValue(result, timestamp);
    }
  }

  template <class V>
  void EmitValue(const V& result, TimestampMs timestamp) {
    if constexpr (std::is_same_v<V, Out>) {
      this->out_->OnRecord(result, timestamp);
    } else if constexpr (std::is_same_v<V, std::optional<Out>>) {
      if (result.has_value()) this->out_->OnRecord(*result, timestamp);
    } else {
      for (const Out& out : result) this->out_->OnRecord(out, timestamp);
    }
  }

  void OnStatus(const In& value, const absl::Status& status, TimestampMs timestamp) {
    switch (status.code()) {
      case absl::StatusCode::kCancelled:
        return;
      case absl::StatusCode::kUnavailable:
      case absl::StatusCode::kFailedPrecondition:
      case absl::StatusCode::kUnauthenticated:
      case absl::StatusCode::kPermissionDenied:
        this->context_->NoteFailingOperator();
        return this->context_->Fail(status);
      default:
        return OnMalformed(value, std::string(status.message()), timestamp);
    }
  }

  void OnMalformed(const In& value, std::string reason, TimestampMs timestamp) {
    std::string origin = OriginOf(value);
    if (!origin.empty()) reason = origin + ": " + reason;
    this->context_->sample_malformed(reason);
    if (settings_->on_error == OnError::kFail) {
      this->context_->NoteFailingOperator();
      this->context_->Fail(absl::InvalidArgumentError("malformed record: " + reason));
    } else if (settings_->on_error == OnError::kSideOutput && malformed_ != nullptr) {
      malformed_->OnRecord({BytesOf(value), std::move(reason), this->context_->operator_name(), std::move(origin)},
                           timestamp);
    }
  }

  // A record that says itself where it comes from (kafka::Record) does so behind an exchange, too.
  std::string OriginOf(const In& value) const {
    if constexpr (requires { value.topic, value.partition, value.offset; }) {
      return "topic " + std::string(value.topic) + ", partition " + std::to_string(value.partition) + ", offset " +
             std::to_string(value.offset);
    } else {
      return this->context_->splits().Origin();
    }
  }

  static std::string BytesOf(const In& value) {
    if constexpr (std::is_same_v<In, Bytes>) {
      return value.str();
    } else if constexpr (std::is_same_v<In, std::string>) {
      return value;
    } else if constexpr (requires(std::optional<Bytes> bytes) { bytes = value.value; }) {
      return value.value.has_value() ? value.value->str() : std::string();
    } else {
      ByteWriter out;
      Serde<In>::Write(value, out);
      return std::string(out.view());
    }
  }

  PlainFunction<Fn> fn_;
  const std::shared_ptr<const FlatMapSettings> settings_;
  Collector<Out> collector_;
  Receiver<Malformed>* malformed_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_FLAT_MAP_H_
