// Records that are one value and nothing else: bytes, text, or a number as Kafka's own serializers write it.
//
//   events.map(raw::to_string())                     // Bytes → std::string, as they are
//   events.flat_map(raw::parse_text())               // the same, but malformed unless UTF-8
//   events.flat_map(raw::parse_number<int64_t>())    // big-endian: 8 bytes, no more, no less
//   counts.map(raw::write_number<int64_t>())         // → std::string
#ifndef PENSTOCK_FORMATS_RAW_H_
#define PENSTOCK_FORMATS_RAW_H_

#include <penstock/formats/payload.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::raw {

struct ToString {
  std::string operator()(const Bytes& bytes) const { return bytes.str(); }
};
inline ToString to_string() { return {}; }

// OK, or InvalidArgument with the offset of the first byte that is no UTF-8.
absl::Status CheckText(std::string_view text);

struct TextParser {
  template <Payload P>
  absl::StatusOr<std::string> operator()(const P& payload) const {
    const std::optional<std::string_view> text = PayloadOf(payload);
    if (!text) return NoValue();
    if (absl::Status status = CheckText(*text); !status.ok()) return status;
    return std::string(*text);
  }
};
inline TextParser parse_text() { return {}; }

absl::Status WrongSize(size_t size, size_t expected);

template <class T>
struct NumberParser {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);

  template <Payload P>
  absl::StatusOr<T> operator()(const P& payload) const {
    const std::optional<std::string_view> bytes = PayloadOf(payload);
    if (!bytes) return NoValue();
    if (bytes->size() != sizeof(T)) return WrongSize(bytes->size(), sizeof(T));
    char swapped[sizeof(T)];
    std::reverse_copy(bytes->begin(), bytes->end(), swapped);
    T value;
    std::memcpy(&value, swapped, sizeof(T));
    return value;
  }
};
template <class T>
NumberParser<T> parse_number() {
  static_assert(std::endian::native == std::endian::little);
  return {};
}

template <class T>
struct NumberWriter {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);

  std::string operator()(const T& value) const {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    std::reverse(bytes.begin(), bytes.end());
    return bytes;
  }
};
template <class T>
NumberWriter<T> write_number() {
  return {};
}

}  // namespace penstock::raw

#endif  // PENSTOCK_FORMATS_RAW_H_
