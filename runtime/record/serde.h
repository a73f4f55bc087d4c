// Serde<T>: how a value of type T becomes bytes and comes back.
//
//   static void Write(const T& value, ByteWriter& out);
//   static bool Read(ByteReader& in, T& value);       // false: the bytes are not a T; value is then unspecified
//   static std::string TypeName();                    // for people and for the graph hash
//
// There are ones for arithmetic types and enums, strings, Bytes, optional, vector, map, pair, tuple, durations,
// Protobuf messages, aggregates of such (by position; see reflect.h for the limits) and types with a PENSTOCK_SERDE
// line. Any other type fails to compile and says what to write. This encoding is for the exchange, where both ends are
// the same program.
#ifndef PENSTOCK_RUNTIME_RECORD_SERDE_H_
#define PENSTOCK_RUNTIME_RECORD_SERDE_H_

#include <array>
#include <chrono>
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

#include "runtime/record/byte_io.h"
#include "runtime/record/bytes.h"
#include "runtime/record/reflect.h"

namespace penstock {

template <class T>
struct Serde;

// Types whose values only point at memory of others may not be kept: not in state, not as keys.
template <class T>
inline constexpr bool kIsView = std::is_same_v<T, Bytes> || std::is_same_v<T, std::string_view>;

// Made by PENSTOCK_SERDE(Type, members...): found by argument-dependent lookup.
template <class T>
concept HasSerdeMembers = requires(T& value) {
  PenstockMembers(value);
};

template <class T>
concept ProtobufMessage = requires(T message, const T& const_message, std::string* out, const void* data, int size) {
  T::descriptor();
  { const_message.SerializeToString(out) } -> std::same_as<bool>;
  { message.ParseFromArray(data, size) } -> std::same_as<bool>;
};

namespace detail {

template <class>
inline constexpr bool kAlwaysFalse = false;

template <class... T>
std::string JoinTypeNames() {
  std::string names;
  ((names += names.empty() ? Serde<T>::TypeName() : "," + Serde<T>::TypeName()), ...);
  return names;
}

template <class T>
void WriteMember(const T& value, ByteWriter& out) {
  Serde<T>::Write(value, out);
}

template <class... M>
bool ReadMembers(ByteReader& in, M&... members) {
  return (Serde<M>::Read(in, members) && ...);
}

inline void WriteString(std::string_view text, ByteWriter& out) {
  out.PutVarint(text.size());
  out.Put(text.data(), text.size());
}

inline bool ReadString(ByteReader& in, std::string_view& text) {
  uint64_t size = 0;
  return in.GetVarint(size) && in.GetView(size, text);
}

// A count read from bytes is trusted only as far as the bytes reach: each element takes at least one.
inline bool ReadCount(ByteReader& in, uint64_t& count) { return in.GetVarint(count) && count <= in.remaining(); }

// The type's name as the compiler spells it, without namespaces: "Event".
template <class T>
std::string ShortTypeName() {
  std::string_view text = __PRETTY_FUNCTION__;
  const size_t begin = text.find("T = ") + 4;
  std::string_view name = text.substr(begin, text.find_first_of(";]", begin) - begin);
  const size_t colon = name.substr(0, name.find('<')).rfind("::");
  return std::string(colon == std::string_view::npos ? name : name.substr(colon + 2));
}

}  // namespace detail

// The fallback: aggregates, PENSTOCK_SERDE types, Protobuf messages; else the message that says what to write.
template <class T>
struct Serde {
  static_assert(
      ProtobufMessage<T> || HasSerdeMembers<T> || reflect::Reflectable<T>,
      "penstock: there is no Serde for this type. Make it an aggregate of at most 64 public members, or put "
      "PENSTOCK_SERDE(Type, member, ...) behind its definition, or specialise penstock::Serde<Type> with Write, "
      "Read and TypeName (see penstock/serde.h).");

  // Tells the encoding by members from one of the author's own, which a state schema cannot look into.
  static constexpr bool kGeneric = true;

  static void Write(const T& value, ByteWriter& out) {
    if constexpr (ProtobufMessage<T>) {
      std::string bytes;
      value.SerializeToString(&bytes);
      detail::WriteString(bytes, out);
    } else if constexpr (HasSerdeMembers<T>) {
      std::apply([&](const auto&... m) { (detail::WriteMember(m, out), ...); }, PenstockMembers(const_cast<T&>(value)));
    } else {
      reflect::VisitMembers(value, [&](const auto&... m) { (detail::WriteMember(m, out), ...); });
    }
  }

  static bool Read(ByteReader& in, T& value) {
    if constexpr (ProtobufMessage<T>) {
      std::string_view bytes;
      return detail::ReadString(in, bytes) && value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    } else if constexpr (HasSerdeMembers<T>) {
      return std::apply([&](auto&... m) { return detail::ReadMembers(in, m...); }, PenstockMembers(value));
    } else {
      return reflect::VisitMembers(value, [&](auto&... m) { return detail::ReadMembers(in, m...); });
    }
  }

  static std::string TypeName() {
    if constexpr (ProtobufMessage<T>) {
      return std::string(T::descriptor()->full_name());
    } else if constexpr (HasSerdeMembers<T>) {
      T* none = nullptr;
      return detail::ShortTypeName<T>() + "{" + MemberTypes(static_cast<decltype(PenstockMembers(*none))*>(nullptr)) +
             "}";
    } else {
      return detail::ShortTypeName<T>() + "{" + ReflectedTypes(std::make_index_sequence<reflect::CountMembers<T>()>{}) +
             "}";
    }
  }

 private:
  template <class... M>
  static std::string MemberTypes(std::tuple<M...>*) {
    return detail::JoinTypeNames<std::remove_cvref_t<M>...>();
  }
  template <size_t... I>
  static std::string ReflectedTypes(std::index_sequence<I...>) {
    std::string names;
    ((names +=
      (I == 0 ? "" : ",") + std::string(reflect::MemberName<T, I>()) + ":" +
      Serde<std::remove_const_t<std::remove_pointer_t<decltype(reflect::detail::MemberPointer<T, I>())>>>::TypeName()),
     ...);
    return names;
  }
};

template <class T>
requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) struct Serde<T> {
  static void Write(const T& value, ByteWriter& out) { out.PutFixed(value); }
  static bool Read(ByteReader& in, T& value) { return in.GetFixed(value); }
  static std::string TypeName() {
    if constexpr (std::is_same_v<T, bool>) return "bool";
    if constexpr (std::is_enum_v<T>) return "enum" + std::to_string(sizeof(T) * 8);
    if constexpr (std::is_floating_point_v<T>) return "float" + std::to_string(sizeof(T) * 8);
    return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(sizeof(T) * 8);
  }
};

template <>
struct Serde<bool> {
  static void Write(const bool& value, ByteWriter& out) { out.PutByte(value ? 1 : 0); }
  static bool Read(ByteReader& in, bool& value) {
    uint8_t byte = 0;
    if (!in.GetFixed(byte) || byte > 1) return false;
    value = byte == 1;
    return true;
  }
  static std::string TypeName() { return "bool"; }
};

template <>
struct Serde<std::string> {
  static void Write(const std::string& value, ByteWriter& out) { detail::WriteString(value, out); }
  static bool Read(ByteReader& in, std::string& value) {
    std::string_view text;
    if (!detail::ReadString(in, text)) return false;
    value.assign(text);
    return true;
  }
  static std::string TypeName() { return "string"; }
};

// Views read back point into the bytes they were read from.
template <>
struct Serde<std::string_view> {
  static void Write(const std::string_view& value, ByteWriter& out) { detail::WriteString(value, out); }
  static bool Read(ByteReader& in, std::string_view& value) { return detail::ReadString(in, value); }
  static std::string TypeName() { return "string"; }
};

template <>
struct Serde<Bytes> {
  static void Write(const Bytes& value, ByteWriter& out) { detail::WriteString(value.view(), out); }
  static bool Read(ByteReader& in, Bytes& value) {
    std::string_view text;
    if (!detail::ReadString(in, text)) return false;
    value = Bytes(text);
    return true;
  }
  static std::string TypeName() { return "bytes"; }
};

template <>
struct Serde<std::monostate> {
  static void Write(const std::monostate&, ByteWriter&) {}
  static bool Read(ByteReader&, std::monostate&) { return true; }
  static std::string TypeName() { return "void"; }
};

template <class Rep, class Period>
struct Serde<std::chrono::duration<Rep, Period>> {
  using Duration = std::chrono::duration<Rep, Period>;
  static void Write(const Duration& value, ByteWriter& out) { out.PutFixed(value.count()); }
  static bool Read(ByteReader& in, Duration& value) {
    Rep count{};
    if (!in.GetFixed(count)) return false;
    value = Duration(count);
    return true;
  }
  static std::string TypeName() {
    return "duration<" + std::to_string(Period::num) + "/" + std::to_string(Period::den) + ">";
  }
};

template <class T>
struct Serde<std::optional<T>> {
  static void Write(const std::optional<T>& value, ByteWriter& out) {
    out.PutByte(value.has_value() ? 1 : 0);
    if (value.has_value()) Serde<T>::Write(*value, out);
  }
  static bool Read(ByteReader& in, std::optional<T>& value) {
    bool present = false;
    if (!Serde<bool>::Read(in, present)) return false;
    if (!present) {
      value.reset();
      return true;
    }
    return Serde<T>::Read(in, value.emplace());
  }
  static std::string TypeName() { return "optional<" + Serde<T>::TypeName() + ">"; }
};

template <class T>
struct Serde<std::vector<T>> {
  static void Write(const std::vector<T>& values, ByteWriter& out) {
    out.PutVarint(values.size());
    for (const T& value : values) Serde<T>::Write(value, out);
  }
  static bool Read(ByteReader& in, std::vector<T>& values) {
    uint64_t count = 0;
    if (!detail::ReadCount(in, count)) return false;
    values.clear();
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      T value{};
      if (!Serde<T>::Read(in, value)) return false;
      values.push_back(std::move(value));
    }
    return true;
  }
  static std::string TypeName() { return "vector<" + Serde<T>::TypeName() + ">"; }
};

namespace detail {

// std::map and std::unordered_map.
template <class Map>
struct MapSerde {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;
  static void Write(const Map& map, ByteWriter& out) {
    out.PutVarint(map.size());
    for (const auto& [key, value] : map) {
      Serde<K>::Write(key, out);
      Serde<V>::Write(value, out);
    }
  }
  static bool Read(ByteReader& in, Map& map) {
    uint64_t count = 0;
    if (!ReadCount(in, count)) return false;
    map.clear();
    for (uint64_t i = 0; i < count; ++i) {
      K key{};
      V value{};
      if (!Serde<K>::Read(in, key) || !Serde<V>::Read(in, value)) return false;
      map.emplace(std::move(key), std::move(value));
    }
    return true;
  }
  static std::string TypeName() { return "map<" + Serde<K>::TypeName() + "," + Serde<V>::TypeName() + ">"; }
};

}  // namespace detail

template <class K, class V>
struct Serde<std::map<K, V>> : detail::MapSerde<std::map<K, V>> {};
template <class K, class V>
struct Serde<std::unordered_map<K, V>> : detail::MapSerde<std::unordered_map<K, V>> {};

template <class A, class B>
struct Serde<std::pair<A, B>> {
  static void Write(const std::pair<A, B>& value, ByteWriter& out) {
    Serde<A>::Write(value.first, out);
    Serde<B>::Write(value.second, out);
  }
  static bool Read(ByteReader& in, std::pair<A, B>& value) {
    return Serde<A>::Read(in, value.first) && Serde<B>::Read(in, value.second);
  }
  static std::string TypeName() { return "pair<" + detail::JoinTypeNames<A, B>() + ">"; }
};

template <class... T>
struct Serde<std::tuple<T...>> {
  static void Write(const std::tuple<T...>& value, ByteWriter& out) {
    std::apply([&](const T&... parts) { (Serde<T>::Write(parts, out), ...); }, value);
  }
  static bool Read(ByteReader& in, std::tuple<T...>& value) {
    return std::apply([&](T&... parts) { return (Serde<T>::Read(in, parts) && ...); }, value);
  }
  static std::string TypeName() { return "tuple<" + detail::JoinTypeNames<T...>() + ">"; }
};

}  // namespace penstock

// One line behind the definition of a type whose members cannot be found without help, in the type's namespace:
//   PENSTOCK_SERDE(Order, value.id, value.lines)
// Each member is named through `value`.
#define PENSTOCK_SERDE(Type, ...)                                                             \
  [[maybe_unused]] inline auto PenstockMembers(Type& value) { return std::tie(__VA_ARGS__); } \
  [[maybe_unused]] inline constexpr const char* PenstockMemberNames(const Type*) { return #__VA_ARGS__; }

#endif  // PENSTOCK_RUNTIME_RECORD_SERDE_H_
