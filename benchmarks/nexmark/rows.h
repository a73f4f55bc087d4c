// What several queries write.
#ifndef PENSTOCK_BENCHMARKS_NEXMARK_ROWS_H_
#define PENSTOCK_BENCHMARKS_NEXMARK_ROWS_H_

#include <cstdint>

namespace penstock::nexmark {

inline constexpr int64_t kDayMs = 86'400'000;
inline constexpr int64_t kMinuteMs = 60'000;

inline int64_t DayOf(int64_t time_ms) { return time_ms / kDayMs; }
inline int64_t MinuteOfDay(int64_t time_ms) { return time_ms % kDayMs / kMinuteMs; }
inline int64_t HourOf(int64_t time_ms) { return time_ms % kDayMs / (60 * kMinuteMs); }
// Three classes of prices: below 10,000, below 1,000,000, and the rest.
inline int RankOf(int64_t price) { return price < 10'000 ? 0 : price < 1'000'000 ? 1 : 2; }

}  // namespace penstock::nexmark

#endif  // PENSTOCK_BENCHMARKS_NEXMARK_ROWS_H_
