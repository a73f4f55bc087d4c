// An Avro value of any schema, for jobs that do not know their records' types.
//
// A union's value is that of its branch. Logical types are the value they stand on. Serde: self-describing.
#ifndef PENSTOCK_FORMATS_AVRO_VALUE_H_
#define PENSTOCK_FORMATS_AVRO_VALUE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/record/serde.h"

namespace penstock::avro {

class Value;

struct Binary {
  std::string bytes;
  bool operator==(const Binary&) const = default;
};
struct Fixed {
  std::string bytes;
  bool operator==(const Fixed&) const = default;
};
struct Enum {
  std::string symbol;
  bool operator==(const Enum&) const = default;
};
using Array = std::vector<Value>;
using Map = std::map<std::string, Value>;

// Shared by the records of one type.
struct RecordNames {
  std::string name;  // with the namespace
  std::vector<std::string> fields;
  bool operator==(const RecordNames&) const = default;
};

struct Record {
  std::shared_ptr<const RecordNames> names;
  std::vector<Value> fields;
  bool operator==(const Record& other) const;
};

class Value {
 public:
  using Variant = std::variant<std::monostate, bool, int32_t, int64_t, float, double, std::string, Binary, Fixed, Enum,
                               Array, Map, Record>;
  Value() = default;
  template <class T>
  requires std::is_constructible_v<Variant, T&&> &&(!std::is_same_v<std::remove_cvref_t<T>, Value>)Value(T&& value)
      : variant_(std::forward<T>(value)) {}

  const Variant& variant() const { return variant_; }
  Variant& variant() { return variant_; }
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&variant_);
  }
  template <class T>
  T* get_if() {
    return std::get_if<T>(&variant_);
  }
  bool is_null() const { return std::holds_alternative<std::monostate>(variant_); }
  // A record's field; nullptr: it is no record, or has no such field.
  const Value* field(std::string_view name) const;

  bool operator==(const Value& other) const { return variant_ == other.variant_; }

 private:
  Variant variant_;
};

inline bool Record::operator==(const Record& other) const {
  return (names == other.names || (names && other.names && *names == *other.names)) && fields == other.fields;
}

// For people and for writing on: bytes and fixed as code points 0 to 255.
std::string to_json(const Value& value);

}  // namespace penstock::avro

namespace penstock {

template <>
struct Serde<avro::Value> {
  static void Write(const avro::Value& value, ByteWriter& out);
  static bool Read(ByteReader& in, avro::Value& value);
  static std::string TypeName() { return "avro"; }
};

}  // namespace penstock

#endif  // PENSTOCK_FORMATS_AVRO_VALUE_H_
