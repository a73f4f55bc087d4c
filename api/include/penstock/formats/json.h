// JSON into plain structs and out of them, by the names of their members.
//
//   events.flat_map(json::parse<Event>()).on_error(side_output)       // Bytes, std::string, kafka::Record → Event
//   results.map(json::write<Result>())                                // → std::string
//
// Types: those of runtime/record/shape.h but variants. An optional member may be null or missing; any other must be
// there, once. Enumerations are strings. Errors say where: "items[2].cents: 1.5 is no integer of 64 bits (byte 117)".
// What lies in fields that are ignored is checked for balance and UTF-8 only.
#ifndef PENSTOCK_FORMATS_JSON_H_
#define PENSTOCK_FORMATS_JSON_H_

#include <penstock/formats/payload.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/record/shape.h"

namespace penstock::json {

struct Options {
  bool refuse_unknown_fields = false;   // that no member has the name of; else they are ignored
  bool default_missing_fields = false;  // members without a field keep what T{} gives them
};

// Reads objects of one shape. One thread; keeps its memory between records. A copy begins anew.
class Reader {
 public:
  Reader(const Shape& shape, Options options);
  Reader(const Reader& other);
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  // What of the shape JSON cannot have.
  absl::Status Validate() const;
  // object: freshly made, of the shape's type. On an error it is left half filled.
  absl::Status Read(std::string_view text, void* object);

 private:
  class Walk;
  const Shape& shape_;
  const Options options_;
  std::unique_ptr<Walk> walk_;
};

// Appends the object. NaN and infinities become null, bytes that are no UTF-8 U+FFFD.
void Append(const Shape& shape, const void* object, std::string& out);

template <class T>
class Parser {
 public:
  explicit Parser(Options options = {}) : reader_(ShapeOf<T>(), options) {}

  absl::Status Validate() const { return reader_.Validate(); }

  template <Payload P>
  absl::StatusOr<T> operator()(const P& payload) {
    const std::optional<std::string_view> text = PayloadOf(payload);
    if (!text) return NoValue();
    absl::StatusOr<T> result{T{}};
    if (absl::Status status = reader_.Read(*text, &*result); !status.ok()) return status;
    return result;
  }

 private:
  Reader reader_;
};

template <class T>
Parser<T> parse(Options options = {}) {
  return Parser<T>(options);
}

template <class T>
std::string to_json(const T& value) {
  std::string text;
  Append(ShapeOf<T>(), &value, text);
  return text;
}

template <class T>
struct Writer {
  absl::Status Validate() const { return Reader(ShapeOf<T>(), {}).Validate(); }
  std::string operator()(const T& value) const { return to_json(value); }
};

template <class T>
Writer<T> write() {
  return {};
}

}  // namespace penstock::json

#endif  // PENSTOCK_FORMATS_JSON_H_
