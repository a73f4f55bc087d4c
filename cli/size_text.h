// Sizes for people.
#ifndef PENSTOCK_CLI_SIZE_TEXT_H_
#define PENSTOCK_CLI_SIZE_TEXT_H_

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>

namespace penstock::cli {

// "1.4 MB".
inline std::string SizeText(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(kUnits)) {
    size /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_SIZE_TEXT_H_
