// Avro records without a container and without a registry: writer and reader know the schemas. With a registry:
// penstock/schema_registry.h.
//
//   events.flat_map(avro::parse<Order>({.writer_schema = kOrderV1}))     // Bytes, std::string, kafka::Record → Order
//   orders.flat_map(avro::write<Order>())                                // → std::string, by Order's own schema
//   events.flat_map(avro::parse_generic({.writer_schema = kOrderV1}))    // → avro::Value
//
// Types of members: those of runtime/record/shape.h; int and long fit any integer (checked), string, bytes and fixed a
// std::string, enums an enum class or std::string, [null, T] a std::optional<T>, other unions a std::variant.
#ifndef PENSTOCK_FORMATS_AVRO_H_
#define PENSTOCK_FORMATS_AVRO_H_

#include <penstock/formats/avro/codec.h>
#include <penstock/formats/avro/schema.h>
#include <penstock/formats/avro/value.h>
#include <penstock/formats/payload.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::avro {

template <class T>
std::string schema_of(const DerivedOptions& options = {}) {
  return DerivedSchema(ShapeOf<T>(), options);
}

struct ParseOptions {
  std::string writer_schema;            // empty: the same as the reader's
  std::string reader_schema;            // empty: the struct's own; for Values the writer's
  bool default_missing_fields = false;  // of the struct's own schema: members keep what T{} gives them
};

// The decoder for those options; `shape` null: a Value.
absl::StatusOr<std::shared_ptr<const Decoder>> MakeDecoder(const ParseOptions& options, const Shape* shape);
// By a schema's text; empty: the struct's own.
absl::StatusOr<std::shared_ptr<const Encoder>> MakeEncoder(const std::string& schema, const Shape* shape);

template <class T>
class Parser {
 public:
  explicit Parser(const ParseOptions& options) : decoder_(MakeDecoder(options, kShape())) {}

  absl::Status Validate() const { return decoder_.status(); }

  template <Payload P>
  absl::StatusOr<T> operator()(const P& payload) const {
    const std::optional<std::string_view> bytes = PayloadOf(payload);
    if (!bytes) return NoValue();
    if (!decoder_.ok()) return decoder_.status();
    absl::StatusOr<T> result{T{}};
    if (absl::Status status = (*decoder_)->Read(*bytes, &*result); !status.ok()) return status;
    return result;
  }

 private:
  static const Shape* kShape() {
    if constexpr (std::is_same_v<T, Value>) {
      return nullptr;
    } else {
      return &ShapeOf<T>();
    }
  }
  absl::StatusOr<std::shared_ptr<const Decoder>> decoder_;
};

template <class T>
Parser<T> parse(const ParseOptions& options = {}) {
  return Parser<T>(options);
}
inline Parser<Value> parse_generic(const ParseOptions& options) { return Parser<Value>(options); }

// What the schema cannot have (an integer out of its range, an enum's value without a name) is malformed.
template <class T>
class Writer {
 public:
  Writer(const std::string& schema, const Shape* shape) : encoder_(MakeEncoder(schema, shape)) {}

  absl::Status Validate() const { return encoder_.status(); }

  absl::StatusOr<std::string> operator()(const T& value) const {
    if (!encoder_.ok()) return encoder_.status();
    absl::StatusOr<std::string> bytes{std::string()};
    if (absl::Status status = (*encoder_)->Write(&value, *bytes); !status.ok()) return status;
    return bytes;
  }

 private:
  absl::StatusOr<std::shared_ptr<const Encoder>> encoder_;
};

template <class T>
Writer<T> write(const std::string& schema = {}) {
  return Writer<T>(schema, &ShapeOf<T>());
}
inline Writer<Value> write_generic(const std::string& schema) { return Writer<Value>(schema, nullptr); }

}  // namespace penstock::avro

#endif  // PENSTOCK_FORMATS_AVRO_H_
