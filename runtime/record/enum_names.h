// The names of a scoped enumeration's values without macros, read off the compiler's spelling of each.
//
// Limits: enum class (or struct) types; values from 0 to 127 have names, others have none.
#ifndef PENSTOCK_RUNTIME_RECORD_ENUM_NAMES_H_
#define PENSTOCK_RUNTIME_RECORD_ENUM_NAMES_H_

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace penstock::reflect {

template <class T>
concept ScopedEnum = std::is_enum_v<T> && !std::is_convertible_v<T, std::underlying_type_t<T>>;

inline constexpr int kEnumValuesMax = 128;

struct EnumName {
  std::string_view name;
  int64_t value = 0;
};

namespace detail {

template <class E, E Value>
constexpr std::string_view EnumSpelling() {
  return __PRETTY_FUNCTION__;
}

// "...Value = ns::Color::kRed..." or, where there is no such enumerator, "...Value = (ns::Color)7...". Empty: no name.
constexpr std::string_view NameInSpelling(std::string_view text) {
  text.remove_prefix(text.find("Value = ") + 8);
  text = text.substr(0, text.find_first_of(";]"));
  if (text.empty() || text.front() == '(') return {};
  const size_t colon = text.rfind(':');
  const std::string_view name = colon == std::string_view::npos ? text : text.substr(colon + 1);
  const char first = name.empty() ? '0' : name.front();
  return (first >= '0' && first <= '9') || first == '-' || first == '(' ? std::string_view() : name;
}

template <class E>
constexpr int NamedValuesEnd() {
  using U = std::underlying_type_t<E>;
  if constexpr (std::is_same_v<U, bool>) {
    return 2;
  } else {
    return static_cast<uint64_t>(std::numeric_limits<U>::max()) < kEnumValuesMax
               ? static_cast<int>(std::numeric_limits<U>::max()) + 1
               : kEnumValuesMax;
  }
}

template <class E, size_t... I>
std::vector<EnumName> EnumNamesAt(std::index_sequence<I...>) {
  std::vector<EnumName> names;
  const auto add = [&](std::string_view name, int64_t value) {
    if (!name.empty()) names.push_back({name, value});
  };
  (add(NameInSpelling(EnumSpelling<E, static_cast<E>(I)>()), static_cast<int64_t>(I)), ...);
  return names;
}

}  // namespace detail

// In the order of their values.
template <ScopedEnum E>
const std::vector<EnumName>& EnumNames() {
  static const auto* names = new std::vector<EnumName>(
      detail::EnumNamesAt<E>(std::make_index_sequence<static_cast<size_t>(detail::NamedValuesEnd<E>())>{}));
  return *names;
}

}  // namespace penstock::reflect

#endif  // PENSTOCK_RUNTIME_RECORD_ENUM_NAMES_H_
