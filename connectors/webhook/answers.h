// What an answer means for a batch. Pure.
#ifndef PENSTOCK_CONNECTORS_WEBHOOK_ANSWERS_H_
#define PENSTOCK_CONNECTORS_WEBHOOK_ANSWERS_H_

#include <cstdint>
#include <string>

namespace penstock::webhook {

enum class Verdict { kDelivered, kMayPass, kRefused };

// 2xx; 408, 425, 429 and 5xx; anything else (RFC 9110 and 6585, 8470).
Verdict VerdictOf(int status);

// Milliseconds from a Retry-After header (RFC 9110, 10.2.3): a number of seconds or an HTTP date. -1: none, or not
// understood; 0: past. At most kRetryAfterMaxMs.
int64_t RetryAfterMs(const std::string& header, int64_t now_ms);
inline constexpr int64_t kRetryAfterMaxMs = 3'600'000;

}  // namespace penstock::webhook

#endif  // PENSTOCK_CONNECTORS_WEBHOOK_ANSWERS_H_
