// What a format reads: the bytes of a record, in any of the types that have them.
#ifndef PENSTOCK_FORMATS_PAYLOAD_H_
#define PENSTOCK_FORMATS_PAYLOAD_H_

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/record/bytes.h"

namespace penstock {

// kafka::Record and what is like it.
template <class T>
concept HasOptionalValue = requires(const T& record) {
  { record.value } -> std::convertible_to<const std::optional<Bytes>&>;
};

template <class T>
concept Payload =
    std::same_as<T, Bytes> || std::same_as<T, std::string> || std::same_as<T, std::string_view> || HasOptionalValue<T>;

// nullopt: a record without a value (a tombstone).
template <Payload P>
std::optional<std::string_view> PayloadOf(const P& payload) {
  if constexpr (std::same_as<P, Bytes>) {
    return payload.view();
  } else if constexpr (HasOptionalValue<P>) {
    if (!payload.value.has_value()) return std::nullopt;
    return payload.value->view();
  } else {
    return std::string_view(payload);
  }
}

inline absl::Status NoValue() { return absl::InvalidArgumentError("the record has no value (a tombstone)"); }

}  // namespace penstock

#endif  // PENSTOCK_FORMATS_PAYLOAD_H_
