// Event time as the engine carries it.
#ifndef PENSTOCK_RUNTIME_RECORD_TIME_H_
#define PENSTOCK_RUNTIME_RECORD_TIME_H_

#include <cstdint>
#include <limits>

namespace penstock {

// Milliseconds since the epoch. kNoTimestamp: a record or watermark that has none yet.
using TimestampMs = int64_t;
inline constexpr TimestampMs kNoTimestamp = std::numeric_limits<int64_t>::min();
// "Everything has been seen": sent at END_DRAIN so that every window fires.
inline constexpr TimestampMs kMaxWatermark = std::numeric_limits<int64_t>::max();

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_TIME_H_
