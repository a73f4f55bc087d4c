// Shape: what a type is made of, as a value at run time, with the few operations by which code that does not know the
// type reads and fills its objects. It is what formats (JSON, CSV, Avro) are written against: they are compiled once,
// and a user's type costs its shape alone.
//
//   const Shape& shape = ShapeOf<Order>();   // made at the first call, lives for ever, immutable
//
// Types: bool, integers, float, double, durations (as their count), std::string, scoped enumerations by name (see
// enum_names.h), std::optional, std::vector, std::map and std::unordered_map with std::string keys, std::variant, and
// structs: aggregates (see reflect.h for the limits) and types with a PENSTOCK_SERDE line. Not recursive ones, no
// vector<bool>. Structs must be default-constructible.
#ifndef PENSTOCK_RUNTIME_RECORD_SHAPE_H_
#define PENSTOCK_RUNTIME_RECORD_SHAPE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "runtime/record/enum_names.h"
#include "runtime/record/reflect.h"
#include "runtime/record/serde.h"

namespace penstock {

enum class ShapeKind : uint8_t {
  kNull,  // std::monostate
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat,
  kDouble,
  kString,
  kEnum,
  kOptional,
  kList,
  kMap,
  kVariant,
  kStruct,
};

struct Shape;

struct ShapeMember {
  std::string name;
  size_t offset = 0;
  const Shape* shape = nullptr;
};

// Objects are passed as pointers to them. Operations that a kind has no use for are null.
struct Shape {
  ShapeKind kind = ShapeKind::kStruct;
  std::string name;  // of structs and enumerations, without namespaces
  std::vector<ShapeMember> members;
  const Shape* element = nullptr;          // of an optional, a list, a map's values
  std::vector<const Shape*> alternatives;  // of a variant
  ShapeKind integer = ShapeKind::kInt64;   // what an enumeration is stored as
  std::vector<reflect::EnumName> enum_names;

  // Optional, list, map: makes it empty.
  void (*clear)(void* object) = nullptr;
  // Optional: gives it a fresh value. List: appends one. Returns where the value is.
  void* (*emplace)(void* object) = nullptr;
  // Map: the value of that key, made fresh when there is none; null when there was one.
  void* (*emplace_key)(void* object, std::string_view key) = nullptr;
  // Variant: makes it hold a fresh value of that alternative.
  void* (*emplace_alternative)(void* object, size_t alternative) = nullptr;

  // Elements of a list or map; 0 or 1 for an optional; for a variant which alternative it holds.
  size_t (*count)(const void* object) = nullptr;
  // Optional (index 0), list; variant: what it holds.
  const void* (*at)(const void* object, size_t index) = nullptr;
  using VisitEntry = absl::FunctionRef<void(const std::string& key, const void* value)>;
  void (*each_entry)(const void* object, VisitEntry visit) = nullptr;

  // Made on the heap, value-initialised, and given back; for defaults.
  void* (*make)() = nullptr;
  void (*destroy)(void* object) = nullptr;

  const reflect::EnumName* EnumByName(std::string_view text) const {
    for (const reflect::EnumName& each : enum_names) {
      if (each.name == text) return &each;
    }
    return nullptr;
  }
  const reflect::EnumName* EnumByValue(int64_t value) const {
    for (const reflect::EnumName& each : enum_names) {
      if (each.value == value) return &each;
    }
    return nullptr;
  }
};

template <class T>
const Shape& ShapeOf();

// ---- integers of any width ----

constexpr bool IsSigned(ShapeKind kind) { return kind >= ShapeKind::kInt8 && kind <= ShapeKind::kInt64; }
constexpr bool IsUnsigned(ShapeKind kind) { return kind >= ShapeKind::kUint8 && kind <= ShapeKind::kUint64; }
constexpr bool IsInteger(ShapeKind kind) { return IsSigned(kind) || IsUnsigned(kind); }
// For messages: "int32", "uint8".
const char* ShapeKindName(ShapeKind kind);

// False: out of the kind's range, object unchanged.
bool StoreInteger(ShapeKind kind, int64_t value, void* object);
bool StoreInteger(ShapeKind kind, uint64_t value, void* object);
int64_t LoadSigned(ShapeKind kind, const void* object);
uint64_t LoadUnsigned(ShapeKind kind, const void* object);
// Of an enumeration's object; values beyond int64 wrap, and have no name.
inline int64_t LoadEnum(const Shape& shape, const void* object) {
  return IsSigned(shape.integer) ? LoadSigned(shape.integer, object)
                                 : static_cast<int64_t>(LoadUnsigned(shape.integer, object));
}

// ---- how shapes are made ----

namespace detail {

template <class T>
constexpr ShapeKind IntegerKind() {
  constexpr bool kSigned = std::is_signed_v<T>;
  if constexpr (sizeof(T) == 1) return kSigned ? ShapeKind::kInt8 : ShapeKind::kUint8;
  if constexpr (sizeof(T) == 2) return kSigned ? ShapeKind::kInt16 : ShapeKind::kUint16;
  if constexpr (sizeof(T) == 4) return kSigned ? ShapeKind::kInt32 : ShapeKind::kUint32;
  return kSigned ? ShapeKind::kInt64 : ShapeKind::kUint64;
}

// The general case: structs.
template <class T>
struct ShapeMaker {
  static_assert(HasSerdeMembers<T> || reflect::Reflectable<T>,
                "penstock: a format cannot look into this type. Make it an aggregate of at most 64 public members, or "
                "put PENSTOCK_SERDE(Type, member, ...) behind its definition (see runtime/record/shape.h for the types "
                "that members may have)");

  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kStruct;
    shape.name = ShortTypeName<T>();
    T probe{};
    if constexpr (HasSerdeMembers<T>) {
      std::apply([&](auto&... members) { (Add(shape, probe, members), ...); }, PenstockMembers(probe));
      NameMembers(shape, PenstockMemberNames(static_cast<const T*>(nullptr)));
    } else {
      reflect::VisitMembers(probe, [&](auto&... members) { (Add(shape, probe, members), ...); });
      NameReflected(shape, std::make_index_sequence<reflect::CountMembers<T>()>{});
    }
  }

 private:
  template <class M>
  static void Add(Shape& shape, const T& probe, const M& member) {
    const auto offset =
        static_cast<size_t>(reinterpret_cast<const char*>(&member) - reinterpret_cast<const char*>(&probe));
    shape.members.push_back({"", offset, &ShapeOf<M>()});
  }
  template <size_t... I>
  static void NameReflected(Shape& shape, std::index_sequence<I...>) {
    ((shape.members[I].name = std::string(reflect::MemberName<T, I>())), ...);
  }
  // "value.id, value.lines"
  static void NameMembers(Shape& shape, std::string_view names) {
    for (ShapeMember& member : shape.members) {
      const size_t comma = names.find(',');
      std::string_view name = names.substr(0, comma);
      name = name.substr(name.rfind('.') + 1);
      member.name = name.substr(0, name.find_last_not_of(' ') + 1);
      names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
    }
  }
};

template <>
struct ShapeMaker<std::monostate> {
  static void Fill(Shape& shape) { shape.kind = ShapeKind::kNull; }
};
template <>
struct ShapeMaker<bool> {
  static void Fill(Shape& shape) { shape.kind = ShapeKind::kBool; }
};
template <>
struct ShapeMaker<float> {
  static void Fill(Shape& shape) { shape.kind = ShapeKind::kFloat; }
};
template <>
struct ShapeMaker<double> {
  static void Fill(Shape& shape) { shape.kind = ShapeKind::kDouble; }
};
template <>
struct ShapeMaker<std::string> {
  static void Fill(Shape& shape) { shape.kind = ShapeKind::kString; }
};
template <class T>
requires std::is_integral_v<T>
struct ShapeMaker<T> {
  static void Fill(Shape& shape) { shape.kind = IntegerKind<T>(); }
};
// A duration is a standard-layout class around its count.
template <class Rep, class Period>
struct ShapeMaker<std::chrono::duration<Rep, Period>> : ShapeMaker<Rep> {
  static_assert(sizeof(std::chrono::duration<Rep, Period>) == sizeof(Rep));
};

template <class T>
requires std::is_enum_v<T>
struct ShapeMaker<T> {
  static_assert(reflect::ScopedEnum<T>, "penstock: formats know enumerations by name, which takes an enum class");
  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kEnum;
    shape.name = ShortTypeName<T>();
    shape.integer = IntegerKind<std::underlying_type_t<T>>();
    shape.enum_names = reflect::EnumNames<T>();
  }
};

template <class T>
struct ShapeMaker<std::optional<T>> {
  using Object = std::optional<T>;
  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kOptional;
    shape.element = &ShapeOf<T>();
    shape.clear = [](void* object) { static_cast<Object*>(object)->reset(); };
    shape.emplace = [](void* object) -> void* { return &static_cast<Object*>(object)->emplace(); };
    shape.count = [](const void* object) -> size_t { return static_cast<const Object*>(object)->has_value() ? 1 : 0; };
    shape.at = [](const void* object, size_t) -> const void* { return &**static_cast<const Object*>(object); };
  }
};

template <class T>
struct ShapeMaker<std::vector<T>> {
  static_assert(!std::is_same_v<T, bool>, "penstock: a vector<bool> has no elements to fill; use vector<uint8_t>");
  using Object = std::vector<T>;
  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kList;
    shape.element = &ShapeOf<T>();
    shape.clear = [](void* object) { static_cast<Object*>(object)->clear(); };
    shape.emplace = [](void* object) -> void* { return &static_cast<Object*>(object)->emplace_back(); };
    shape.count = [](const void* object) { return static_cast<const Object*>(object)->size(); };
    shape.at = [](const void* object, size_t index) -> const void* {
      return static_cast<const Object*>(object)->data() + index;
    };
  }
};

template <class Object>
struct MapShapeMaker {
  static_assert(std::is_same_v<typename Object::key_type, std::string>,
                "penstock: formats know maps with std::string keys only");
  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kMap;
    shape.element = &ShapeOf<typename Object::mapped_type>();
    shape.clear = [](void* object) { static_cast<Object*>(object)->clear(); };
    shape.emplace_key = [](void* object, std::string_view key) -> void* {
      const auto [place, made] = static_cast<Object*>(object)->try_emplace(std::string(key));
      return made ? &place->second : nullptr;
    };
    shape.count = [](const void* object) { return static_cast<const Object*>(object)->size(); };
    shape.each_entry = [](const void* object, Shape::VisitEntry visit) {
      for (const auto& [key, value] : *static_cast<const Object*>(object)) visit(key, &value);
    };
  }
};
template <class V>
struct ShapeMaker<std::map<std::string, V>> : MapShapeMaker<std::map<std::string, V>> {};
template <class V>
struct ShapeMaker<std::unordered_map<std::string, V>> : MapShapeMaker<std::unordered_map<std::string, V>> {};

template <class... T>
struct ShapeMaker<std::variant<T...>> {
  using Object = std::variant<T...>;
  static void Fill(Shape& shape) {
    shape.kind = ShapeKind::kVariant;
    shape.alternatives = {&ShapeOf<T>()...};
    shape.emplace_alternative = [](void* object, size_t alternative) -> void* {
      return Emplace(*static_cast<Object*>(object), alternative, std::index_sequence_for<T...>{});
    };
    shape.count = [](const void* object) { return static_cast<const Object*>(object)->index(); };
    shape.at = [](const void* object, size_t) -> const void* {
      return std::visit([](const auto& value) -> const void* { return &value; }, *static_cast<const Object*>(object));
    };
  }

 private:
  template <size_t... I>
  static void* Emplace(Object& object, size_t alternative, std::index_sequence<I...>) {
    void* place = nullptr;
    ((I == alternative ? (void)(place = &object.template emplace<I>()) : (void)0), ...);
    return place;
  }
};

template <class T>
const Shape* MakeShape() {
  auto* shape = new Shape();
  ShapeMaker<T>::Fill(*shape);
  shape->make = []() -> void* { return new T{}; };
  shape->destroy = [](void* object) { delete static_cast<T*>(object); };
  return shape;
}

}  // namespace detail

template <class T>
const Shape& ShapeOf() {
  static const Shape* const shape = detail::MakeShape<T>();
  return *shape;
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_SHAPE_H_
