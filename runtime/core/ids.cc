#include "runtime/core/ids.h"

#include "runtime/core/status.h"

namespace penstock {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string FormatHex128(uint64_t high, uint64_t low) { return fmt::format("{:016x}{:016x}", high, low); }

absl::StatusOr<std::array<uint64_t, 2>> ParseHex128(std::string_view text) {
  std::array<uint64_t, 2> halves{};
  if (text.size() != 32) {
    return InvalidArgument("id '{}' is not 32 hex digits long", text);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const int digit = HexDigit(text[i]);
    if (digit < 0) return InvalidArgument("id '{}' has a character that is no hex digit", text);
    halves[i / 16] = halves[i / 16] << 4 | static_cast<uint64_t>(digit);
  }
  return halves;
}

}  // namespace penstock
