// HeapBytes(value): about how much memory a value holds beyond its own size, for the budget of hot tables.
#ifndef PENSTOCK_RUNTIME_STATE_HEAP_BYTES_H_
#define PENSTOCK_RUNTIME_STATE_HEAP_BYTES_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/record/serde.h"

namespace penstock {

inline constexpr size_t kNodeOverheadBytes = 48;  // of a map's node, with what the allocator adds

template <class T>
size_t HeapBytes(const T& value);

namespace detail {

template <class T>
struct HeapBytesOf {
  static size_t Get(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      return 0;
    } else if constexpr (ProtobufMessage<T>) {
      return value.ByteSizeLong() * 2;
    } else if constexpr (HasSerdeMembers<T>) {
      return std::apply([](const auto&... m) { return (size_t{0} + ... + HeapBytes(m)); },
                        PenstockMembers(const_cast<T&>(value)));
    } else if constexpr (reflect::Reflectable<T>) {
      return reflect::VisitMembers(value, [](const auto&... m) { return (size_t{0} + ... + HeapBytes(m)); });
    } else {
      ByteWriter bytes;  // a type of the author's own encoding: what it writes is the best guess
      Serde<T>::Write(value, bytes);
      return bytes.size();
    }
  }
};
template <>
struct HeapBytesOf<std::string> {
  static size_t Get(const std::string& value) {
    return value.capacity() > std::string().capacity() ? value.capacity() + 1 : 0;
  }
};
template <class T>
struct HeapBytesOf<std::optional<T>> {
  static size_t Get(const std::optional<T>& value) { return value.has_value() ? HeapBytes(*value) : 0; }
};
template <class T>
struct HeapBytesOf<std::vector<T>> {
  static size_t Get(const std::vector<T>& values) {
    size_t bytes = values.capacity() * sizeof(T);
    if constexpr (!std::is_trivially_copyable_v<T>) {
      for (const T& value : values) bytes += HeapBytes(value);
    }
    return bytes;
  }
};
template <class Map>
struct HeapBytesOfMap {
  static size_t Get(const Map& map) {
    size_t bytes = map.size() * (sizeof(typename Map::value_type) + kNodeOverheadBytes);
    if constexpr (!std::is_trivially_copyable_v<typename Map::key_type> ||
                  !std::is_trivially_copyable_v<typename Map::mapped_type>) {
      for (const auto& [key, value] : map) bytes += HeapBytes(key) + HeapBytes(value);
    }
    return bytes;
  }
};
template <class K, class V>
struct HeapBytesOf<std::map<K, V>> : HeapBytesOfMap<std::map<K, V>> {};
template <class K, class V>
struct HeapBytesOf<std::unordered_map<K, V>> : HeapBytesOfMap<std::unordered_map<K, V>> {};
template <class A, class B>
struct HeapBytesOf<std::pair<A, B>> {
  static size_t Get(const std::pair<A, B>& value) { return HeapBytes(value.first) + HeapBytes(value.second); }
};
template <class... T>
struct HeapBytesOf<std::tuple<T...>> {
  static size_t Get(const std::tuple<T...>& value) {
    return std::apply([](const T&... parts) { return (size_t{0} + ... + HeapBytes(parts)); }, value);
  }
};

}  // namespace detail

template <class T>
size_t HeapBytes(const T& value) {
  return detail::HeapBytesOf<T>::Get(value);
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_HEAP_BYTES_H_
