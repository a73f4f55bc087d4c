// Schema: the shape of an encoded state value, stored beside the state, so that another program can read it by names
// (protocols.md C10).
//
// A value type, immutable once made. SchemaOf<T>() describes what Serde<T> writes. A type with an encoding of its own
// (a Serde specialisation, a PENSTOCK_SERDE line whose members are no plain names) is opaque: it matches its like only.
// What only the reading program knows (defaults, how to skip an opaque value, renames) is not stored.
#ifndef PENSTOCK_RUNTIME_STATE_SCHEMA_H_
#define PENSTOCK_RUNTIME_STATE_SCHEMA_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/record/serde.h"

namespace penstock {

// The numbers are part of the format.
enum class TypeKind : uint8_t {
  kVoid = 0,
  kBool = 1,
  kInt = 2,        // width_bytes; enums are ints
  kUint = 3,       // width_bytes
  kFloat = 4,      // width_bytes
  kString = 5,     // varint length, bytes
  kDuration = 6,   // name: the period; child: the count
  kOptional = 7,   // a byte 0 or 1, then the value
  kVector = 8,     // varint count, values
  kMap = 9,        // varint count, pairs of key and value
  kTuple = 10,     // values one after the other
  kStruct = 11,    // like a tuple, with names
  kTimed = 12,     // i64 milliseconds since the epoch, then the value
  kProtobuf = 13,  // varint length, message; name: its full name
  kOpaque = 14,    // name: its TypeName
};

struct Schema {
  struct Field {
    std::string name;  // kStruct only
    std::vector<std::string> earlier_names;
    std::string default_bytes;  // what a value gets that was written without the field
  };

  TypeKind kind = TypeKind::kVoid;
  uint8_t width_bytes = 0;
  std::string name;
  std::vector<Schema> children;
  std::vector<Field> fields;  // kStruct: as many as children

  // ---- known to the reading program only ----
  std::string default_bytes;               // a value-initialised T
  bool (*skip)(ByteReader& in) = nullptr;  // kOpaque: reads one value and forgets it

  // Equal bytes for equal shapes, without what only the reader knows.
  std::string Encode() const;
  static absl::StatusOr<Schema> Decode(std::string_view bytes);
  uint64_t Hash() const;
  // For people: "{id:int64,tags:vector<string>}".
  std::string ToText() const;

  static Schema Struct(std::vector<std::pair<std::string, Schema>> members);
};

inline constexpr int kSchemaDepthMax = 64;
inline constexpr uint64_t kSchemaChildrenMax = 1024;

template <class T>
Schema SchemaOf();

namespace detail {

template <class T>
std::string DefaultBytes() {
  ByteWriter out;
  if constexpr (std::is_default_constructible_v<T>) Serde<T>::Write(T{}, out);
  return std::string(out.view());
}

// "value.id, value.lines" → {"id", "lines"}; empty when a part is no plain member.
std::vector<std::string> MemberNamesOf(std::string_view spelled);

template <class T>
struct SchemaMaker {
  static Schema Make() {
    Schema schema;
    if constexpr (requires { Serde<T>::kGeneric; }) {
      if constexpr (ProtobufMessage<T>) {
        schema.kind = TypeKind::kProtobuf;
        schema.name = Serde<T>::TypeName();
      } else if constexpr (HasSerdeMembers<T>) {
        schema = OfSerdeMembers();
      } else {
        schema = OfAggregate(std::make_index_sequence<reflect::CountMembers<T>()>{});
      }
    } else {
      schema.kind = TypeKind::kOpaque;
    }
    if (schema.kind == TypeKind::kOpaque) {
      schema.name = Serde<T>::TypeName();
      schema.skip = [](ByteReader& in) {
        T forgotten{};
        return Serde<T>::Read(in, forgotten);
      };
    }
    schema.default_bytes = DefaultBytes<T>();
    return schema;
  }

 private:
  template <class M>
  static void AddMember(Schema& schema, std::string name, const M& initial) {
    ByteWriter bytes;
    Serde<M>::Write(initial, bytes);
    schema.children.push_back(SchemaOf<M>());
    Schema::Field field{.name = std::move(name), .earlier_names = {}, .default_bytes = std::string(bytes.view())};
    if constexpr (requires(const T* type) { PenstockRenames(type); }) {
      for (const auto& [earlier, now] : PenstockRenames(static_cast<const T*>(nullptr))) {
        if (field.name == now) field.earlier_names.emplace_back(earlier);
      }
    }
    schema.fields.push_back(std::move(field));
  }
  template <size_t... I>
  static Schema OfAggregate(std::index_sequence<I...>) {
    Schema schema;
    schema.kind = TypeKind::kStruct;
    const T initial{};
    reflect::VisitMembers(initial, [&](const auto&... members) {
      (AddMember(schema, std::string(reflect::MemberName<T, I>()), members), ...);
    });
    return schema;
  }
  static Schema OfSerdeMembers() {
    Schema schema;
    schema.kind = TypeKind::kOpaque;
    const std::vector<std::string> names = MemberNamesOf(PenstockMemberNames(static_cast<const T*>(nullptr)));
    T initial{};
    std::apply(
        [&](const auto&... members) {
          if (names.size() != sizeof...(members)) return;
          schema.kind = TypeKind::kStruct;
          size_t next = 0;
          (AddMember(schema, names[next++], members), ...);
        },
        PenstockMembers(initial));
    return schema;
  }
};

template <class T>
Schema Leaf(TypeKind kind, uint8_t width_bytes = 0) {
  Schema schema;
  schema.kind = kind;
  schema.width_bytes = width_bytes;
  schema.default_bytes = DefaultBytes<T>();
  return schema;
}

template <class T, class... Children>
Schema Of(TypeKind kind) {
  Schema schema = Leaf<T>(kind);
  (schema.children.push_back(SchemaOf<Children>()), ...);
  return schema;
}

template <class T>
requires(std::is_arithmetic_v<T>) struct SchemaMaker<T> {
  static Schema Make() {
    if constexpr (std::is_same_v<T, bool>) return Leaf<T>(TypeKind::kBool);
    const TypeKind integer = std::is_signed_v<T> ? TypeKind::kInt : TypeKind::kUint;
    return Leaf<T>(std::is_floating_point_v<T> ? TypeKind::kFloat : integer, sizeof(T));
  }
};
template <class T>
requires(std::is_enum_v<T>) struct SchemaMaker<T> {
  static Schema Make() { return SchemaMaker<std::underlying_type_t<T>>::Make(); }
};
template <>
struct SchemaMaker<std::string> {
  static Schema Make() { return Leaf<std::string>(TypeKind::kString); }
};
template <>
struct SchemaMaker<std::monostate> {
  static Schema Make() { return Leaf<std::monostate>(TypeKind::kVoid); }
};
template <class Rep, class Period>
struct SchemaMaker<std::chrono::duration<Rep, Period>> {
  static Schema Make() {
    Schema schema = Of<std::chrono::duration<Rep, Period>, Rep>(TypeKind::kDuration);
    schema.name = std::to_string(Period::num) + "/" + std::to_string(Period::den);
    return schema;
  }
};
template <class T>
struct SchemaMaker<std::optional<T>> {
  static Schema Make() { return Of<std::optional<T>, T>(TypeKind::kOptional); }
};
template <class T>
struct SchemaMaker<std::vector<T>> {
  static Schema Make() { return Of<std::vector<T>, T>(TypeKind::kVector); }
};
template <class K, class V>
struct SchemaMaker<std::map<K, V>> {
  static Schema Make() { return Of<std::map<K, V>, K, V>(TypeKind::kMap); }
};
template <class K, class V>
struct SchemaMaker<std::unordered_map<K, V>> {
  static Schema Make() { return Of<std::unordered_map<K, V>, K, V>(TypeKind::kMap); }
};
template <class A, class B>
struct SchemaMaker<std::pair<A, B>> {
  static Schema Make() { return Of<std::pair<A, B>, A, B>(TypeKind::kTuple); }
};
template <class... T>
struct SchemaMaker<std::tuple<T...>> {
  static Schema Make() { return Of<std::tuple<T...>, T...>(TypeKind::kTuple); }
};

}  // namespace detail

template <class T>
Schema SchemaOf() {
  return detail::SchemaMaker<T>::Make();
}

}  // namespace penstock

// Members that had other names in state written earlier, behind the type's definition and in its namespace:
//   PENSTOCK_RENAMED(Order, {"amount", "amount_cents"})     // {earlier, now}, ...
#define PENSTOCK_RENAMED(Type, ...)                                                                       \
  [[maybe_unused]] inline std::vector<std::pair<std::string, std::string>> PenstockRenames(const Type*) { \
    return {__VA_ARGS__};                                                                                 \
  }

#endif  // PENSTOCK_RUNTIME_STATE_SCHEMA_H_
