#include "runtime/core/units.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <span>
#include <vector>

#include "runtime/core/status.h"

namespace penstock {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

// Of one factor, the first is the one that is written.
constexpr Unit kDurationUnits[] = {
    {"ms", 1},           {"millis", 1},        {"milliseconds", 1}, {"s", 1000},          {"sec", 1000},
    {"second", 1000},    {"seconds", 1000},    {"min", 60'000},     {"m", 60'000},        {"minute", 60'000},
    {"minutes", 60'000}, {"h", 3'600'000},     {"hour", 3'600'000}, {"hours", 3'600'000}, {"d", 86'400'000},
    {"day", 86'400'000}, {"days", 86'400'000},
};
constexpr Unit kByteUnits[] = {
    {"b", 1},           {"bytes", 1},      {"kb", 1LL << 10},  {"k", 1LL << 10},   {"kib", 1LL << 10},
    {"mb", 1LL << 20},  {"m", 1LL << 20},  {"mib", 1LL << 20}, {"gb", 1LL << 30},  {"g", 1LL << 30},
    {"gib", 1LL << 30}, {"tb", 1LL << 40}, {"t", 1LL << 40},   {"tib", 1LL << 40},
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

absl::StatusOr<int64_t> ParseQuantity(std::string_view text, std::span<const Unit> units, const char* what,
                                      const char* examples) {
  const std::string_view trimmed = Trim(text);
  int64_t number = 0;
  const auto [rest, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  if (error != std::errc() || number < 0) return InvalidArgument("'{}' is not a {} (such as {})", text, what, examples);
  const std::string unit_name = Lower(Trim(trimmed.substr(static_cast<size_t>(rest - trimmed.data()))));
  if (unit_name.empty()) return number;
  for (const Unit& unit : units) {
    if (unit.name != unit_name) continue;
    if (number > std::numeric_limits<int64_t>::max() / unit.factor) return InvalidArgument("'{}' is too large", text);
    return number * unit.factor;
  }
  return InvalidArgument("'{}' has the unknown unit '{}' for a {} (such as {})", text, unit_name, what, examples);
}

std::string FormatQuantity(int64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  }
  return fmt::format("{} {}", value / best->factor, best->name);
}

}  // namespace

absl::StatusOr<int64_t> ParseDurationMs(std::string_view text) {
  return ParseQuantity(text, kDurationUnits, "duration", "200 ms, 5 s, 1 min");
}

std::string FormatDurationMs(int64_t duration_ms) { return FormatQuantity(duration_ms, kDurationUnits); }

absl::StatusOr<int64_t> ParseBytes(std::string_view text) {
  return ParseQuantity(text, kByteUnits, "size", "32 kb, 256 mb, 4 gb");
}

std::string FormatBytes(int64_t bytes) { return FormatQuantity(bytes, kByteUnits); }

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace penstock
