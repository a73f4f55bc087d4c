// Durations and byte sizes as people write them ("5 s", "200ms", "1min", "32kb", "256 mb"). Pure functions.
#ifndef PENSTOCK_RUNTIME_CORE_UNITS_H_
#define PENSTOCK_RUNTIME_CORE_UNITS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace penstock {

// Milliseconds. Units: ms, s, min, h, d and their long forms; a bare number is milliseconds, as in Flink.
// InvalidArgument names the text and the units there are; fractions and negative values are refused.
absl::StatusOr<int64_t> ParseDurationMs(std::string_view text);
// The largest unit that divides it: "5 s", "1500 ms", "2 min".
std::string FormatDurationMs(int64_t duration_ms);

// Bytes. Units: b, kb, mb, gb, tb (powers of 1024) and their long forms; a bare number is bytes.
absl::StatusOr<int64_t> ParseBytes(std::string_view text);
// The largest unit that divides it: "32 kb", "100 b".
std::string FormatBytes(int64_t bytes);

// Levenshtein distance, for "did you mean".
int EditDistance(std::string_view a, std::string_view b);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_UNITS_H_
